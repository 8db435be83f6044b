"""Inverse kinematics of one arm with the help of the waist: damped least squares over Pinocchio's Jacobians."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pinocchio as pin
from numba import njit
from numpy.typing import NDArray

from vla_sim.kinematics import BodyModel
from vla_sim.spec import RobotSpec
from vla_sim.stages.vectors import clipped, norm
from vla_sim.types import Array

Index = NDArray[np.intp]

DAMPING = 2e-4
STEP_MAX_RAD = 0.2  # of one iteration
WAIST_WEIGHT = 0.25  # how willingly the waist moves, against 1 for the arm
LIMIT_MARGIN_RAD = 0.02
CENTRE_WAIST, PULL_ARM, PULL_WAIST = 0.05, 0.06, 0.1  # null-space gains an iteration


@dataclass(frozen=True)
class IKSolution:
    """Joint angles [n] of the whole robot, and what is left of the error."""

    joints_rad: Array
    error_m: float
    error_rad: float


class ArmIK:
    """Solves tool poses for either arm. Poses are in the base frame, which the legs of the given posture define."""

    def __init__(self, spec: RobotSpec) -> None:
        if spec.kinematics is None:
            raise ValueError(f"robot {spec.name!r} has no kinematic model to reach with")
        k = spec.kinematics
        self.space = k.space
        self.model = BodyModel(k.urdf, spec.joints, k.foot_links, k.sole_m)
        self._tool = {hand: self.model.frame(arm.tool_link) for hand, arm in k.arms.items()}
        self._chain = {
            hand: np.array([spec.joints.index(n) for n in (*arm.joints, *k.waist_joints)], dtype=np.intp)
            for hand, arm in k.arms.items()
        }
        self.arm_size = {hand: len(arm.joints) for hand, arm in k.arms.items()}
        self._limits = {hand: self._chain_limits(spec, hand) for hand in k.arms}

    def _chain_limits(self, spec: RobotSpec, hand: str) -> tuple[Array, Array]:
        assert spec.kinematics is not None
        k = spec.kinematics
        upper = [spec.upper_joints.index(name) for name in k.arms[hand].joints]
        low = np.concatenate((spec.lower_rad[upper] + LIMIT_MARGIN_RAD, k.waist_lower_rad))
        high = np.concatenate((spec.upper_rad[upper] - LIMIT_MARGIN_RAD, k.waist_upper_rad))
        for name, least, most in k.arms[hand].working_rad:
            i = k.arms[hand].joints.index(name)
            low[i], high[i] = max(low[i], least), min(high[i], most)
        return low, high

    def chain(self, hand: str) -> Index:
        """Indices among the robot's joints: the arm from shoulder to wrist, then the waist."""
        return self._chain[hand]

    def tool_in_base(self, hand: str, joints_rad: Array) -> pin.SE3:
        """Pose of a hand's tool for joint angles [n]."""
        self.model.update(joints_rad)
        return self.model.pose_link_in_base(self._tool[hand])

    def tool_positions(self) -> Array:
        """[n_hands, 3] tools in base after an update of `model`, in the order of the specification's hands."""
        return np.array([self.model.pose_link_in_base(frame).translation for frame in self._tool.values()])

    def solve(
        self,
        hand: str,
        position_in_base: Array,
        rotation_in_base: Array,
        joints_rad: Array,
        *,
        iterations: int = 3,
        waist: bool = True,
        posture_rad: Array | None = None,
        tolerance: float = 1e-4,
    ) -> IKSolution:
        """Move the arm (and waist) from `joints_rad` [n] towards a tool pose.

        `posture_rad` [n] is preferred where the task leaves freedom: without it the arm gets stuck at its limits.
        """
        size = self.arm_size[hand]
        chain = self._chain[hand] if waist else self._chain[hand][:size]
        low, high = (limit[: len(chain)] for limit in self._limits[hand])
        weight = np.ones(len(chain))
        weight[size:] = WAIST_WEIGHT
        q = joints_rad.copy()
        self.model.update(q)
        target = self.model.pose_base_in_root * pin.SE3(rotation_in_base, position_in_base)
        for iteration in range(iterations):
            error = self._error(hand, q, target, jacobians=True)
            if np.abs(error).max() < tolerance:
                break
            # The last step is for the tool alone: what the damping lets leak from the pull would stay as an error.
            pull = self._pull(chain, size, weight, q, posture_rad) if iteration < iterations - 1 else None
            step = self._step(hand, chain, weight, error, pull)
            q[chain] = clipped(q[chain] + clipped(weight * step, -STEP_MAX_RAD, STEP_MAX_RAD), low, high)
        error = self._error(hand, q, target)
        return IKSolution(q, norm(error[:3]), norm(error[3:]))

    def _error(self, hand: str, q: Array, target: pin.SE3, jacobians: bool = False) -> Array:
        model, data, frame = self.model.model, self.model.data, self._tool[hand]
        if jacobians:
            pin.computeJointJacobians(model, data, self.model.full(q))
        else:
            pin.forwardKinematics(model, data, self.model.full(q))
        pin.updateFramePlacement(model, data, frame)
        return pin.log6(data.oMf[frame].actInv(target)).vector

    def _step(self, hand: str, chain: Index, weight: Array, error: Array, pull: Array | None) -> Array:
        jacobian = pin.getFrameJacobian(self.model.model, self.model.data, self._tool[hand], pin.LOCAL)
        pull = np.zeros(len(chain)) if pull is None else pull
        return np.asarray(damped_step(jacobian, self.model.index[chain], weight, error, pull))

    @staticmethod
    def _pull(chain: Index, size: int, weight: Array, q: Array, posture: Array | None) -> Array:
        """Where the free motions are drawn: to a posture, or the waist to its middle."""
        pull = np.zeros(len(chain))
        if posture is None:
            pull[size:] = -CENTRE_WAIST * q[chain[size:]] / weight[size:]
        else:
            pull[:size] = PULL_ARM * (posture[chain[:size]] - q[chain[:size]])
            pull[size:] = PULL_WAIST * (posture[chain[size:]] - q[chain[size:]]) / weight[size:]
        return pull


@njit(cache=True, error_model="numpy")
def damped_step(jacobian: Array, columns: Index, weight: Array, error: Array, pull: Array) -> Array:
    """[k] the step s of least |J s - error|² + DAMPING |s - pull|², with J [6, k] the weighted `columns` of `jacobian`.

    Damped towards the pull instead of towards rest: what the task asks for goes before, the pull has what is left.
    """
    size = len(columns)
    weighted = np.empty((6, size))
    for i in range(6):
        for k in range(size):
            weighted[i, k] = jacobian[i, columns[k]] * weight[k]
    square = weighted @ weighted.T
    for i in range(6):
        square[i, i] += DAMPING
    return pull + weighted.T @ np.linalg.solve(square, error - weighted @ pull)
