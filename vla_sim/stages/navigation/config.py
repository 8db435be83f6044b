"""How the robot walks and how careful it is."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from vla_sim.errors import ConfigError

MAY_BE_ZERO = frozenset({"wall_thickness_m", "margin_m", "tight_m"})


@dataclass(frozen=True)
class NavigationConfig:
    """Lengths m, times s, speeds m/s and rad/s. The body is an upright cylinder; velocities are of its middle."""

    # the body
    radius_m: float = 0.30
    margin_m: float = 0.05  # beyond the radius, of a route: half a cell of the grid, and sway
    tight_m: float = 0.03  # and where there is no way with that; nothing is tried out that comes nearer
    soft_m: float = 0.55  # of a thing's distance from the middle of the body; more is no better
    forward_m_s: float = 0.6
    back_m_s: float = 0.25
    side_m_s: float = 0.2
    turn_rad_s: float = 0.7
    acceleration_m_s2: float = 0.4
    side_acceleration_m_s2: float = 0.3
    turn_acceleration_rad_s2: float = 0.8
    brake_m_s2: float = 0.8
    lag_s: float = 0.45  # of the true velocity behind the commanded one
    period_s: float = 0.1  # between two requests
    # localisation
    tall_m: float = 1.5  # above furniture there are only walls
    wall_thickness_m: float = 0.0  # 0 when the site map's segments are the faces one sees
    # the map
    cell_m: float = 0.05
    low_m: float = 0.06  # a thing lower than this is walked over
    high_m: float = 1.6  # and under this one
    tilt_rad: float = 0.015  # error of the direction of a ray, makes a far floor look uneven
    # looking ahead, as safety does it: from its speed the robot stops in a way that is free ahead of its outline
    stop_m_s2: float = 0.5
    react_s: float = 0.3
    ahead_m: float = 0.10
    horizon_s: float = 1.8
    turn_first_rad: float = math.radians(55.0)  # a route further to the side than this is turned to before walking
    # the goal
    arrive_m: float = 0.10
    arrive_rad: float = math.radians(6.0)
    dock_from_m: float = 0.6
    dock_m_s: float = 0.15
    dock_turn_rad_s: float = 0.3
    dock_m: float = 0.015
    dock_rad: float = math.radians(1.5)
    patience_s: float = 25.0  # without progress, then there is no way
    # people
    person_radius_m: float = 0.25
    follow_m: float = 1.2
    follow_least_m: float = 0.7
    lost_s: float = 2.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (value > 0 or (value == 0 and field.name in MAY_BE_ZERO)):
                raise ConfigError(field.name, f"must be positive, got {value:g}")
        if not self.follow_least_m < self.follow_m:
            raise ConfigError("follow_least_m", f"must be below follow_m ({self.follow_m:g})")
        if not self.tight_m <= self.margin_m:
            raise ConfigError("tight_m", f"must not be above margin_m ({self.margin_m:g}), got {self.tight_m:g}")
        if not self.keep_m < self.soft_m:
            raise ConfigError("soft_m", f"must be above radius_m + margin_m ({self.keep_m:g}), got {self.soft_m:g}")

    @property
    def keep_m(self) -> float:
        """How near a route comes to the middle of a cell with something in it, m."""
        return self.radius_m + self.margin_m

    @property
    def least_m(self) -> float:
        """And how near it comes where it must, m."""
        return self.radius_m + self.tight_m
