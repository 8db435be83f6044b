"""What holds wherever the robot is: numbers that are numbers, joint limits, speeds, and the workspace of the tools."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vla_sim.spec import RobotSpec
from vla_sim.stages.safety.config import AXES, SafetyConfig
from vla_sim.stages.safety.rules import ROUNDING, Intervention, Outcome, Rule, hold
from vla_sim.stages.vectors import clipped
from vla_sim.types import Array, Command, RobotState

BASE_AXES = ("x", "y", "yaw")
Kinematics = Callable[[RobotState, Array], Array]


class Limits:
    """The bounds of one robot. `kinematics` as in `SafetyFilter`."""

    def __init__(self, spec: RobotSpec, config: SafetyConfig, kinematics: Kinematics | None) -> None:
        self.spec, self._kinematics = spec, kinematics
        self.step_rad = spec.velocity_rad_s / spec.control_rate_hz
        self.base_max = np.array(spec.base_velocity_max)
        self._upper = spec.upper_index
        self._lowest = np.array(config.workspace_lower_m)
        self._lowest[2] = max(self._lowest[2], config.floor_m)
        self._highest = np.array(config.workspace_upper_m)

    def clamp(self, command: Command, previous: Command) -> tuple[Command, list[Intervention]]:
        """The command inside all limits, no faster than the joints may turn from `previous`."""
        spec = self.spec
        wanted = command.joints_rad
        allowed = clipped(wanted, spec.lower_rad, spec.upper_rad)
        reached = clipped(allowed, previous.joints_rad - self.step_rad, previous.joints_rad + self.step_rad)
        grips = clipped(command.grips, 0.0, 1.0)
        base = clipped(command.base_velocity, -self.base_max, self.base_max)
        if (reached == wanted).all() and (grips == command.grips).all() and (base == command.base_velocity).all():
            return command, []
        changes = _changes("joint_limit", spec.upper_joints, wanted, allowed)
        for i in np.flatnonzero(np.abs(allowed - reached) > ROUNDING):
            asked = float(allowed[i] - previous.joints_rad[i]) * spec.control_rate_hz
            changes.append(Intervention("velocity_limit", spec.upper_joints[i], asked, float(spec.velocity_rad_s[i])))
        changes += _changes("grip", spec.hands, command.grips, grips)
        changes += _changes("base_velocity", BASE_AXES, command.base_velocity, base)
        return Command(reached, grips, base, command.mode), changes

    def outside(self, previous: Command, state: RobotState, points: Array) -> list[Intervention]:
        """The tools at `points` [k, 3] that leave the workspace, or leave it further than they are already."""
        excess = np.maximum(self._lowest - points, points - self._highest)
        if (excess <= 0.0).all():
            return []
        if self._kinematics is not None:
            now = self._kinematics(state, previous.joints_rad)
            excess_now = np.maximum(self._lowest - now, now - self._highest).clip(min=0.0)
            if ((excess <= 0.0) | (excess < excess_now)).all():
                return []  # it comes back
        tool, axis = np.unravel_index(int(excess.argmax()), excess.shape)
        value = float(points[tool, axis])
        limit = self._lowest[axis] if value < self._lowest[axis] else self._highest[axis]
        return [Intervention("workspace", AXES[axis], value, float(limit))]

    def repair(self, command: Command, previous: Command, state: RobotState, points: Array) -> Outcome:
        """The answer to numbers that are none: hold what was sent, or measured where that is no number either."""
        fields = {
            "joints_rad": command.joints_rad,
            "grips": command.grips,
            "base_velocity": command.base_velocity,
            "points_in_base": points.ravel(),
            "previous": np.concatenate((previous.joints_rad, previous.grips)),
        }
        changes = tuple(
            Intervention("non_finite", name, float(values[~np.isfinite(values)][0]), 0.0)
            for name, values in fields.items()
            if not np.isfinite(values).all()
        )
        measured = np.clip(np.nan_to_num(state.joints_rad[self._upper]), self.spec.lower_rad, self.spec.upper_rad)
        joints = np.where(np.isfinite(previous.joints_rad), previous.joints_rad, measured)
        grips = np.where(np.isfinite(previous.grips), previous.grips, 0.0)
        return hold(command, Command(joints, grips)), changes


def _changes(rule: Rule, names: tuple[str, ...], wanted: Array, allowed: Array) -> list[Intervention]:
    changed = np.flatnonzero(np.abs(wanted - allowed) > ROUNDING)
    return [Intervention(rule, names[i], float(wanted[i]), float(allowed[i])) for i in changed]
