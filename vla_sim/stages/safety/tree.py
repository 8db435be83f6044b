"""The joint tree as plain arrays, so that a compiled loop places it: a tick has no time for one call a link."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pinocchio as pin
from numba import njit
from numpy.typing import NDArray

from vla_sim.types import Array

Index = NDArray[np.intp]
Buffer = NDArray[Any]


@dataclass(frozen=True)
class JointTree:
    """Joints in an order in which parents come first; number 0 is the root and does not move.

    A joint that none of the names given to `load` drives (a finger) stays at zero.
    """

    parents: Index  # [j]
    places: Array  # [j, 3, 4] of each joint in its parent at angle zero
    axes: Array  # [j, 3] unit vector in the joint's own frame
    slides: NDArray[np.bool_]  # [j] true for a prismatic joint
    source: Index  # [j] which of the named joints drives it, -1 = none

    @property
    def size(self) -> int:
        """Number of joints, the root among them."""
        return len(self.parents)

    def movers(self, joint: int) -> frozenset[int]:
        """The named joints that move what is fixed to a joint."""
        found = set()
        while joint > 0:
            found.add(int(self.source[joint]))
            joint = int(self.parents[joint])
        return frozenset(found - {-1})


def load(urdf: Path, joints: tuple[str, ...], links: tuple[str, ...]) -> tuple[JointTree, Index, Array]:
    """The tree of a URDF driven by named joints, and of each link its joint [k] and its place on it [k, 3, 4].

    Raises ValueError for a joint or link the model does not have.
    """
    model = pin.buildModelFromUrdf(str(urdf))
    data = model.createData()
    source = np.full(model.njoints, -1, dtype=np.intp)
    for i, name in enumerate(joints):
        if not model.existJointName(name):
            raise ValueError(f"{urdf.name} has no joint {name!r}")
        source[model.getJointId(name)] = i
    subspaces = [_subspace(model, data, j) for j in range(1, model.njoints)]
    axes = np.array([np.zeros(3), *(s[:3] + s[3:] for s in subspaces)])
    slides = np.array([False, *(bool(s[:3].any()) for s in subspaces)])  # linear part first
    places = np.array([place.homogeneous[:3] for place in model.jointPlacements])
    parents = np.array(list(model.parents), dtype=np.intp)
    missing = [link for link in links if not model.existFrame(link)]
    if missing:
        raise ValueError(f"{urdf.name} has no link {missing[0]!r}")
    frames = [model.frames[model.getFrameId(link)] for link in links]
    on = np.array([frame.parentJoint for frame in frames], dtype=np.intp)
    return (
        JointTree(parents, places, axes, slides, source),
        on,
        np.array([frame.placement.homogeneous[:3] for frame in frames]).reshape(-1, 3, 4),
    )


def _subspace(model: pin.Model, data: pin.Data, joint: int) -> Array:
    """[6] direction in which a joint of one degree of freedom moves, linear before angular."""
    pin.computeJointJacobians(model, data, pin.neutral(model))
    local = pin.getJointJacobian(model, data, joint, pin.LOCAL)
    return np.array(local[:, model.joints[joint].idx_v])


@njit(cache=True, error_model="numpy")
def place_joints(
    parents: Index, places: Array, axes: Array, slides: Buffer, source: Index, angles: Array, poses: Array
) -> None:
    """Write the pose of every joint in the root, [j, 3, 4], for named joints at `angles` [n]."""
    for j in range(parents.shape[0]):
        angle = angles[source[j]] if source[j] >= 0 else 0.0
        x, y, z = axes[j, 0], axes[j, 1], axes[j, 2]
        cos, sin = (1.0, 0.0) if slides[j] else (np.cos(angle), np.sin(angle))
        way = angle if slides[j] else 0.0
        rest = 1.0 - cos
        turn = (
            (cos + x * x * rest, x * y * rest - z * sin, x * z * rest + y * sin),
            (y * x * rest + z * sin, cos + y * y * rest, y * z * rest - x * sin),
            (z * x * rest - y * sin, z * y * rest + x * sin, cos + z * z * rest),
        )
        shift = (x * way, y * way, z * way)
        for r in range(3):
            p0, p1, p2, p3 = places[j, r, 0], places[j, r, 1], places[j, r, 2], places[j, r, 3]
            if j > 0:
                up = poses[parents[j]]
                a, b, c = up[r, 0], up[r, 1], up[r, 2]
                own = places[j]
                p0 = a * own[0, 0] + b * own[1, 0] + c * own[2, 0]
                p1 = a * own[0, 1] + b * own[1, 1] + c * own[2, 1]
                p2 = a * own[0, 2] + b * own[1, 2] + c * own[2, 2]
                p3 = a * own[0, 3] + b * own[1, 3] + c * own[2, 3] + up[r, 3]
            poses[j, r, 0] = p0 * turn[0][0] + p1 * turn[1][0] + p2 * turn[2][0]
            poses[j, r, 1] = p0 * turn[0][1] + p1 * turn[1][1] + p2 * turn[2][1]
            poses[j, r, 2] = p0 * turn[0][2] + p1 * turn[1][2] + p2 * turn[2][2]
            poses[j, r, 3] = p0 * shift[0] + p1 * shift[1] + p2 * shift[2] + p3
