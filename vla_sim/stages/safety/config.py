"""The bounds safety works with. Lengths m, times s, speeds m/s; frames as the fields say."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from vla_sim.errors import ConfigError

AXES = ("x", "y", "z")


def _positive(config: Any, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        if not 0 < value < math.inf:
            raise ConfigError(name, f"must be positive, got {value:g}")


def _not_negative(config: Any, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        if not 0 <= value < math.inf:
            raise ConfigError(name, f"must not be negative or infinite, got {value:g}")


@dataclass(frozen=True)
class Braking:
    """How the base comes to rest, and how much room it takes: its outline is an upright cylinder."""

    deceleration_m_s2: float = 0.5
    reaction_s: float = 0.3  # from a reduced command to a slower robot: a step of a walking one
    radius_m: float = 0.30  # of the outline

    def __post_init__(self) -> None:
        _positive(self, "deceleration_m_s2", "radius_m")
        _not_negative(self, "reaction_s")


@dataclass(frozen=True)
class ObstacleConfig:
    """Things the lidar shows. The allowance for docking holds for what lies in the allowed box alone."""

    margin_m: float = 0.10  # left between outline and thing
    lowest_m: float = 0.06  # above the floor; lower is floor
    highest_m: float = 1.45  # above that it passes underneath
    max_scan_age_s: float = 0.5  # a robot with a lidar does not walk on an older scan
    docking_speed_m_s: float = 0.15
    docking_radius_m: float = 0.15  # of the outline towards a surface it docks at: its feet go underneath
    docking_margin_m: float = 0.01
    docking_ahead_m: float = 1.2  # the allowed box when the caller names none: so far ahead ...
    docking_aside_m: float = 0.8  # ... and so far to either side

    def __post_init__(self) -> None:
        _positive(self, "max_scan_age_s", "docking_speed_m_s", "docking_radius_m", "docking_ahead_m", "docking_aside_m")
        _not_negative(self, "margin_m", "docking_margin_m")
        if not self.lowest_m < self.highest_m < math.inf:
            raise ConfigError("highest_m", f"must be above lowest_m ({self.lowest_m:g}), got {self.highest_m:g}")


@dataclass(frozen=True)
class SeparationConfig:
    """Distance to people, after ISO/TS 15066:2016, 5.5.4 (speed and separation monitoring)."""

    person_radius_m: float = 0.25
    intrusion_m: float = 0.15  # C, Zd and Zr of the standard in one: reach of a hand, and what the sensors may be off
    assumed_speed_m_s: float = 1.6  # of a person whose velocity nobody measured: ISO 13855:2010, walking
    arms_slow_m: float = 1.0  # from base to person: nearer, the arms turn slower ...
    arms_slowest_m: float = 0.5  # ... down to `arms_least` of their speed from here on
    arms_least: float = 0.1  # 0.4 rad/s at 0.6 m are the 0.25 m/s of ISO 10218-1:2011, reduced speed

    def __post_init__(self) -> None:
        _not_negative(self, "person_radius_m", "intrusion_m", "assumed_speed_m_s", "arms_slowest_m")
        if not self.arms_slowest_m < self.arms_slow_m < math.inf:
            problem = f"must be above arms_slowest_m ({self.arms_slowest_m:g}), got {self.arms_slow_m:g}"
            raise ConfigError("arms_slow_m", problem)
        if not 0 <= self.arms_least <= 1:
            raise ConfigError("arms_least", f"must be a share of the speed, 0 to 1, got {self.arms_least:g}")


@dataclass(frozen=True)
class ZoneConfig:
    """Forbidden and hot regions of the site map."""

    clearance_m: float = 0.15  # left between the base's middle and a zone
    hot_tool_m: float = 0.05  # left between a tool and a hot zone, across the floor
    hot_above_m: float = 0.5  # and above the top of what is hot
    hot_top_m: float = 0.9  # top of a hot zone in which the map shows no surface

    def __post_init__(self) -> None:
        _not_negative(self, "clearance_m", "hot_tool_m", "hot_above_m", "hot_top_m")


@dataclass(frozen=True)
class TipOverConfig:
    """Balance while standing."""

    margin_m: float = 0.015  # support margin below which arms and waist slow down; at zero they hold

    def __post_init__(self) -> None:
        _positive(self, "margin_m")


@dataclass(frozen=True)
class SafetyConfig:
    """Bounds of what the robot may do. Lengths m in the base frame, times s.

    The default box leaves out what a Unitree G1 reaches only at full stretch or behind its back: over 40,000 random
    postures its tools come to x -0.75...0.72, y -0.74...0.74, z 0.44...1.61.
    """

    workspace_lower_m: tuple[float, ...] = (-0.30, -0.70, 0.0)
    workspace_upper_m: tuple[float, ...] = (0.65, 0.70, 1.55)
    floor_m: float = 0.05  # lowest height of a tool
    max_command_age_s: float = 0.5  # from the making of a command to its tick
    self_distance_m: float = 0.02  # between an arm and the rest of the body
    braking: Braking = Braking()
    obstacles: ObstacleConfig = ObstacleConfig()
    separation: SeparationConfig = SeparationConfig()
    zones: ZoneConfig = ZoneConfig()
    tip_over: TipOverConfig = TipOverConfig()

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
        _positive(self, "max_command_age_s")
        _not_negative(self, "self_distance_m")
        if self.obstacles.docking_radius_m > self.braking.radius_m:
            problem = f"must not be above the outline's radius ({self.braking.radius_m:g})"
            raise ConfigError("obstacles.docking_radius_m", f"{problem}, got {self.obstacles.docking_radius_m:g}")
