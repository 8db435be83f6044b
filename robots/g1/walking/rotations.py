"""Small arithmetic for compiled code: angles, rotations, 3 x 3 products. Results go into the last argument."""

from __future__ import annotations

import math
from typing import Any

import numba as nb

from vla_sim.types import Array

compiled: Any = nb.njit  # its own types say nothing of what it makes


@compiled
def wrap(angle: float) -> float:
    """The same angle in -pi...pi."""
    return (angle + math.pi) % (2.0 * math.pi) - math.pi


@compiled
def clip(value: float, lower: float, upper: float) -> float:
    """The value held within lower...upper."""
    return lower if value < lower else (upper if value > upper else value)


@compiled
def turn(angle: float, x: float, y: float) -> tuple[float, float]:
    """A plane vector turned by `angle`."""
    c, s = math.cos(angle), math.sin(angle)
    return c * x - s * y, s * x + c * y


@compiled
def smooth(part: float) -> float:
    """0 to 1 over 0...1 without speed or acceleration at the ends."""
    a = clip(part, 0.0, 1.0)
    return a * a * a * (10.0 + a * (-15.0 + 6.0 * a))


@compiled
def product(a: Array, b: Array, out: Array) -> None:
    """Of two [3, 3]; `out` is neither."""
    for i in range(3):
        for j in range(3):
            out[i, j] = a[i, 0] * b[0, j] + a[i, 1] * b[1, j] + a[i, 2] * b[2, j]


@compiled
def about_axis(rotation: Array, axis: int, angle: float, out: Array) -> None:
    """`rotation` times a turn about its own coordinate axis 0...2."""
    c, s = math.cos(angle), math.sin(angle)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    for k in range(3):
        a, b = rotation[k, i], rotation[k, j]
        out[k, axis] = rotation[k, axis]
        out[k, i] = a * c + b * s
        out[k, j] = b * c - a * s


@compiled
def about_z(angle: float, out: Array) -> None:
    """A turn about z into [3, 3]."""
    c, s = math.cos(angle), math.sin(angle)
    out[0, 0], out[0, 1], out[0, 2] = c, -s, 0.0
    out[1, 0], out[1, 1], out[1, 2] = s, c, 0.0
    out[2, 0], out[2, 1], out[2, 2] = 0.0, 0.0, 1.0


@compiled
def rotate_by(rotation: Array, x: float, y: float, z: float, scratch: Array) -> None:
    """Turn [3, 3] in place by a rotation vector in its own axes."""
    angle = math.sqrt(x * x + y * y + z * z) + 1e-12
    s, k = math.sin(angle) / angle, (1.0 - math.cos(angle)) / (angle * angle)
    for i in range(3):
        a, b, c = rotation[i, 0], rotation[i, 1], rotation[i, 2]
        scratch[i, 0] = a * (1 - k * (y * y + z * z)) + b * (k * x * y + s * z) + c * (k * x * z - s * y)
        scratch[i, 1] = a * (k * x * y - s * z) + b * (1 - k * (x * x + z * z)) + c * (k * y * z + s * x)
        scratch[i, 2] = a * (k * x * z + s * y) + b * (k * y * z - s * x) + c * (1 - k * (x * x + y * y))
    for i in range(3):
        for j in range(3):
            rotation[i, j] = scratch[i, j]


@compiled
def from_quaternion(q: Array, out: Array) -> None:
    """[4] x y z w into [3, 3]."""
    x, y, z, w = q[0], q[1], q[2], q[3]
    out[0, 0], out[0, 1], out[0, 2] = 1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)
    out[1, 0], out[1, 1], out[1, 2] = 2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)
    out[2, 0], out[2, 1], out[2, 2] = 2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)


@compiled
def row(rotation: Array, i: int, v: Array) -> float:
    """Component i of rotation times [3]."""
    return rotation[i, 0] * v[0] + rotation[i, 1] * v[1] + rotation[i, 2] * v[2]


@compiled
def column(rotation: Array, i: int, v: Array) -> float:
    """Component i of the transposed rotation times [3]."""
    return rotation[0, i] * v[0] + rotation[1, i] * v[1] + rotation[2, i] * v[2]


@compiled
def cross(a: Array, b: Array) -> tuple[float, float, float]:
    """Cross product of two [3]."""
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]
