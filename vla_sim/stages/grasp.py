"""Grasp planning: from which side a hand can take (or set down) something, tested by inverse kinematics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from vla_sim.spec import RobotSpec
from vla_sim.stages.ik import ArmIK
from vla_sim.types import Array, Grasp, GraspRequest

ROTATION_WEIGHT_M = 0.05  # metres that one radian of error is worth
YAW_WEIGHT_M = 0.002  # metres that one radian away from the first choice is worth
TRIED_RAD, TRIED_WEIGHT_M = 0.1, 0.004  # metres that a direction loses when it has failed before


@dataclass(frozen=True)
class GraspConfig:
    """How the hand comes in."""

    pitch_deg: float = 38.0  # of the approach below the horizontal
    standoff_m: float = 0.09  # of the point before the grasp, along the approach
    iterations: int = 60


def tool_rotation(yaw_rad: float, pitch_rad: float) -> Array:
    """[3, 3] tool frame in base: x along the approach, fingers level."""
    return np.asarray(Rotation.from_euler("ZY", [yaw_rad, pitch_rad]).as_matrix())


class GraspPlanner:
    """Stage `GraspRequest -> Grasp`: the direction whose standoff, grasp and lift the arm reaches best."""

    def __init__(self, spec: RobotSpec, config: GraspConfig | None = None) -> None:
        self._ik = ArmIK(spec)
        assert spec.kinematics is not None
        self._ready = spec.kinematics.ready_rad
        self._arms = spec.kinematics.arms
        self._chain = {hand: self._ik.chain(hand) for hand in spec.hands}
        self.config = config or GraspConfig()

    def __call__(self, request: GraspRequest) -> Grasp:
        # What a direction costs before any arm moves is the least it can cost: the cheapest are tried first, and who
        # can no longer win is not tried at all. The answer is that of trying all.
        least = sorted(
            (self._overlap_m(request, yaw) + _preference_m(request, yaw), i, yaw)
            for i, yaw in enumerate(request.yaws_rad)
        )
        best: tuple[float, int, Grasp] | None = None
        for floor_m, i, yaw in least:
            if best is not None and floor_m > best[0]:
                break
            grasp = self._try(request, yaw)
            cost = grasp.error_m + floor_m
            if best is None or (cost, i) < best[:2]:
                best = cost, i, grasp
        if best is None:
            raise ValueError("a grasp request needs at least one direction")
        return best[2]

    def _overlap_m(self, request: GraspRequest, yaw: float) -> float:
        """How deep the hand, coming in from `yaw`, would reach into an obstacle, m; 0 when it is clear of all."""
        if not len(request.obstacles):
            return 0.0
        arm = self._arms[request.hand]
        ahead = np.array([np.cos(yaw), np.sin(yaw)])
        offset = request.obstacles[:, :2] - request.point_in_base[:2]
        behind = -offset @ ahead
        aside = np.abs(offset @ np.array([-ahead[1], ahead[0]]))
        radius = request.obstacles[:, 2]
        nearest = np.clip(behind, -arm.tip_ahead_m, arm.length_m)  # the place on the hand's axis beside the obstacle
        gap = np.hypot(np.maximum(aside - arm.half_width_m, 0.0), behind - nearest) - radius
        rise = np.tan(np.radians(self.config.pitch_deg))
        underside = request.point_in_base[2] - arm.tip_below_m + (np.maximum(behind - radius, 0.0)) * rise
        deep = np.where(underside < request.obstacles[:, 3], np.maximum(-gap, 0.0), 0.0)
        return float(deep.max())

    def _try(self, request: GraspRequest, yaw: float) -> Grasp:
        rotation = tool_rotation(yaw, np.radians(self.config.pitch_deg))
        point, up = request.point_in_base, np.array([0.0, 0.0, 1.0])
        before = point - self.config.standoff_m * rotation[:, 0] + 0.05 * up
        q = request.joints_rad.copy()
        chain = self._chain[request.hand]
        q[chain] = self._ready[chain]
        error, posture = 0.0, q
        for position in (before, point, point + request.lift_m * up):
            solution = self._ik.solve(request.hand, position, rotation, q, iterations=self.config.iterations)
            q = solution.joints_rad
            error = max(error, solution.error_m + ROTATION_WEIGHT_M * solution.error_rad)
            if position is point:
                posture = q
        return Grasp(request.hand, yaw, rotation, posture, error)


def _preference_m(request: GraspRequest, yaw: float) -> float:
    """What a direction loses for being another than the first choice, and for having failed before."""
    tried = any(abs(yaw - other) < TRIED_RAD for other in request.tried_rad)
    return YAW_WEIGHT_M * abs(yaw - request.yaws_rad[0]) + TRIED_WEIGHT_M * tried
