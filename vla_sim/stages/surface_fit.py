"""Where a body of known shape and size lies, from points on the part of its surface that was seen. Lengths m."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from vla_sim.types import Array

STEPS_MAX, POINTS_MAX = 6, 240
SETTLED_M = 5e-5  # a smaller step ends the fit
OUTLIER_M = 0.004  # residuals beyond it count less and less
PRIOR_M, PRIOR_RAD = 0.010, 0.20  # how far the first guess may be off; holds what no point constrains
NOISE_M = 0.0015
NUDGE_M, NUDGE_RAD = 1e-4, 1e-3
BOX, CYLINDER, SPHERE = 0, 1, 2
KINDS = {"box": BOX, "cylinder": CYLINDER, "sphere": SPHERE}
Body = tuple[int, float, float, bool]  # a `Surface` for compiled code: kind, radius m, half height m, lying


@dataclass(frozen=True)
class Surface:
    """A box with a square base, a cylinder or a sphere; `lying` turns its axis from z to x."""

    kind: str  # box | cylinder | sphere
    radius_m: float  # half the edge of the base
    half_height_m: float
    lying: bool = False

    def distance_m(self, points: Array, centre: Array, yaw: float) -> Array:
        """[n] signed distance of points [n, 3]: negative inside, a lower bound outside edges."""
        found = np.empty(len(points))
        distances(self.body, points, np.array([*centre, yaw]), found)
        return found

    @property
    def body(self) -> Body:
        """The same, for compiled code."""
        return KINDS[self.kind], self.radius_m, self.half_height_m, self.lying

    def silhouette_m2(self, sight: Array, yaw: float) -> float:
        """Area it covers across the line of sight [3] from the camera to its centre."""
        sight = sight / np.linalg.norm(sight)
        if self.kind == "sphere":
            return float(np.pi * self.radius_m**2)
        turned = np.array(
            [sight[0] * np.cos(yaw) + sight[1] * np.sin(yaw), sight[1] * np.cos(yaw) - sight[0] * np.sin(yaw), sight[2]]
        )
        side, edge = 2 * self.half_height_m, 2 * self.radius_m
        if self.kind == "box":
            return float(edge**2 * abs(turned[2]) + edge * side * (abs(turned[0]) + abs(turned[1])))
        along = abs(turned[0] if self.lying else turned[2])
        return float(np.pi * self.radius_m**2 * along + edge * side * np.sqrt(1 - along**2))

    @property
    def free(self) -> int:
        """How many of x, y, z, yaw can be told from its surface."""
        return 4 if self.kind == "box" or self.lying else 3


def fit_surface(surface: Surface, points: Array, centre: Array, yaw: float) -> tuple[Array, float, float]:
    """Gauss-Newton from a first guess. Returns centre [3], yaw (rad) and the root mean square residual, m."""
    points = points[:: 1 + (len(points) - 1) // POINTS_MAX].copy()
    start = np.array([*centre, yaw])
    pose = start.copy()
    free = surface.free
    prior = np.array([PRIOR_M, PRIOR_M, PRIOR_M, PRIOR_RAD])[:free] / NOISE_M
    matrix, right = np.empty((free, free)), np.empty(free)
    for _ in range(STEPS_MAX):
        normal_equations(surface.body, points, pose, matrix, right)
        step = np.linalg.solve(matrix + np.diag(prior**-2), right + (pose - start)[:free] / prior**2)
        pose[:free] -= step
        if np.abs(step[:3]).max() < SETTLED_M:
            break
    residual = surface.distance_m(points, pose[:3], pose[3])
    misfit = float(np.sqrt(np.mean(np.minimum(np.abs(residual), 4 * OUTLIER_M) ** 2)))
    return pose[:3], float(pose[3]), misfit


@njit(cache=True, error_model="numpy")
def distance(body: Body, x: float, y: float, z: float, cos: float, sin: float) -> float:
    """Signed distance of a point (x, y, z) from the centre of a body whose yaw has this cosine and sine."""
    kind, radius, half_height, lying = body
    if kind == SPHERE:
        return math.sqrt(x * x + y * y + z * z) - radius
    ahead, left = x * cos + y * sin, y * cos - x * sin
    along, a, b = (ahead, left, z) if lying else (z, ahead, left)
    across = max(abs(a), abs(b)) if kind == BOX else math.sqrt(a * a + b * b)
    return max(across - radius, abs(along) - half_height)


@njit(cache=True, error_model="numpy")
def distances(body: Body, points: Array, pose: Array, found: Array) -> None:
    """Write the signed distances of points [n, 3] to a body at `pose` [4] (centre, yaw) into `found` [n]."""
    cos, sin = math.cos(pose[3]), math.sin(pose[3])
    for i in range(points.shape[0]):
        found[i] = distance(body, points[i, 0] - pose[0], points[i, 1] - pose[1], points[i, 2] - pose[2], cos, sin)


@njit(cache=True, error_model="numpy")
def normal_equations(body: Body, points: Array, pose: Array, matrix: Array, right: Array) -> None:
    """Write J'WJ and J'Wr of the distances r of points [n, 3] into `matrix` [k, k] and `right` [k].

    J are the slopes with the first k of `pose` [4]; W lets distances beyond OUTLIER_M count less and less.
    """
    free = right.shape[0]
    cos, sin = math.cos(pose[3]), math.sin(pose[3])
    cos_nudged, sin_nudged = math.cos(pose[3] + NUDGE_RAD), math.sin(pose[3] + NUDGE_RAD)
    slope = np.zeros(4)
    matrix[:], right[:] = 0.0, 0.0
    for n in range(points.shape[0]):
        x, y, z = points[n, 0] - pose[0], points[n, 1] - pose[1], points[n, 2] - pose[2]
        residual = distance(body, x, y, z, cos, sin)
        slope[0] = (distance(body, x - NUDGE_M, y, z, cos, sin) - residual) / NUDGE_M
        slope[1] = (distance(body, x, y - NUDGE_M, z, cos, sin) - residual) / NUDGE_M
        slope[2] = (distance(body, x, y, z - NUDGE_M, cos, sin) - residual) / NUDGE_M
        slope[3] = (distance(body, x, y, z, cos_nudged, sin_nudged) - residual) / NUDGE_RAD
        weight = 1.0 / (1.0 + (residual / OUTLIER_M) ** 2)
        for i in range(free):
            right[i] += weight * slope[i] * residual
            for j in range(free):
                matrix[i, j] += weight * slope[i] * slope[j]
