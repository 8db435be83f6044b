"""The seam to a body, simulated or real."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from vla_sim.spec import RobotSpec
from vla_sim.types import Command, Observation, SiteMap, Verdict


@runtime_checkable
class Robot(Protocol):
    """A body. One `act` is one control period: a simulated robot advances by it, a real one sends."""

    @property
    def spec(self) -> RobotSpec:
        """What this robot is."""

    def reset(self, seed: int) -> Observation:
        """Bring the robot (and its world) to a start that `seed` alone determines."""

    def observe(self, cameras: tuple[str, ...] = (), *, scan: bool = False) -> Observation:
        """State now, with an image of each named camera, and a scan on request. Nothing is rendered that is not named.

        A robot without a lidar (`spec.lidar` is None) gives no scan.
        """

    def act(self, command: Command, late_s: float = 0.0) -> Command:
        """Carry out one control period; returns the command actually sent.

        A simulated robot goes on with the command before for the first `late_s` of the period, as if the loop had been
        late; a real one, whose loop is as late as it is, is always told 0.
        """

    def hold(self) -> Command:
        """One control period of this embodiment's own way of waiting; returns what was sent."""

    def stop(self, reason: str) -> None:
        """Come to rest now and stay there until the next `reset`."""

    def verdict(self) -> Verdict | None:
        """How the episode ended; None while it runs. Says what the world (or the robot's own fault monitor) knows."""

    @property
    def instruction(self) -> str | None:
        """What the current episode's task asks for, in words; None when the robot has no task of its own."""

    @property
    def site_map(self) -> SiteMap | None:
        """What the operator has told the robot about the place; None when it was told nothing."""

    def heard(self) -> str | None:
        """What was said to the robot since the last call, beyond the instruction; None for nothing."""

    def close(self) -> None:
        """Release everything. Safe to call twice."""
