"""Forward kinematics of a standing humanoid from its own joint angles, in the base frame. Pinocchio does the work."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pinocchio as pin
from numba import njit

from vla_sim.types import Array


class BodyModel:
    """A kinematic tree whose base frame lies on the floor between its flat feet.

    `joints` names the joints of every `q_rad` [n] given to it, in order; joints of the model not among them (fingers)
    stay at zero. One instance is not safe to share between threads: it holds Pinocchio's working memory.
    """

    def __init__(self, urdf: Path, joints: tuple[str, ...], foot_links: tuple[str, str], sole_m: float) -> None:
        self.model = pin.buildModelFromUrdf(str(urdf))
        self.data = self.model.createData()
        missing = [name for name in joints if not self.model.existJointName(name)]
        if missing:
            raise ValueError(f"{urdf.name} has no joint {missing[0]!r}")
        self.index = np.array([self.model.joints[self.model.getJointId(name)].idx_q for name in joints], dtype=np.intp)
        self._feet = tuple(self.frame(name) for name in foot_links)
        self._sole_m = sole_m
        self._q = pin.neutral(self.model)

    def frame(self, link: str) -> int:
        """Pinocchio's id of a link's frame; ValueError when the model has no such link."""
        if not self.model.existFrame(link):
            raise ValueError(f"the model has no link {link!r}")
        return int(self.model.getFrameId(link))

    def full(self, q_rad: Array) -> Array:
        """[nq] configuration of the whole model for joint angles [n]. The array is reused by the next call."""
        self._q[self.index] = q_rad
        return self._q

    def update(self, q_rad: Array) -> None:
        """Place every frame for joint angles [n]; the `pose_*` methods then speak of this posture."""
        pin.framesForwardKinematics(self.model, self.data, self.full(q_rad))
        self._place_base()

    def _place_base(self) -> None:
        left, right = (self.data.oMf[foot].homogeneous for foot in self._feet)
        self.pose_base_in_root = pin.SE3(pose_between_feet(left, right, self._sole_m))
        self._root_in_base = self.pose_base_in_root.inverse()

    def pose_link_in_base(self, frame: int) -> pin.SE3:
        """Pose of a frame (see `frame`) after `update`."""
        return self._root_in_base * self.data.oMf[frame]

    @property
    def pose_root_in_base(self) -> pin.SE3:
        """Pose of the root link (pelvis) after `update`."""
        return self._root_in_base

    def com_in_base(self, q_rad: Array) -> Array:
        """[3] centre of mass, m; also does what `update` does."""
        com_in_root = pin.centerOfMass(self.model, self.data, self.full(q_rad)).copy()
        pin.updateFramePlacements(self.model, self.data)
        self._place_base()
        return self._root_in_base.act(com_in_root)


@njit(cache=True, error_model="numpy")
def pose_between_feet(left: Array, right: Array, sole_m: float) -> Array:
    """[4, 4] of the point on the floor between two feet [4, 4], `sole_m` below them along the mean of their z axes.

    x is the mean of their x axes, made square to z. All in the same frame; no number where the feet are opposed.
    """
    up = left[:3, 2] + right[:3, 2]
    up /= math.sqrt(up[0] * up[0] + up[1] * up[1] + up[2] * up[2])
    ahead = left[:3, 0] + right[:3, 0]
    ahead -= up * (ahead[0] * up[0] + ahead[1] * up[1] + ahead[2] * up[2])
    ahead /= math.sqrt(ahead[0] * ahead[0] + ahead[1] * ahead[1] + ahead[2] * ahead[2])
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 2] = ahead, up
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        pose[i, 1] = up[j] * ahead[k] - up[k] * ahead[j]
        pose[i, 3] = 0.5 * (left[i, 3] + right[i, 3]) - sole_m * up[i]
    return pose
