"""Out of somebody's way: a place beside the line he walks on, reached without touching him or anything."""

from __future__ import annotations

import math

import numba
import numpy as np

from vla_sim.stages.navigation.config import NavigationConfig
from vla_sim.stages.navigation.distance import at
from vla_sim.stages.navigation.dwa import Ground
from vla_sim.types import Array

CLEAR_M = 0.9  # from the line he walks on; there he gets by
NEAR_M = 1.5  # from him; farther away is no better where his line cannot be left
BEARINGS, STRIDE_M, STRIDES = 24, 0.1, 15  # of the two straight legs that are looked at
LEAST_STRIDES = 2  # of the first leg
GAIN_M = 0.06  # by less it is not worth a step
HASTE_M_S = 0.02  # so much worse is a place that is reached a second later
GRAIN_M = 0.01  # nearer to things than now, where it is already too near
TOWARDS_M = 0.25  # between somebody's outline and the robot's: nearer, safety lets it only go away from him, ...
RECEDES = 0.15  # ... by this share of the way, so that it surely does


@numba.njit(cache=True)
def _off_line(x: float, y: float, person: Array, course: Array) -> float:
    """From a point to the line that somebody walks from `person` [2] in the direction `course` [2], m.

    With a course of zeros the distance from him.
    """
    dx, dy = x - person[0], y - person[1]
    along = max(dx * course[0] + dy * course[1], 0.0)
    return math.hypot(dx - along * course[0], dy - along * course[1])


@numba.njit(cache=True)
def _worth(x: float, y: float, person: Array, course: Array) -> float:
    """How well a place is out of the way, m."""
    apart_m = math.hypot(x - person[0], y - person[1])
    return min(_off_line(x, y, person, course), CLEAR_M) + 0.3 * min(apart_m, NEAR_M)


@numba.njit(cache=True)
def _leg(
    x: float, y: float, dx: float, dy: float, ground: Ground, least_m: float, person: Array, person_m: float
) -> int:
    """How many strides a straight way in the direction (dx, dy) is free of things and of the person."""
    room_m = at(ground.distance_m, ground.x0_m, ground.y0_m, ground.cell_m, x, y)
    apart_m = math.hypot(x - person[0], y - person[1])
    for k in range(1, STRIDES + 1):
        px, py = x + k * STRIDE_M * dx, y + k * STRIDE_M * dy
        room = at(ground.distance_m, ground.x0_m, ground.y0_m, ground.cell_m, px, py)
        apart = math.hypot(px - person[0], py - person[1])
        if room < min(least_m, room_m - GRAIN_M) or apart < min(person_m, apart_m + RECEDES * STRIDE_M):
            return k - 1
        room_m, apart_m = max(room_m, room), max(apart_m, apart)
    return STRIDES


@numba.njit(cache=True)
def _search(
    pose: Array, person: Array, course: Array, ground: Ground, least_m: float, person_m: float, speeds: Array
) -> Array:
    """[2] the end of the first leg, in the frame of the site; `speeds` [3] ahead, aside and back, m/s."""
    best = _worth(pose[0], pose[1], person, course) + GAIN_M
    best_s, found = math.inf, pose[:2].copy()
    for i in range(BEARINGS):
        out = 2.0 * math.pi * i / BEARINGS
        pace = math.hypot(math.cos(out) / (speeds[0] if math.cos(out) > 0.0 else speeds[2]), math.sin(out) / speeds[1])
        ux, uy = math.cos(pose[2] + out), math.sin(pose[2] + out)
        free = _leg(pose[0], pose[1], ux, uy, ground, least_m, person, person_m)
        for k in range(LEAST_STRIDES, free + 1):
            x, y = pose[0] + k * STRIDE_M * ux, pose[1] + k * STRIDE_M * uy
            for j in range(BEARINGS):
                aside = 2.0 * math.pi * j / BEARINGS
                slow = math.hypot(
                    math.cos(aside) / (speeds[0] if math.cos(aside) > 0.0 else speeds[2]), math.sin(aside) / speeds[1]
                )
                vx, vy = math.cos(pose[2] + aside), math.sin(pose[2] + aside)
                onward = _leg(x, y, vx, vy, ground, least_m, person, person_m)
                for n in range(onward + 1):
                    takes_s = STRIDE_M * (k * pace + n * slow)
                    px, py = x + n * STRIDE_M * vx, y + n * STRIDE_M * vy
                    worth = _worth(px, py, person, course)
                    if _off_line(px, py, person, course) >= CLEAR_M:
                        worth = 2.0 * CLEAR_M  # there he gets by: of such places, the one that is reached soonest
                    worth -= HASTE_M_S * takes_s
                    if worth > best + 1e-9 or (worth > best - 1e-9 and takes_s < best_s):
                        best, best_s = worth, takes_s
                        found[0], found[1] = x, y
    return found


def off_line(place: Array, person: Array, course: Array) -> float:
    """From `place` [>= 2] to the line that somebody walks from `person` [2] in the direction `course` [2], m."""
    return float(_off_line(float(place[0]), float(place[1]), person, course))


def first_leg(pose: Array, person: Array, course: Array, ground: Ground, config: NavigationConfig) -> Array:
    """[2] where to go straight first, in the site, to get out of the way of somebody; here, if nowhere is better.

    He is at `person` [2] and walks, or waits to walk, in the direction `course` [2], a unit vector or zeros.
    """
    c = config
    speeds = np.array([c.forward_m_s, c.side_m_s, c.back_m_s])
    person_m = c.radius_m + c.person_radius_m + TOWARDS_M
    return _search(pose, person, course, ground, c.keep_m, person_m, speeds)
