"""Velocities and polygons: what of a velocity may be kept so that the stopping point stays outside.

Every edge of a polygon is an obstacle of its own. With `n` the direction to its nearest point and D that distance,
the part of the velocity along n is cut to the speed that stops within D less the clearance; the rest, along the edge,
stays. A base that is inside already may only go straight out.
"""

from __future__ import annotations

import math

from numba import njit

from vla_sim.stages.safety.braking import speed_within
from vla_sim.types import Array

SWEEPS = 8  # cuts at one edge may lead towards the next; after these the whole velocity is scaled
NEWTON_STEPS = 6
SLACK = 1e-9  # m/s
ON_EDGE_M = 1e-7  # nearer than this there is no direction to an edge


@njit(cache=True, error_model="numpy")
def inside(corners: Array, x: float, y: float) -> bool:
    """Whether a point lies within a polygon [k, 2]: the even-odd rule."""
    found = False
    k = corners.shape[0]
    for i in range(k):
        x0, y0 = corners[i - 1, 0], corners[i - 1, 1]
        x1, y1 = corners[i, 0], corners[i, 1]
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) / (y1 - y0) * (x1 - x0):
            found = not found
    return found


@njit(cache=True, error_model="numpy")
def to_edge(corners: Array, i: int, x: float, y: float) -> tuple[float, float]:
    """Vector m from a point to the nearest point of the edge that ends in corner `i`."""
    x0, y0 = corners[i - 1, 0], corners[i - 1, 1]
    dx, dy = corners[i, 0] - x0, corners[i, 1] - y0
    squared = dx * dx + dy * dy
    share = ((x - x0) * dx + (y - y0) * dy) / squared if squared > 0.0 else 0.0
    share = min(1.0, max(0.0, share))
    return x0 + share * dx - x, y0 + share * dy - y


@njit(cache=True, error_model="numpy")
def to_border(corners: Array, x: float, y: float) -> tuple[float, float]:
    """Vector m from a point to the nearest point of the polygon's border; infinite for no polygon."""
    best, bx, by = math.inf, math.inf, math.inf
    for i in range(corners.shape[0]):
        ex, ey = to_edge(corners, i, x, y)
        distance = math.hypot(ex, ey)
        if distance < best:
            best, bx, by = distance, ex, ey
    return bx, by


@njit(cache=True, error_model="numpy")
def signed_distance(corners: Array, x: float, y: float) -> float:
    """From a point to a polygon, m; negative inside it."""
    bx, by = to_border(corners, x, y)
    distance = math.hypot(bx, by)
    return -distance if inside(corners, x, y) else distance


@njit(cache=True, error_model="numpy")
def speed_across(distance: float, aside: float, brake: tuple[float, float]) -> float:
    """The speed towards a line that stops within `distance` m of it, while `aside` m/s go along it.

    The base brakes along its whole velocity, so that the faster it goes along the line, the longer it goes across.
    """
    deceleration, reaction = brake
    speed = speed_within(distance, deceleration, reaction)
    if speed == 0.0 or aside == 0.0:
        return speed
    for _ in range(NEWTON_STEPS):  # from above, on a convex function: it comes down to the root and never below
        whole = math.hypot(speed, aside)
        way = speed * (reaction + whole / (2.0 * deceleration))
        slope = reaction + (whole + speed * speed / whole) / (2.0 * deceleration)
        speed = max(0.0, speed - (way - distance) / slope)
    return speed


