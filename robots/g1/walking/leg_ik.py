"""Inverse kinematics of one leg: damped Newton steps on six joints."""

from __future__ import annotations

import math

import numpy as np

from robots.g1.walking.rotations import about_axis, clip, compiled, product, row
from robots.g1.walking.state import Record
from vla_sim.types import Array

DAMPING, LONGEST_RAD = 1e-6, 0.3


@compiled
def solve_leg(
    tree: Record, side: int, pelvis_r: Array, pelvis_p: Array, foot_r: Array, foot_p: Array, count: int, q: Array
) -> None:
    """Bring the ankle-roll frame to (`foot_r`, `foot_p`) for a pelvis at (`pelvis_r`, `pelvis_p`), all in one frame.

    Changes the leg's joints in `q` [n] in place, within their limits, by `count` steps of at most 0.3 rad.
    """
    scratch, R, x = np.empty((3, 3)), np.empty((7, 3, 3)), np.empty((7, 3))
    J, H, e, g = np.empty((6, 6)), np.empty((6, 6)), np.empty(6), np.empty(6)
    for i in range(3):
        x[0, i] = pelvis_p[i]
        for j in range(3):
            R[0, i, j] = pelvis_r[i, j]
    for _ in range(count):
        for k in range(6):
            joint = tree.leg[side, k]
            product(R[k], tree.rotation[joint], scratch)
            about_axis(scratch, tree.axis[joint], q[joint], R[k + 1])
            for i in range(3):
                x[k + 1, i] = x[k, i] + row(R[k], i, tree.position[joint])
        _pose_error(R[6], x[6], foot_r, foot_p, e)
        for k in range(6):
            axis = tree.axis[tree.leg[side, k]]
            a0, a1, a2 = R[k + 1, 0, axis], R[k + 1, 1, axis], R[k + 1, 2, axis]
            r0, r1, r2 = x[6, 0] - x[k + 1, 0], x[6, 1] - x[k + 1, 1], x[6, 2] - x[k + 1, 2]
            J[0, k], J[1, k], J[2, k] = a1 * r2 - a2 * r1, a2 * r0 - a0 * r2, a0 * r1 - a1 * r0
            J[3, k], J[4, k], J[5, k] = a0, a1, a2
        _least_squares(J, e, H, g)
        longest = 0.0
        for k in range(6):
            longest = max(longest, abs(g[k]))
        scale = LONGEST_RAD / longest if longest > LONGEST_RAD else 1.0
        for k in range(6):
            joint = tree.leg[side, k]
            q[joint] = clip(q[joint] + scale * g[k], tree.lower[joint], tree.upper[joint])


@compiled
def _pose_error(rotation: Array, position: Array, goal_r: Array, goal_p: Array, e: Record) -> None:
    """[6] what is missing: place, then half the sum of the axes' cross products."""
    for i in range(3):
        e[i] = goal_p[i] - position[i]
        e[3 + i] = 0.0
    for c in range(3):
        e[3] += 0.5 * (rotation[1, c] * goal_r[2, c] - rotation[2, c] * goal_r[1, c])
        e[4] += 0.5 * (rotation[2, c] * goal_r[0, c] - rotation[0, c] * goal_r[2, c])
        e[5] += 0.5 * (rotation[0, c] * goal_r[1, c] - rotation[1, c] * goal_r[0, c])


@compiled
def _least_squares(J: Array, e: Record, H: Array, g: Record) -> None:
    """`g` = (J'J + damping)^-1 J'e by Cholesky."""
    for a in range(6):
        total = 0.0
        for c in range(6):
            total += J[c, a] * e[c]
        g[a] = total
        for b in range(a + 1):
            total = 0.0
            for c in range(6):
                total += J[c, a] * J[c, b]
            H[a, b] = total
        H[a, a] += DAMPING
    for a in range(6):
        for b in range(a + 1):
            total = H[a, b]
            for c in range(b):
                total -= H[a, c] * H[b, c]
            H[a, b] = math.sqrt(max(total, 1e-12)) if a == b else total / H[b, b]
    for a in range(6):
        for c in range(a):
            g[a] -= H[a, c] * g[c]
        g[a] /= H[a, a]
    for a in range(5, -1, -1):
        for c in range(a + 1, 6):
            g[a] -= H[c, a] * g[c]
        g[a] /= H[a, a]
