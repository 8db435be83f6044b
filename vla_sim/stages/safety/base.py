"""Where the base may go and how fast: zones, people, things, and not blindly."""

from __future__ import annotations

import math

import numpy as np

from vla_sim.spec import RobotSpec
from vla_sim.stages.safety.config import SafetyConfig
from vla_sim.stages.safety.obstacles import Obstacles
from vla_sim.stages.safety.rules import ROUNDING, Intervention
from vla_sim.stages.safety.separation import Separation
from vla_sim.stages.safety.surroundings import Place, Surroundings, feet_in_odom, place_in_odom, place_in_site
from vla_sim.stages.safety.zones import Zones
from vla_sim.types import Array, RobotState

FIELD = "base_velocity"


class BaseGuard:
    """Reduces base velocities. First the zones, which may turn one; then people and things, which only shorten it."""

    def __init__(self, spec: RobotSpec, config: SafetyConfig, zones: Zones, separation: Separation) -> None:
        self._has_lidar = spec.lidar is not None
        self._highest = np.array(spec.base_velocity_max)
        self._max_scan_age_s = config.obstacles.max_scan_age_s
        self._zones, self._separation = zones, separation
        self._obstacles = Obstacles(config.obstacles, config.braking)

    def check(
        self, velocity: Array, state: RobotState, surroundings: Surroundings, tools: Array
    ) -> tuple[Array, list[Intervention]]:
        """The velocity [3] there may be, and why; a clean one is returned itself. `tools` [k, 3] m are in base."""
        if not velocity.any():
            return velocity, []
        odom = place_in_odom(state)
        blind = self._blind(state, surroundings, odom)
        if blind is not None:
            return np.zeros(3), [blind]
        velocity, changes = self._keep_out(velocity, odom, feet_in_odom(state), surroundings, tools)
        share = self._separation.speed_share(surroundings, velocity)
        if share < 1.0:
            speed = _speed(velocity)
            changes.append(Intervention("separation", FIELD, speed, share * speed))
            velocity = share * velocity
        return self._before_things(velocity, odom, surroundings, changes)

    def _before_things(
        self, velocity: Array, odom: Place, surroundings: Surroundings, changes: list[Intervention]
    ) -> tuple[Array, list[Intervention]]:
        limit, speed = self._obstacles.speed_limit(surroundings, odom, velocity), _speed(velocity)
        if speed > limit + ROUNDING:
            changes.append(Intervention("obstacle", FIELD, speed, limit))
            share = limit / speed
            velocity = np.array([share * velocity[0], share * velocity[1], velocity[2]])
        return velocity, changes

    def _blind(self, state: RobotState, surroundings: Surroundings, odom: Place) -> Intervention | None:
        """Why nothing can be said about the way; None when something can."""
        scan = surroundings.scan
        age_s = math.inf if scan is None else state.time_s - scan.time_s
        if self._has_lidar and not age_s <= self._max_scan_age_s:
            return Intervention("stale", "scan", age_s, self._max_scan_age_s)
        if not odom.known or not feet_in_odom(state).known:
            return Intervention("non_finite", "pose_base_in_odom", math.nan, 0.0)
        unknown = surroundings.unknown
        if unknown:
            return Intervention("non_finite", unknown, math.nan, 0.0)
        for zone in self._zones.of(surroundings.site):
            if not zone.known:
                return Intervention("non_finite", zone.name, math.nan, 0.0)
        return None

    def _keep_out(
        self, velocity: Array, odom: Place, feet: Place, surroundings: Surroundings, tools: Array
    ) -> tuple[Array, list[Intervention]]:
        zones = self._zones.of(surroundings.site)
        if not zones:
            return velocity, []
        place = place_in_site(odom, surroundings.pose_odom_in_site)
        velocity, changes = self._zones.keep_base_out(zones, place, velocity, self._highest)
        feet = place_in_site(feet, surroundings.pose_odom_in_site)
        velocity, more = self._zones.keep_tools_out(zones, place, feet, velocity, tools)
        return velocity, [*changes, *more]


def _speed(velocity: Array) -> float:
    return math.hypot(velocity[0], velocity[1])
