"""Distances between capsules, compiled. A capsule is all within a radius of a segment."""

from __future__ import annotations

import math
from typing import Any

from numba import njit
from numpy.typing import NDArray

from vla_sim.types import Array

Buffer = NDArray[Any]


@njit(cache=True, error_model="numpy")
def segment_distance(p: Array, q: Array, r: Array, s: Array) -> float:
    """Distance m between the segments p-q and r-s, [3] each; either may be a point.

    After Ericson, Real-Time Collision Detection (2005), 5.1.9.
    """
    ux, uy, uz = q[0] - p[0], q[1] - p[1], q[2] - p[2]
    vx, vy, vz = s[0] - r[0], s[1] - r[1], s[2] - r[2]
    wx, wy, wz = p[0] - r[0], p[1] - r[1], p[2] - r[2]
    uu, vv = ux * ux + uy * uy + uz * uz, vx * vx + vy * vy + vz * vz
    uv = ux * vx + uy * vy + uz * vz
    uw, vw = ux * wx + uy * wy + uz * wz, vx * wx + vy * wy + vz * wz
    a = b = 0.0
    if uu > 0.0:
        across = uu * vv - uv * uv
        a = min(1.0, max(0.0, (uv * vw - uw * vv) / across)) if across > 1e-15 * uu * vv else 0.0
    if vv > 0.0:
        b = (uv * a + vw) / vv
        if b < 0.0 or b > 1.0:
            b = min(1.0, max(0.0, b))
            a = min(1.0, max(0.0, (uv * b - uw) / uu)) if uu > 0.0 else 0.0
    elif uu > 0.0:
        a = min(1.0, max(0.0, -uw / uu))
    x, y, z = wx + a * ux - b * vx, wy + a * uy - b * vy, wz + a * uz - b * vz
    return math.sqrt(x * x + y * y + z * z)


@njit(cache=True, error_model="numpy")
def place_ends(ends: Array, joint: Buffer, poses: Array, placed: Array) -> None:
    """Bring both ends [k, 2, 3] of each capsule from its joint's frame into the root's, by poses [j, 3, 4]."""
    for k in range(ends.shape[0]):
        pose = poses[joint[k]]
        for e in range(2):
            x, y, z = ends[k, e, 0], ends[k, e, 1], ends[k, e, 2]
            for r in range(3):
                placed[k, e, r] = pose[r, 0] * x + pose[r, 1] * y + pose[r, 2] * z + pose[r, 3]


@njit(cache=True, error_model="numpy")
def pair_distances(pairs: Buffer, ends: Array, radii: Array, distances: Array) -> float:
    """Write the distance m of each pair [m, 2] of capsules, negative where they overlap; returns the smallest."""
    least = math.inf
    for m in range(pairs.shape[0]):
        i, j = pairs[m, 0], pairs[m, 1]
        apart = segment_distance(ends[i, 0], ends[i, 1], ends[j, 0], ends[j, 1]) - radii[i] - radii[j]
        distances[m] = apart
        least = min(least, apart)
    return least
