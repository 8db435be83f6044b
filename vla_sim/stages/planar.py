"""Places on the floor: [3] arrays of x m, y m, yaw rad, composed as rigid motions of the plane."""

from __future__ import annotations

import math

import numpy as np

from vla_sim.types import Array


def compose(outer: Array, inner: Array) -> Array:
    """[3] where `inner`, given in the frame `outer`, lies in the frame of `outer`."""
    return np.array([*apply(outer, inner[:2]), wrap(float(outer[2] + inner[2]))])


def inverse(pose: Array) -> Array:
    """[3] the frame as seen from `pose`."""
    cos, sin = math.cos(pose[2]), math.sin(pose[2])
    return np.array([-cos * pose[0] - sin * pose[1], sin * pose[0] - cos * pose[1], -pose[2]])


def apply(pose: Array, point: Array) -> Array:
    """[2] a point given in `pose`'s frame, in the frame of `pose`."""
    cos, sin = math.cos(pose[2]), math.sin(pose[2])
    return np.array([pose[0] + cos * point[0] - sin * point[1], pose[1] + sin * point[0] + cos * point[1]])


def seen_from(pose: Array, other: Array) -> Array:
    """[3] `other` in the frame at `pose`, both given in the same frame."""
    return compose(inverse(pose), other)


def moved(pose: Array, points: Array) -> Array:
    """[n, 2 or 3] points of the frame at `pose` in the frame around it; heights stay."""
    cos, sin = math.cos(pose[2]), math.sin(pose[2])
    out = np.array(points, dtype=np.float64)
    out[:, 0] = pose[0] + cos * points[:, 0] - sin * points[:, 1]
    out[:, 1] = pose[1] + sin * points[:, 0] + cos * points[:, 1]
    return out


def rotate(angle_rad: float, vector: Array) -> Array:
    """[2] a vector turned."""
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    return np.array([cos * vector[0] - sin * vector[1], sin * vector[0] + cos * vector[1]])


def of_pose(pose: Array) -> Array:
    """[3] of a homogeneous pose [4, 4]: its place on the floor and its heading; height and tilt are left out."""
    return np.array([pose[0, 3], pose[1, 3], math.atan2(pose[1, 0], pose[0, 0])])


def wrap(angle_rad: float) -> float:
    """The same angle within -pi...pi."""
    return float((angle_rad + math.pi) % (2 * math.pi) - math.pi)
