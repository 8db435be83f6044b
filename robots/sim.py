"""A simulated body as a `Robot`: one `act` advances its world by one control period."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from vla_sim.spec import CameraSpec, RobotSpec
from vla_sim.types import Command, Frame, Mode, Observation, RobotState, Scan, SiteMap, Verdict


class RobotWorld(Protocol):
    """What this robot needs of an environment: any that offers it can be wrapped."""

    robot_spec: RobotSpec

    @property
    def instruction(self) -> str: ...

    @property
    def verdict(self) -> Verdict | None: ...

    @property
    def camera_specs(self) -> dict[str, CameraSpec]: ...

    def restart(self, seed: int) -> None: ...

    def advance(self, command: Command, late_s: float = 0.0) -> Command: ...

    def robot_state(self) -> RobotState: ...

    def capture(self, camera: str) -> Frame: ...

    def scan(self) -> Scan: ...

    @property
    def site_map(self) -> SiteMap | None: ...

    def heard(self) -> str | None: ...

    def close(self) -> None: ...


class SimRobot:
    """A body in a PyBullet world. `env` is an environment, such as `envs.make("VlaSim/PickPlace-v0")`."""

    def __init__(self, env: RobotWorld) -> None:
        self.env = env
        own = env.robot_spec
        self._spec = RobotSpec(**{**vars(own), "cameras": env.camera_specs})
        self._stopped = ""

    @property
    def spec(self) -> RobotSpec:
        return self._spec

    @property
    def instruction(self) -> str | None:
        return self.env.instruction

    @property
    def site_map(self) -> SiteMap | None:
        return self.env.site_map

    def heard(self) -> str | None:
        return self.env.heard()

    def reset(self, seed: int) -> Observation:
        """A new scene, the robot at rest in its ready posture."""
        self._stopped = ""
        self.env.restart(seed)
        return self.observe()

    def observe(self, cameras: tuple[str, ...] = (), *, scan: bool = False) -> Observation:
        """State now, an image of each named camera, and a turn of the lidar when asked for."""
        frames = {name: self.env.capture(name) for name in cameras}
        return Observation(self.env.robot_state(), frames, self.env.scan() if scan else None)

    def act(self, command: Command, late_s: float = 0.0) -> Command:
        """Advance one control period, the command taking effect after `late_s` of it, to the nearest physics step.

        After `stop`, the pose is held whatever is asked.
        """
        self._spec.check(command)
        return self.hold() if self._stopped else self.env.advance(command, late_s)

    def hold(self) -> Command:
        """One period in the pose last commanded: a robot in position control stands by keeping its targets."""
        upper, hands = len(self._spec.upper_joints), len(self._spec.hands)
        return self.env.advance(Command(np.zeros(upper), np.zeros(hands), mode=Mode.HOLD))

    def stop(self, reason: str) -> None:
        """Hold from now on, until the next `reset`."""
        self._stopped = reason or "stopped"

    def verdict(self) -> Verdict | None:
        return self.env.verdict

    def close(self) -> None:
        self.env.close()
