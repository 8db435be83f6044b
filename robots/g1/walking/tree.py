"""The kinematic tree as plain arrays, and its forward kinematics in compiled code. Pinocchio only reads the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pinocchio as pin

from robots.g1 import model as g1
from robots.g1.walking.rotations import about_axis, compiled, product, row
from robots.g1.walking.state import Record, Records, model_dtype
from vla_sim.errors import ConfigError
from vla_sim.types import Array

AXES = {"X": 0, "Y": 1, "Z": 2}
LEG_PARTS = ("hip_pitch", "hip_roll", "hip_yaw", "knee", "ankle_pitch", "ankle_roll")
SOLE_MIDDLE = (0.035, 0.0, -g1.SOLE_M)  # in the ankle-roll frame
SOLE_SIZE = (0.18, 0.062)
IMU_FRAME = "imu_in_pelvis"


def read_tree(urdf: Path, joints: tuple[str, ...]) -> Records:
    """[1] the tree of exactly `joints` in that order (see `state.model_dtype`); other joints are locked at zero."""
    whole = pin.buildModelFromUrdf(str(urdf), pin.JointModelFreeFlyer())
    missing = [name for name in joints if not whole.existJointName(name)]
    if missing:
        raise ConfigError("walker", f"{urdf.name} has no joint {missing[0]!r}")
    locked = [whole.getJointId(n) for n in list(whole.names)[2:] if n not in joints]
    reduced = pin.buildReducedModel(whole, locked, pin.neutral(whole))
    if tuple(reduced.names)[2:] != tuple(joints):
        raise ConfigError("walker", "the joints are not in the order of the model's tree", "parents come first")
    n = len(joints)
    record = np.zeros(1, model_dtype(n))
    tree = record[0]
    for j in range(n):
        kind = reduced.joints[j + 2].shortname()
        if kind[:-1] != "JointModelR" or kind[-1] not in AXES:
            raise ConfigError("walker", f"{joints[j]} is a {kind}, not a turn about x, y or z")
        placement = reduced.jointPlacements[j + 2]
        tree["parent"][j] = reduced.parents[j + 2] - 1
        tree["rotation"][j], tree["position"][j] = placement.rotation, placement.translation
        tree["axis"][j] = AXES[kind[-1]]
    for body in range(n + 1):
        tree["mass"][body], tree["lever"][body] = reduced.inertias[body + 1].mass, reduced.inertias[body + 1].lever
    tree["lower"][:], tree["upper"][:] = reduced.lowerPositionLimit[7:], reduced.upperPositionLimit[7:]
    for side, hand in enumerate(g1.HANDS):
        tree["leg"][side] = [joints.index(f"{hand}_{part}_joint") for part in LEG_PARTS]
        tree["foot"][side] = tree["leg"][side][5] + 1
    tree["sole"][:], tree["sole_size"][:] = SOLE_MIDDLE, SOLE_SIZE
    tree["imu"][:] = whole.frames[whole.getFrameId(IMU_FRAME)].placement.translation
    return record


@compiled
def forward(
    tree: Record, q: Array, dq: Array, rotation: Array, omega: Array, work: Record, com: Array, com_v: Array
) -> None:
    """Place and speed of every body, and the centre of mass, with the pelvis' origin at rest in zero.

    `rotation` [3, 3] and `omega` [3] are the pelvis' in the world; results are in world axes, relative to the pelvis.
    """
    X, P, V, W = work.rotation, work.position, work.velocity, work.omega
    scratch = np.empty((3, 3))
    total = 0.0
    for i in range(3):
        com[i], com_v[i], P[0, i], V[0, i], W[0, i] = 0.0, 0.0, 0.0, 0.0, omega[i]
        for j in range(3):
            X[0, i, j] = rotation[i, j]
    for body in range(q.shape[0] + 1):
        if body > 0:
            j, b = body - 1, tree.parent[body - 1]
            product(X[b], tree.rotation[j], scratch)
            about_axis(scratch, tree.axis[j], q[j], X[body])
            rx, ry, rz = row(X[b], 0, tree.position[j]), row(X[b], 1, tree.position[j]), row(X[b], 2, tree.position[j])
            P[body, 0], P[body, 1], P[body, 2] = P[b, 0] + rx, P[b, 1] + ry, P[b, 2] + rz
            w = W[b]
            V[body, 0] = V[b, 0] + w[1] * rz - w[2] * ry
            V[body, 1] = V[b, 1] + w[2] * rx - w[0] * rz
            V[body, 2] = V[b, 2] + w[0] * ry - w[1] * rx
            for i in range(3):
                W[body, i] = w[i] + X[body, i, tree.axis[j]] * dq[j]
        lever, mass, w = tree.lever[body], tree.mass[body], W[body]
        rx, ry, rz = row(X[body], 0, lever), row(X[body], 1, lever), row(X[body], 2, lever)
        total += mass
        com[0] += mass * (P[body, 0] + rx)
        com[1] += mass * (P[body, 1] + ry)
        com[2] += mass * (P[body, 2] + rz)
        com_v[0] += mass * (V[body, 0] + w[1] * rz - w[2] * ry)
        com_v[1] += mass * (V[body, 1] + w[2] * rx - w[0] * rz)
        com_v[2] += mass * (V[body, 2] + w[0] * ry - w[1] * rx)
    for i in range(3):
        com[i] /= total
        com_v[i] /= total


@compiled
def centre_of_mass(tree: Record, q: Array, rotation: Array, work: Record, com: Array) -> None:
    """[3] centre of mass relative to the pelvis, world axes; `forward` without speeds."""
    X, P = work.rotation, work.position
    scratch = np.empty((3, 3))
    total = 0.0
    for i in range(3):
        com[i], P[0, i] = 0.0, 0.0
        for j in range(3):
            X[0, i, j] = rotation[i, j]
    for body in range(q.shape[0] + 1):
        if body > 0:
            j, b = body - 1, tree.parent[body - 1]
            product(X[b], tree.rotation[j], scratch)
            about_axis(scratch, tree.axis[j], q[j], X[body])
            for i in range(3):
                P[body, i] = P[b, i] + row(X[b], i, tree.position[j])
        mass = tree.mass[body]
        total += mass
        for i in range(3):
            com[i] += mass * (P[body, i] + row(X[body], i, tree.lever[body]))
    for i in range(3):
        com[i] /= total


@compiled
def sole_velocity(tree: Record, work: Record, side: int) -> tuple[float, float, float]:
    """Of the sole's middle after `forward`."""
    body = tree.foot[side]
    X, V, w = work.rotation[body], work.velocity[body], work.omega[body]
    rx, ry, rz = row(X, 0, tree.sole), row(X, 1, tree.sole), row(X, 2, tree.sole)
    return V[0] + w[1] * rz - w[2] * ry, V[1] + w[2] * rx - w[0] * rz, V[2] + w[0] * ry - w[1] * rx
