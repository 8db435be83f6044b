"""Where a body of known shape and size lies, from points on the part of its surface that was seen. Lengths m."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vla_sim.types import Array

STEPS_MAX, POINTS_MAX = 6, 240
SETTLED_M = 5e-5  # a smaller step ends the fit
OUTLIER_M = 0.004  # residuals beyond it count less and less
PRIOR_M, PRIOR_RAD = 0.010, 0.20  # how far the first guess may be off; holds what no point constrains
NOISE_M = 0.0015
NUDGE_M, NUDGE_RAD = 1e-4, 1e-3


@dataclass(frozen=True)
class Surface:
    """A box with a square base, a cylinder or a sphere; `lying` turns its axis from z to x."""

    kind: str  # box | cylinder | sphere
    radius_m: float  # half the edge of the base
    half_height_m: float
    lying: bool = False

    def distance_m(self, points: Array, centre: Array, yaw: float) -> Array:
        """[n] signed distance of points [n, 3]: negative inside, a lower bound outside edges."""
        q = points - centre
        if self.kind == "sphere":
            return np.asarray(np.sqrt(np.einsum("ij,ij->i", q, q)) - self.radius_m)
        x = q[:, 0] * np.cos(yaw) + q[:, 1] * np.sin(yaw)
        y = q[:, 1] * np.cos(yaw) - q[:, 0] * np.sin(yaw)
        along, a, b = (x, y, q[:, 2]) if self.lying else (q[:, 2], x, y)
        across = np.maximum(np.abs(a), np.abs(b)) if self.kind == "box" else np.sqrt(a * a + b * b)
        return np.asarray(np.maximum(across - self.radius_m, np.abs(along) - self.half_height_m))

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
    points = points[:: 1 + (len(points) - 1) // POINTS_MAX]
    start = np.array([*centre, yaw])
    pose = start.copy()
    free = surface.free
    nudges = np.array([NUDGE_M, NUDGE_M, NUDGE_M, NUDGE_RAD])[:free]
    prior = np.array([PRIOR_M, PRIOR_M, PRIOR_M, PRIOR_RAD])[:free] / NOISE_M
    for _ in range(STEPS_MAX):
        residual = surface.distance_m(points, pose[:3], pose[3])
        jacobian = np.empty((len(points), free))
        for i in range(free):
            nudged = pose.copy()
            nudged[i] += nudges[i]
            jacobian[:, i] = (surface.distance_m(points, nudged[:3], nudged[3]) - residual) / nudges[i]
        weighted = jacobian / (1 + (residual / OUTLIER_M) ** 2)[:, None]
        normal = weighted.T @ jacobian + np.diag(prior**-2)
        step = np.linalg.solve(normal, weighted.T @ residual + (pose - start)[:free] / prior**2)
        pose[:free] -= step
        if np.abs(step[:3]).max() < SETTLED_M:
            break
    residual = surface.distance_m(points, pose[:3], pose[3])
    misfit = float(np.sqrt(np.mean(np.minimum(np.abs(residual), 4 * OUTLIER_M) ** 2)))
    return pose[:3], float(pose[3]), misfit
