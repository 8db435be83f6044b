"""Poses on the floor: [3] x m, y m, yaw rad, as chains of frames."""

from __future__ import annotations

import math

import numpy as np

from vla_sim.types import Array


def wrap(angle_rad: float) -> float:
    """The same angle in [-pi, pi)."""
    return (angle_rad + math.pi) % (2.0 * math.pi) - math.pi


def planar(pose: Array) -> Array:
    """[3] x, y, yaw of a [4, 4] pose that stands upright."""
    return np.array([pose[0, 3], pose[1, 3], math.atan2(pose[1, 0], pose[0, 0])])


def compose(outer: Array, inner: Array) -> Array:
    """[3] the pose `inner`, given in the frame that lies at `outer`."""
    c, s = math.cos(outer[2]), math.sin(outer[2])
    x, y = float(inner[0]), float(inner[1])
    return np.array([outer[0] + c * x - s * y, outer[1] + s * x + c * y, wrap(outer[2] + inner[2])])


def inverse(pose: Array) -> Array:
    """[3] the outer frame as seen from the one at `pose`."""
    c, s = math.cos(pose[2]), math.sin(pose[2])
    return np.array([-c * pose[0] - s * pose[1], s * pose[0] - c * pose[1], wrap(-pose[2])])


def seen_from(pose: Array, other: Array) -> Array:
    """[3] `other` in the frame at `pose`, both given in the same frame."""
    return compose(inverse(pose), other)


def turned(yaw_rad: float, vector: Array) -> Array:
    """[2] a direction of a frame at `yaw_rad` in the frame around it."""
    c, s = math.cos(yaw_rad), math.sin(yaw_rad)
    return np.array([c * vector[0] - s * vector[1], s * vector[0] + c * vector[1]])


def moved(pose: Array, points: Array) -> Array:
    """[n, 2 or 3] points of the frame at `pose` in the frame around it; heights stay."""
    c, s = math.cos(pose[2]), math.sin(pose[2])
    out = np.array(points, dtype=np.float64)
    out[:, 0] = pose[0] + c * points[:, 0] - s * points[:, 1]
    out[:, 1] = pose[1] + s * points[:, 0] + c * points[:, 1]
    return out
