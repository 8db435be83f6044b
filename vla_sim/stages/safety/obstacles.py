"""Distance to things: the base walks no faster than it can stop before what the newest scan shows ahead of it.

The base is a disc. Each point of the scan at which the disc would arrive, going straight on in its direction of motion,
leaves a free way; from it, less a margin, follows the speed. The same is asked for the directions it will have turned
to while it reacts and while it brakes. Turning on the spot touches nothing and is left alone, so that a blocked robot
can turn away.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from vla_sim.errors import SpecMismatch
from vla_sim.stages.safety.braking import speed_within, stopping_distance
from vla_sim.stages.safety.config import Braking, ObstacleConfig
from vla_sim.stages.safety.surroundings import Place, Surroundings
from vla_sim.types import Array, Scan

LOOKS = 3  # directions: now, and after turning for one and for two reaction times
Buffer = NDArray[Any]
Box = tuple[float, float, float, float]  # lowest x, y, highest x, y


class Obstacles:
    """What the scans show, kept in odom: each scan is looked through once, however many ticks it is the newest."""

    def __init__(self, config: ObstacleConfig, braking: Braking) -> None:
        self.config, self.braking = config, braking
        self._scan: Scan | None = None
        self._points = np.zeros((0, 3))

    def speed_limit(self, surroundings: Surroundings, place: Place, velocity: Array) -> float:
        """The highest speed m/s at which the base may go the way of `velocity` [3]; infinite when nothing is near."""
        if surroundings.scan is None:
            return math.inf
        points = self._things(surroundings.scan)
        brake, c = self.braking, self.config
        free = speed_along(
            points, (place.x, place.y, place.cos, place.sin), float(velocity[0]), float(velocity[1]),
            float(velocity[2]) * brake.reaction_s, (brake.deceleration_m_s2, brake.reaction_s),
            (brake.radius_m, c.margin_m), (c.docking_radius_m, c.docking_margin_m, c.docking_speed_m_s),
            self._allowed(surroundings), np.array(surroundings.carried_in_base, np.float64, order="C"),
        )  # fmt: skip
        return float(free)

    def _things(self, scan: Scan) -> Array:
        """[k, 3] m in odom: what of the scan is neither floor nor overhead."""
        if scan is not self._scan:
            points, pose = scan.points_in_base, scan.pose_base_in_odom
            if points.ndim != 2 or points.shape[1] != 3 or scan.hit.shape != points.shape[:1]:
                raise SpecMismatch(
                    "scan.points_in_base and scan.hit", "(n, 3) and (n,)", (points.shape, scan.hit.shape)
                )
            if pose.shape != (4, 4):
                raise SpecMismatch("scan.pose_base_in_odom", (4, 4), pose.shape)
            found = np.empty((len(points), 3))
            c = self.config
            # Copies: an array that is a view or may not be written would be another type, and compiled for anew.
            cloud = np.array(points, np.float32, order="C")
            hit, pose = np.array(scan.hit, np.bool_, order="C"), np.array(pose, np.float64, order="C")
            n = things_in_odom(cloud, hit, pose, c.lowest_m, c.highest_m, found)
            self._scan, self._points = scan, found[:n].copy()
        return self._points

    def _allowed(self, surroundings: Surroundings) -> Box:
        if not surroundings.docking:
            return NOWHERE
        box = surroundings.allowed_box_in_base
        if box is None:
            return 0.0, -self.config.docking_aside_m, self.config.docking_ahead_m, self.config.docking_aside_m
        return float(box[0, 0]), float(box[0, 1]), float(box[1, 0]), float(box[1, 1])


NOWHERE: Box = (math.inf, math.inf, -math.inf, -math.inf)


@njit(cache=True, error_model="numpy")
def things_in_odom(points: Buffer, hit: Buffer, pose: Array, lowest: float, highest: float, found: Array) -> int:
    """Write into `found`, in odom, the points between two heights above the floor; returns how many.

    Heights are taken in odom, which is level: the base tilts with a foot in the air.
    """
    n = 0
    for i in range(points.shape[0]):
        x, y, z = float(points[i, 0]), float(points[i, 1]), float(points[i, 2])
        height = pose[2, 0] * x + pose[2, 1] * y + pose[2, 2] * z + pose[2, 3]
        if hit[i] and lowest <= height <= highest:  # false for what is no number
            found[n, 0] = pose[0, 0] * x + pose[0, 1] * y + pose[0, 2] * z + pose[0, 3]
            found[n, 1] = pose[1, 0] * x + pose[1, 1] * y + pose[1, 2] * z + pose[1, 3]
            found[n, 2] = height
            n += 1
    return n


@njit(cache=True, error_model="numpy")
def speed_along(
    points: Array, place: tuple[float, float, float, float], ahead: float, left: float, turn: float,
    brake: tuple[float, float], outline: tuple[float, float], docking: tuple[float, float, float], allowed: Box,
    carried: Array,
) -> float:  # fmt: skip
    """The speed m/s up to which a disc can stop before every point [k, 3].

    `place` is x, y, cos, sin of the base in the frame of the points, `ahead` and `left` m/s the velocity along its
    axes, `turn` rad what it turns within its reaction time; `brake` deceleration and reaction time, `outline` radius
    and margin, `docking` radius, margin and speed for points in the box `allowed` (in base). Points in the balls
    `carried` [j, 4] (in base) are the robot's own.
    """
    speed = math.hypot(ahead, left)
    if not speed > 0.0:
        return math.inf
    deceleration, reaction = brake
    radius, margin = outline
    reach = radius + margin + stopping_distance(speed, deceleration, reaction)
    x, y, cos, sin = place
    ways = np.empty((LOOKS, 2))
    for k in range(LOOKS):
        cos_then, sin_then = math.cos(k * turn), math.sin(k * turn)
        ways[k, 0] = (cos_then * ahead - sin_then * left) / speed
        ways[k, 1] = (sin_then * ahead + cos_then * left) / speed
    best = math.inf
    for i in range(points.shape[0]):
        dx, dy = points[i, 0] - x, points[i, 1] - y
        px, py = cos * dx + sin * dy, cos * dy - sin * dx
        if not (abs(px) <= reach and abs(py) <= reach):
            continue
        free = _way(px, py, ways, radius) - margin
        if not free < reach or _within(carried, px, py, points[i, 2]):
            continue
        limit = speed_within(free, deceleration, reaction)
        if allowed[0] <= px <= allowed[2] and allowed[1] <= py <= allowed[3]:
            near = _way(px, py, ways, docking[0]) - docking[1]
            limit = max(limit, min(docking[2], speed_within(near, deceleration, reaction)))
        best = min(best, limit)
    return best


@njit(cache=True, error_model="numpy")
def _within(balls: Array, x: float, y: float, z: float) -> bool:
    """Whether a point lies in one of the balls [j, 4]."""
    for i in range(balls.shape[0]):
        dx, dy, dz = x - balls[i, 0], y - balls[i, 1], z - balls[i, 2]
        if dx * dx + dy * dy + dz * dz <= balls[i, 3] * balls[i, 3]:
            return True
    return False


@njit(cache=True, error_model="numpy")
def _way(px: float, py: float, ways: Array, radius: float) -> float:
    """How far a disc goes, in the worst of some directions [k, 2], before it meets a point; infinite when it passes it
    or leaves it behind."""
    least = math.inf
    for k in range(ways.shape[0]):
        along, aside = px * ways[k, 0] + py * ways[k, 1], px * ways[k, 1] - py * ways[k, 0]
        if along > 0.0 and abs(aside) < radius:
            least = min(least, along - math.sqrt(radius * radius - aside * aside))
    return least
