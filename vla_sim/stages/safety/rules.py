"""What safety may say: the rules, and one thing it changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from vla_sim.types import Array, Command, Mode

Rule = Literal[
    "non_finite", "joint_limit", "velocity_limit", "grip", "base_velocity", "workspace", "stale", "self_collision",
    "obstacle", "separation", "zone", "hot", "tip_over", "e_stop",
]  # fmt: skip
RULES: tuple[Rule, ...] = (
    "non_finite", "joint_limit", "velocity_limit", "grip", "base_velocity", "workspace", "stale", "self_collision",
    "obstacle", "separation", "zone", "hot", "tip_over", "e_stop",
)  # fmt: skip

ROUNDING = 1e-9  # a change smaller than this is made, but is no intervention


@dataclass(frozen=True, slots=True)
class Intervention:
    """One thing safety changed: `value` was asked for, `limit` is what there is, both in SI units.

    non_finite has no limit (0). self_collision and hot compare distances, m; tip_over and stale what was found with
    what it takes, m and s; obstacle, separation, zone and e_stop speeds, m/s (of the arms rad/s).
    """

    rule: Rule
    joint: str  # the joint, the hand, the axis, the field, the links or the zone; "" for the command as a whole
    value: float
    limit: float


Outcome = tuple[Command, tuple[Intervention, ...]]


def hold(command: Command, previous: Command) -> Command:
    """What was sent before, at rest; a robot that gives way goes on giving way."""
    mode = Mode.DAMP if command.mode is Mode.DAMP else Mode.HOLD
    return Command(previous.joints_rad, previous.grips, np.zeros(3), mode)


def with_joints(command: Command, joints_rad: Array) -> Command:
    """The command with other joint targets [n_upper]."""
    return Command(joints_rad, command.grips, command.base_velocity, command.mode)


def with_base(command: Command, base_velocity: Array) -> Command:
    """The command with another base velocity [3]."""
    return Command(command.joints_rad, command.grips, base_velocity, command.mode)
