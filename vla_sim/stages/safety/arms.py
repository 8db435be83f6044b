"""What the upper body may do: slower when balance or people ask for it, not into itself, no tool to something hot."""

from __future__ import annotations

import numpy as np

from vla_sim.spec import RobotSpec
from vla_sim.stages.safety.config import SafetyConfig
from vla_sim.stages.safety.limits import Kinematics
from vla_sim.stages.safety.rules import ROUNDING, Intervention
from vla_sim.stages.safety.self_collision import CREEP_M, SelfCollision
from vla_sim.stages.safety.separation import Separation
from vla_sim.stages.safety.surroundings import Surroundings, feet_in_odom, place_in_site
from vla_sim.stages.safety.zones import Zones
from vla_sim.types import Array, RobotState

FIELD = "joints_rad"
Checked = tuple[Array, list[Intervention]]


class ArmGuard:
    """Reduces motions of the upper body. Targets [n_upper] that need no change are returned themselves."""

    def __init__(self, spec: RobotSpec, config: SafetyConfig, zones: Zones, separation: Separation) -> None:
        self._speed = spec.velocity_rad_s
        self._step_rad = spec.velocity_rad_s / spec.control_rate_hz
        self._rate_hz = spec.control_rate_hz
        self._config, self._zones, self._separation = config, zones, separation
        model = spec.kinematics
        self._body = SelfCollision(spec, model, config.self_distance_m) if model and model.capsules else None

    def check(self, wanted: Array, before: Array, state: RobotState, surroundings: Surroundings | None) -> Checked:
        """The targets there may be, coming from `before` [n_upper], and why. Tools and hot zones: `keep_from_hot`."""
        joints, changes = self._balanced(wanted, before, state)
        if surroundings is not None:
            joints, more = self._near_people(joints, before, surroundings)
            changes += more
        if self._body is not None:
            joints, more = self._body.check(joints, before, state)
            changes += more
        return joints, changes

    def _balanced(self, wanted: Array, before: Array, state: RobotState) -> Checked:
        """Slower with little support, held with none. A walking robot is out of balance by nature."""
        margin, least = state.support_margin_m, self._config.tip_over.margin_m
        if margin is None or not state.standing or margin >= least:
            return wanted, []
        joints = self._slowed(wanted, before, max(0.0, margin / least) if margin > 0 else 0.0)
        return joints, [] if joints is wanted else [Intervention("tip_over", FIELD, float(margin), least)]

    def _near_people(self, wanted: Array, before: Array, surroundings: Surroundings) -> Checked:
        share = self._separation.arm_share(surroundings)
        joints = self._slowed(wanted, before, share)
        if joints is wanted:
            return wanted, []
        fastest = int(np.abs((wanted - before) / self._step_rad).argmax())
        asked = float(abs(wanted[fastest] - before[fastest])) * self._rate_hz
        return joints, [Intervention("separation", FIELD, asked, float(share * self._speed[fastest]))]

    def _slowed(self, wanted: Array, before: Array, share: float) -> Array:
        """The targets with no joint faster than a share of its highest speed, the direction of the motion kept."""
        if share >= 1.0:
            return wanted
        step = wanted - before
        moved = float(np.abs(step / self._step_rad).max(initial=0.0))
        if moved <= share + ROUNDING:
            return wanted
        return before + step * (share / moved)

    def keep_from_hot(
        self, before: Array, tools: Array, state: RobotState, surroundings: Surroundings | None,
        kinematics: Kinematics | None,
    ) -> list[Intervention]:  # fmt: skip
        """Why the tools may not go to `tools` [k, 3] m in base; empty when they may, or when they come back."""
        zones = self._zones.of(surroundings.site) if surroundings is not None else ()
        if surroundings is None or not any(zone.hot for zone in zones) or not len(tools):
            return []
        place = place_in_site(feet_in_odom(state), surroundings.pose_odom_in_site)
        if not place.known:
            return []  # where the hot zones are nobody knows; the base does not move then
        least = self._config.zones.hot_tool_m
        apart = self._zones.tool_distances(zones, place, tools)
        near = apart < least
        if not near.any():
            return []
        if kinematics is not None:
            now = self._zones.tool_distances(zones, place, kinematics(state, before))
            near &= apart < now - CREEP_M
        if not near.any():
            return []
        zone = int(np.where(near, apart, np.inf).min(axis=1).argmin())
        return [Intervention("hot", zones[zone].name, float(apart[zone][near[zone]].min()), least)]