@njit(cache=True, error_model="numpy")
def keep_out(
    corners: Array, x: float, y: float, vx: float, vy: float, clearance: float, brake: tuple[float, float]
) -> tuple[float, float, float, float]:
    """What is left of a velocity m/s at a point, all in the polygon's frame.

    Returns it, and for the edge it was cut at most the speed towards it that was asked for and the one there may be
    (both 0 when nothing was cut).
    """
    if signed_distance(corners, x, y) < -ON_EDGE_M:
        return _way_out(corners, x, y, vx, vy)
    asked, allowed = 0.0, 0.0
    for i in range(corners.shape[0]):
        towards, limit = _towards(corners, i, x, y, vx, vy, clearance, brake)
        if towards - limit > max(SLACK, asked - allowed):
            asked, allowed = towards, limit
    if asked == 0.0:
        return vx, vy, 0.0, 0.0
    for _ in range(SWEEPS):
        for i in range(corners.shape[0]):
            towards, limit = _towards(corners, i, x, y, vx, vy, clearance, brake)
            if towards > limit:
                nx, ny, _ = _normal(corners, i, x, y)
                vx, vy = vx - (towards - limit) * nx, vy - (towards - limit) * ny
    share = 1.0
    for i in range(corners.shape[0]):
        towards, limit = _towards(corners, i, x, y, vx, vy, clearance, brake)
        if towards - limit > SLACK:
            share = min(share, limit / towards)
    return share * vx, share * vy, asked, allowed


@njit(cache=True, error_model="numpy")
def _normal(corners: Array, i: int, x: float, y: float) -> tuple[float, float, float]:
    """Direction from a point outside to the edge that ends in corner `i`, and the distance m.

    On the edge itself the direction is that into the polygon.
    """
    ex, ey = to_edge(corners, i, x, y)
    distance = math.hypot(ex, ey)
    if distance > ON_EDGE_M:
        return ex / distance, ey / distance, distance
    nx, ny = corners[i - 1, 1] - corners[i, 1], corners[i, 0] - corners[i - 1, 0]
    length = math.hypot(nx, ny)
    if not length > 0.0:
        return 0.0, 0.0, distance
    nx, ny = nx / length, ny / length
    if not inside(corners, x + 2.0 * ON_EDGE_M * nx, y + 2.0 * ON_EDGE_M * ny):
        nx, ny = -nx, -ny
    return nx, ny, distance


@njit(cache=True, error_model="numpy")
def _towards(
    corners: Array, i: int, x: float, y: float, vx: float, vy: float, clearance: float, brake: tuple[float, float]
) -> tuple[float, float]:
    """Speed towards an edge and the one there may be."""
    nx, ny, distance = _normal(corners, i, x, y)
    return vx * nx + vy * ny, speed_across(distance - clearance, abs(vx * ny - vy * nx), brake)


@njit(cache=True, error_model="numpy")
def _way_out(corners: Array, x: float, y: float, vx: float, vy: float) -> tuple[float, float, float, float]:
    bx, by = to_border(corners, x, y)
    distance = math.hypot(bx, by)
    speed = math.hypot(vx, vy)
    out = max(0.0, (vx * bx + vy * by) / distance)
    if speed - out <= SLACK:
        return vx, vy, 0.0, 0.0
    return out * bx / distance, out * by / distance, speed, out


@njit(cache=True, error_model="numpy")
def swing_share(
    corners: Array, x: float, y: float, velocity: tuple[float, float], turning: tuple[float, float], clearance: float,
    brake: tuple[float, float],
) -> tuple[float, float, float]:  # fmt: skip
    """Share of a base's motion that keeps a point it carries outside a polygon; its speed towards it; the one allowed.

    `velocity` m/s is the base's own and `turning` m/s what its turning adds at that point. One does not make up for
    the other: each may be reduced alone afterwards.
    """
    share, asked, allowed = 1.0, 0.0, 0.0
    speed = math.hypot(velocity[0], velocity[1]) + math.hypot(turning[0], turning[1])
    within = inside(corners, x, y)
    for i in range(corners.shape[0]):
        ex, ey = to_border(corners, x, y) if within else to_edge(corners, i, x, y)
        distance = math.hypot(ex, ey)
        if not distance > 0.0:
            continue
        sign = -1.0 if within else 1.0
        towards = max(0.0, sign * (velocity[0] * ex + velocity[1] * ey) / distance)
        towards += max(0.0, sign * (turning[0] * ex + turning[1] * ey) / distance)
        aside = math.sqrt(max(0.0, speed * speed - towards * towards))
        limit = 0.0 if within else speed_across(distance - clearance, aside, brake)
        if towards - limit > SLACK and limit / towards < share:
            share, asked, allowed = limit / towards, towards, limit
    return share, asked, allowed
