"""Safety: the last thing between the stack and the robot. Pure, without a clock; it never leaves the robot.

Whatever comes in, what goes out is finite, inside the joint limits and no faster than the joints may turn. Nothing is
changed silently: every change is an `Intervention`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vla_sim.errors import ConfigError, SpecMismatch
from vla_sim.spec import RobotSpec
from vla_sim.types import Array, Command, Mode, RobotState

Rule = Literal["non_finite", "joint_limit", "velocity_limit", "grip", "base_velocity", "workspace", "stale"]
RULES: tuple[Rule, ...] = (
    "non_finite", "joint_limit", "velocity_limit", "grip", "base_velocity", "workspace", "stale",
)  # fmt: skip

ROUNDING = 1e-9  # a change smaller than this is made, but is no intervention
BASE_AXES = ("x", "y", "yaw")
AXES = ("x", "y", "z")


@dataclass(frozen=True)
class SafetyConfig:
    """Bounds of what the tools may do. Lengths m in the base frame, times s.

    The default box leaves out what a Unitree G1 reaches only at full stretch or behind its back: over 40,000 random
    postures its tools come to x -0.75...0.72, y -0.74...0.74, z 0.44...1.61.
    """

    workspace_lower_m: tuple[float, ...] = (-0.30, -0.70, 0.0)
    workspace_upper_m: tuple[float, ...] = (0.65, 0.70, 1.55)
    floor_m: float = 0.05  # lowest height of a tool
    max_command_age_s: float = 0.5  # from the making of a command to its tick

    def __post_init__(self) -> None:
        for name, corner in (("lower", self.workspace_lower_m), ("upper", self.workspace_upper_m)):
            if len(corner) != 3:
                raise ConfigError(f"workspace_{name}_m", f"must be three lengths x, y, z, got {len(corner)}")
        for axis, low, high in zip(AXES, self.workspace_lower_m, self.workspace_upper_m, strict=True):
            if not low < high:
                problem = f"{axis} must be above that of workspace_lower_m ({low:g}), got {high:g}"
                raise ConfigError("workspace_upper_m", problem)
        if not self.floor_m < self.workspace_upper_m[2]:
            raise ConfigError("floor_m", f"must be below the top of the workspace, got {self.floor_m:g}")
        if not self.max_command_age_s > 0:
            raise ConfigError("max_command_age_s", f"must be positive, got {self.max_command_age_s:g}")


@dataclass(frozen=True, slots=True)
class Intervention:
    """One thing safety changed: `value` was asked for, `limit` is what there is (0 for non_finite, which has none)."""

    rule: Rule
    joint: str  # the joint, the hand, the axis, the field of the command; "" for the command as a whole
    value: float
    limit: float


Outcome = tuple[Command, tuple[Intervention, ...]]
Kinematics = Callable[[RobotState, Array], Array]


class SafetyFilter:
    """Checks each command of a robot.

    `kinematics(state, joints_rad)` [k, 3] gives the tools in base for upper-body targets. With it, a command that was
    slowed down is judged by where it now leads, and a tool outside the workspace may come back; without it, tools are
    where the caller says. A joint found outside its limits comes back no faster than it may turn.
    """

    def __init__(
        self, spec: RobotSpec, config: SafetyConfig | None = None, kinematics: Kinematics | None = None
    ) -> None:
        self.spec, self.config, self._kinematics = spec, config or SafetyConfig(), kinematics
        self._step_rad = spec.velocity_rad_s / spec.control_rate_hz
        self._base_max = np.array(spec.base_velocity_max)
        self._upper = spec.upper_index
        self._lowest = np.array(self.config.workspace_lower_m)
        self._lowest[2] = max(self._lowest[2], self.config.floor_m)
        self._highest = np.array(self.config.workspace_upper_m)

    def filter(
        self, command: Command, previous: Command, state: RobotState, age_s: float | None, points_in_base: Array
    ) -> Outcome:
        """The command to send, and what was changed in it.

        `previous` is what was sent one control period ago, `age_s` the time since `command` was made (None = now), and
        `points_in_base` [k, 3] m are the tools where `command` would bring them (k may be 0). A refused command becomes
        Mode.HOLD with the previous targets and a base at rest; Mode.DAMP stays what it is. A clean command is returned
        itself. Raises SpecMismatch for wrong shapes; never for values.
        """
        self.spec.check(command)
        if points_in_base.ndim != 2 or points_in_base.shape[1] != 3:
            raise SpecMismatch("points_in_base", "(k, 3)", points_in_base.shape)
        numbers = (command.joints_rad, command.grips, command.base_velocity, points_in_base.ravel())
        before = (previous.joints_rad, previous.grips)
        if not np.isfinite(np.concatenate((*numbers, *before))).all():
            return self._repair(command, previous, state, points_in_base)
        safe, changes = self._clamp(command, previous)
        if command.mode is not Mode.TRACK:
            return safe, tuple(changes)  # it asks for no motion that could be refused
        refusals = self._outside(safe, command, previous, state, points_in_base)
        if age_s is not None and not age_s <= self.config.max_command_age_s:
            refusals.append(Intervention("stale", "", age_s, self.config.max_command_age_s))
        return (_hold(command, previous) if refusals else safe), (*changes, *refusals)

    def _clamp(self, command: Command, previous: Command) -> tuple[Command, list[Intervention]]:
        spec = self.spec
        wanted = command.joints_rad
        allowed = np.clip(wanted, spec.lower_rad, spec.upper_rad)
        reached = np.clip(allowed, previous.joints_rad - self._step_rad, previous.joints_rad + self._step_rad)
        grips = np.clip(command.grips, 0.0, 1.0)
        base = np.clip(command.base_velocity, -self._base_max, self._base_max)
        if (reached == wanted).all() and (grips == command.grips).all() and (base == command.base_velocity).all():
            return command, []
        changes = _changes("joint_limit", spec.upper_joints, wanted, allowed)
        for i in np.flatnonzero(np.abs(allowed - reached) > ROUNDING):
            asked = float(allowed[i] - previous.joints_rad[i]) * spec.control_rate_hz
            changes.append(Intervention("velocity_limit", spec.upper_joints[i], asked, float(spec.velocity_rad_s[i])))
        changes += _changes("grip", spec.hands, command.grips, grips)
        changes += _changes("base_velocity", BASE_AXES, command.base_velocity, base)
        return Command(reached, grips, base, command.mode), changes

    def _outside(
        self, safe: Command, command: Command, previous: Command, state: RobotState, points: Array
    ) -> list[Intervention]:
        """The tools that `safe` would bring, or leave further, out of the workspace."""
        if self._kinematics is not None and (safe is not command or not len(points)):
            points = self._kinematics(state, safe.joints_rad).copy()  # asked again below
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

    def _repair(self, command: Command, previous: Command, state: RobotState, points: Array) -> Outcome:
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
        return _hold(command, Command(joints, grips)), changes


def _changes(rule: Rule, names: tuple[str, ...], wanted: Array, allowed: Array) -> list[Intervention]:
    changed = np.flatnonzero(np.abs(wanted - allowed) > ROUNDING)
    return [Intervention(rule, names[i], float(wanted[i]), float(allowed[i])) for i in changed]


def _hold(command: Command, previous: Command) -> Command:
    mode = Mode.DAMP if command.mode is Mode.DAMP else Mode.HOLD
    return Command(previous.joints_rad, previous.grips, np.zeros(3), mode)
