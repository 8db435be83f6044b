"""Between gymnasium's normalised actions and commands in physical units."""

from __future__ import annotations

from typing import Any

import numpy as np

from vla_sim.spec import RobotSpec
from vla_sim.types import Command, Mode


def command_of(action: dict[str, Any], spec: RobotSpec) -> Command:
    """The command an action of a `TabletopEnv` stands for."""
    joints, grips, base = (np.asarray(action[k], dtype=np.float64) for k in ("joints", "grips", "base_velocity"))
    middle, half = (spec.upper_rad + spec.lower_rad) / 2, (spec.upper_rad - spec.lower_rad) / 2
    return Command(middle + half * joints, grips, base * spec.base_velocity_max, Mode(int(action["mode"])))


def action_of(command: Command, spec: RobotSpec) -> dict[str, Any]:
    """The action that stands for a command; targets beyond the limits are clipped."""
    middle, half = (spec.upper_rad + spec.lower_rad) / 2, (spec.upper_rad - spec.lower_rad) / 2
    fastest = np.array(spec.base_velocity_max)
    base = np.divide(command.base_velocity, fastest, out=np.zeros(3), where=fastest > 0)
    return {
        "base_velocity": np.clip(base, -1, 1),
        "joints": np.clip((command.joints_rad - middle) / half, -1, 1),
        "grips": np.clip(command.grips, 0, 1),
        "mode": np.int64(command.mode.value),
    }
