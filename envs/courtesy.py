"""What somebody does whom the robot does not let pass: he walks round it, goes back or steps aside."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pybullet as p

from vla_sim.types import Array

PASSING_M = 0.60  # between the middles of two who pass each other: half of both, and a hand's breadth
ASIDE_M, BEYOND_M = 0.80, 0.80  # how far beside the robot he passes it, and how far behind it he is past
RETREAT_M = 0.8  # who goes back goes at least so far
SIDEWARD_RAD = (0.0, 0.5, -0.5, 1.0, -1.0, 1.5, -1.5)  # from straight away: the directions tried for a step aside
BODY_M, EYES_M = 0.28, 0.30  # half the width he needs, and from where on he looks: his own arms and legs are nearer
HEIGHTS_M = (0.15, 0.45, 0.75, 1.05, 1.35)  # at which he looks
Free = Callable[[Array, Array], bool]


def way_round(here: Array, goal: Array, robot: Array, is_free: Free) -> list[Array]:
    """Waypoints [2] from `here` past the robot to `goal` [2]; empty when there is no room on either side.

    `is_free` says of two points whether nothing stands on the straight line between them.
    """
    length = math.dist(here, goal)
    if length < 1e-6:
        return []
    ahead = (goal - here) / length
    left = np.array([-ahead[1], ahead[0]])
    along, across = float((robot - here) @ ahead), float((robot - here) @ left)
    past = here + min(along + BEYOND_M, length) * ahead
    again = here + min(along + BEYOND_M + ASIDE_M, length) * ahead
    near = -1.0 if across > 0.0 else 1.0  # the side where it is less far round
    for side in (near, -near):
        off = (across + side * ASIDE_M) * left
        way = _without_repeats([here, here + off, past + off, again, goal])
        if passes(way, robot, is_free):
            return way
    return []


def way_back(here: Array, places: Sequence[Array], robot: Array, is_free: Free) -> list[Array]:
    """Waypoints [2] back to where he came from, the nearest of `places` first; empty when that is barred too."""
    way = [here]
    for place in places:
        way.append(place)
        if math.dist(here, place) >= RETREAT_M:
            break
    way = _without_repeats(way)
    return way if len(way) > 1 and passes(way, robot, is_free) else []


def way_aside(here: Array, robot: Array, is_free: Free) -> list[Array]:
    """Waypoints [2] a step away from the robot, as straight as there is room, and back to `here`; empty without."""
    away = math.atan2(here[1] - robot[1], here[0] - robot[0])
    for turn_rad in SIDEWARD_RAD:
        step = RETREAT_M * np.array([math.cos(away + turn_rad), math.sin(away + turn_rad)])
        if passes([here, here + step], robot, is_free):
            return [here, here + step, here]
    return []


def passes(way: list[Array], robot: Array, is_free: Free) -> bool:
    """Whether a way [2] leads past the robot and through nothing else. One who is near it already may leave."""
    least_m = min(PASSING_M, math.dist(way[0], robot) - 0.02)
    legs = list(pairwise(way))
    clear = _apart_m(robot, *legs[0]) >= least_m and all(_apart_m(robot, a, b) >= PASSING_M for a, b in legs[1:])
    return clear and all(is_free(a, b) for a, b in legs)


def _apart_m(point: Array, a: Array, b: Array) -> float:
    """From a point to the straight line between two others that differ."""
    share = float(np.clip((point - a) @ (b - a) / ((b - a) @ (b - a)), 0.0, 1.0))
    return math.dist(point, a + share * (b - a))


def _without_repeats(way: list[Array]) -> list[Array]:
    kept = way[:1]
    for point in way[1:]:
        if math.dist(kept[-1], point) > 0.05:
            kept.append(point)
    return kept


def sees_free(client: int, body: int, start: Array, end: Array) -> bool:
    """Whether a person (`body` in a PyBullet client) who looks from `start` to `end` [2] sees a way as wide as he is.

    He sees what stands there now, the robot, other people and furniture alike; he does not see himself.
    """
    length = math.dist(start, end)
    ahead = (end - start) / length
    left = BODY_M * np.array([-ahead[1], ahead[0]])
    first, last = start + min(EYES_M, length) * ahead, end + BODY_M * ahead
    pairs = [
        ((*(first + side * left), height), (*(last + side * left), height))
        for side in (-1.0, 0.0, 1.0)
        for height in HEIGHTS_M
    ]
    starts, ends = ([[float(x) for x in pair[k]] for pair in pairs] for k in (0, 1))
    seen = p.rayTestBatch(starts, ends, numThreads=1, physicsClientId=client)
    return all(ray[0] in (-1, body) for ray in seen)
