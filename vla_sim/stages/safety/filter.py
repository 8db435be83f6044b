"""The filter itself: rule by rule, from a command to what may be sent."""

from __future__ import annotations

import numpy as np

from vla_sim.errors import SpecMismatch
from vla_sim.spec import RobotSpec
from vla_sim.stages.safety.arms import ArmGuard
from vla_sim.stages.safety.base import BaseGuard
from vla_sim.stages.safety.config import SafetyConfig
from vla_sim.stages.safety.limits import Kinematics, Limits
from vla_sim.stages.safety.rules import Intervention, Outcome, hold, with_base, with_joints
from vla_sim.stages.safety.separation import Separation
from vla_sim.stages.safety.surroundings import Surroundings
from vla_sim.stages.safety.zones import Zones
from vla_sim.types import Array, Command, Mode, Region, RobotState, Scan, SiteMap


class SafetyFilter:
    """Checks each command of a robot.

    `kinematics(state, joints_rad)` [k, 3] gives the tools in base for upper-body targets. With it, a command that was
    slowed down is judged by where it now leads, and a tool outside the workspace may come back; without it, tools are
    where the caller says. A joint found outside its limits comes back no faster than it may turn.

    What a filter keeps (the newest scan and site map, looked through once) changes no answer, only its time.
    """

    def __init__(
        self, spec: RobotSpec, config: SafetyConfig | None = None, kinematics: Kinematics | None = None
    ) -> None:
        self.spec, self.config, self._kinematics = spec, config or SafetyConfig(), kinematics
        self._limits = Limits(spec, self.config, kinematics)
        zones = Zones(self.config.zones, self.config.braking)
        separation = Separation(self.config.separation, self.config.braking)
        self._base = BaseGuard(spec, self.config, zones, separation)
        self._arms = ArmGuard(spec, self.config, zones, separation)
        self._warm_up()

    def filter(
        self, command: Command, previous: Command, state: RobotState, age_s: float | None, points_in_base: Array,
        surroundings: Surroundings | None = None,
    ) -> Outcome:  # fmt: skip
        """The command to send, and what was changed in it.

        `previous` is what was sent one control period ago, `age_s` the time since `command` was made (None = now), and
        `points_in_base` [k, 3] m are the tools where `command` would bring them (k may be 0). Rules that need
        `surroundings` are not asked without. A refused command becomes Mode.HOLD with the previous targets and a base
        at rest; Mode.DAMP stays what it is. A clean command is returned itself. Raises SpecMismatch for wrong shapes;
        never for values.
        """
        self.spec.check(command)
        if points_in_base.ndim != 2 or points_in_base.shape[1] != 3:
            raise SpecMismatch("points_in_base", "(k, 3)", points_in_base.shape)
        changes: list[Intervention] = []
        if surroundings is not None and surroundings.stop_latched and not _rests(command):
            asked = float(np.abs(command.base_velocity).max())
            changes.append(Intervention("e_stop", "", asked, 0.0))
            command = hold(command, previous)
        numbers = (command.joints_rad, command.grips, command.base_velocity, points_in_base.ravel())
        before = (previous.joints_rad, previous.grips)
        if not np.isfinite(np.concatenate((*numbers, *before))).all():
            safe, repairs = self._limits.repair(command, previous, state, points_in_base)
            return safe, (*changes, *repairs)
        safe, more = self._limits.clamp(command, previous)
        changes += more
        if surroundings is not None:
            tools = self._tools(previous, state, points_in_base, surroundings)
            base, more = self._base.check(safe.base_velocity, state, surroundings, tools)
            safe = safe if base is safe.base_velocity else with_base(safe, base)
            changes += more
        if command.mode is Mode.TRACK:  # any other asks its joints for no motion that could be refused
            safe, more = self._move(safe, command, previous, state, age_s, points_in_base, surroundings)
            changes += more
        return safe, tuple(changes)

    def _move(
        self, safe: Command, command: Command, previous: Command, state: RobotState, age_s: float | None,
        points: Array, surroundings: Surroundings | None,
    ) -> tuple[Command, list[Intervention]]:  # fmt: skip
        """The part of the filter about the upper body; a refusal holds all of the command."""
        before = previous.joints_rad
        joints, changes = self._arms.check(safe.joints_rad, before, state, surroundings)
        safe = safe if joints is safe.joints_rad else with_joints(safe, joints)
        if self._kinematics is not None and (safe is not command or not len(points)):
            points = self._kinematics(state, safe.joints_rad).copy()  # asked again below
        refusals = self._limits.outside(previous, state, points)
        if age_s is not None and not age_s <= self.config.max_command_age_s:
            refusals.append(Intervention("stale", "", age_s, self.config.max_command_age_s))
        if refusals:
            return hold(command, previous), changes + refusals
        hot = self._arms.keep_from_hot(before, points, state, surroundings, self._kinematics)
        return (with_joints(safe, before) if hot else safe), changes + hot

    def _warm_up(self) -> None:
        """Call all that is compiled once: no tick of a robot in motion has the time to wait for it."""
        zeros, corners = np.zeros(len(self.spec.joints)), np.array([[2.0, 0.0], [3.0, 0.0], [3.0, 1.0]])
        state = RobotState(0.0, zeros, zeros, np.ones(len(self.spec.hands)), zeros)
        point = np.full((1, 3), 0.5, np.float32)
        surroundings = Surroundings(
            scan=Scan(0.0, point, np.ones(1, np.bool_), np.zeros(3), np.eye(4)),
            people_in_base=np.ones((1, 2)),
            site=SiteMap(regions=(Region("", "hot", corners),)),
        )
        self._base.check(np.full(3, 0.1), state, surroundings, np.ones((1, 3)))
        still = np.zeros(len(self.spec.upper_joints))
        self._arms.check(still, still, state, surroundings)
        self._arms.keep_from_hot(still, np.ones((1, 3)), state, surroundings, None)

    def _tools(self, previous: Command, state: RobotState, points: Array, surroundings: Surroundings) -> Array:
        """[k, 3] m where the tools are while the base moves: as the caller says, or as last sent."""
        if len(points) or self._kinematics is None or surroundings.site is None:
            return points
        return self._kinematics(state, previous.joints_rad).copy()


def _rests(command: Command) -> bool:
    return command.mode is not Mode.TRACK and not command.base_velocity.any()
