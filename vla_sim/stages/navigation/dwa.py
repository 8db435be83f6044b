"""The next velocity: a window of those that can be reached, each tried out for a while, and the best of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np

from vla_sim.stages.navigation.config import NavigationConfig
from vla_sim.stages.navigation.distance import Field, at
from vla_sim.types import Array

STEP_S = 0.12  # of a trial
WINDOW_S = 1.0  # what can be reached in this time is tried
FORWARDS, SIDES, TURNS = 8, 3, 13  # samples an axis
SIDESTEP_BELOW_M_S = 0.35  # faster than this the robot does not step sideways
STANDS_M_S = 0.05  # slower, and who runs into the robot has done it himself
SLACK_M = 0.003  # a robot that is too near already may come no nearer than this in a trial
BEYOND_S, WIDE_M, THREAT = 2.0, 0.3, 0.55  # after a trial, people are looked at this long; how near, and what it costs
# Prices of passing things, per second at 1 m/s. What is linear in the speed stays below the price of progress, or it
# would be cheapest to stand before every door; what is quadratic slows the robot down the more, the nearer they are.
GRAZE, CALM, SQUEEZE = 0.6, 1.7, 1.3  # the last where it is tighter than routes are laid if they can
GRAIN_M = 0.01  # distances read from the grid along a straight wall differ by so much
NOISE_M = 0.03  # of the points safety looks at, with half a cell of the grid
NEXT_POINTS = 26  # of the route are passed in one trial
LOOK_M, LOOKS = 0.05, 8  # least step of a look ahead, and how many at most
HALTS_S = 1.0  # so far ahead it is reckoned with somebody who stops at once
APART_M = 0.12  # between the outlines of robot and person, when it passes him
SPREAD_M_S = 0.08  # how fast the place of a moving thing becomes unsure

PROGRESS, ASIDE, HEADING, CHANGE, SIDEWAYS, BACKWARDS = 1.0, 0.8, 0.22, 0.06, 0.5, 1.2


class Ground(NamedTuple):
    """Distances [rows, cols] of a grid whose corner is (x0, y0)."""

    distance_m: Field
    x0_m: float
    y0_m: float
    cell_m: float


class Gait(NamedTuple):
    """What a trial must know of the body."""

    accelerate: float
    brake: float
    side: float
    turn: float
    lag_s: float
    radius_m: float
    keep_m: float
    roomy_m: float  # nearer than this it should be slow
    soft_m: float
    person_m: float  # between middles
    horizon_s: float
    stop: float  # what safety reckons with: m/s2, s, and m ahead of the outline
    react_s: float
    ahead_m: float


@dataclass(frozen=True)
class Best:
    """What the window holds: a velocity [3] to aim at, and whether any trial was free."""

    velocity: Array
    free: bool


def gait_of(config: NavigationConfig, person_m: float | None = None) -> Gait:
    """The body of a configuration; `person_m` is how near to a person's middle it may come."""
    c = config
    apart = c.radius_m + c.person_radius_m + APART_M if person_m is None else person_m
    return Gait(
        c.acceleration_m_s2, c.brake_m_s2, c.side_acceleration_m_s2, c.turn_acceleration_rad_s2, c.lag_s, c.radius_m,
        c.least_m, c.keep_m, c.soft_m, apart, c.horizon_s, c.stop_m_s2, c.react_s, c.ahead_m,
    )  # fmt: skip


@numba.njit(cache=True)
def toward(now: float, target: float, faster: float, slower: float) -> float:
    """One axis of a command on its way to `target`: changed by at most `faster`, or `slower` where it loses speed."""
    change = target - now
    limit = slower if now * change < 0.0 else faster
    return now + min(max(change, -limit), limit)


@numba.njit(cache=True)
def closest(dx: float, dy: float, vx: float, vy: float, within_s: float) -> float:
    """Least distance of something at (dx, dy) that moves at (vx, vy), both relative, in the time to come, m."""
    square = vx * vx + vy * vy
    at_s = -(dx * vx + dy * vy) / square if square > 1e-9 else 0.0
    at_s = min(max(at_s, 0.0), within_s)
    return math.sqrt((dx + vx * at_s) ** 2 + (dy + vy * at_s) ** 2)


@numba.njit(cache=True)
def _room(ground: Ground, x: float, y: float) -> float:
    return at(ground.distance_m, ground.x0_m, ground.y0_m, ground.cell_m, x, y)


@numba.njit(cache=True)
def free_way(x: float, y: float, direction: float, room_m: float, ground: Ground, gait: Gait) -> float:
    """How far the outline goes straight on in a direction rad of the site before it meets a thing; inf = far, m.

    Where it is already nearer than its radius, by `room_m`, it meets what comes nearer still.
    """
    least_m, way_m = min(gait.radius_m + NOISE_M, room_m - GRAIN_M), 0.0
    dx, dy = math.cos(direction), math.sin(direction)
    for _ in range(LOOKS):
        way_m += max(room_m - least_m, LOOK_M)
        room_m = _room(ground, x + way_m * dx, y + way_m * dy)
        if room_m < least_m:
            return way_m
    return math.inf


@numba.njit(cache=True)
def allowed_speed(
    x: float, y: float, yaw: float, vx: float, vy: float, wz: float, room_m: float, ground: Ground, gait: Gait
) -> float:
    """The speed that safety will leave of a command (`vx`, `vy`, `wz`) here: it asks for a way to stop in, m/s."""
    direction, best = yaw + math.atan2(vy, vx), math.inf
    for k in range(3):  # now, and as it will have turned after one and two reaction times
        way_m = free_way(x, y, direction + k * gait.react_s * wz, room_m, ground, gait) - gait.ahead_m
        lost = gait.stop * gait.react_s
        best = min(best, math.sqrt(lost * lost + 2.0 * gait.stop * way_m) - lost if way_m > 0.0 else 0.0)
        if wz == 0.0:
            break
    return best


@numba.njit(cache=True)
def trial(
    pose: Array, velocity: Array, command: Array, target: Array, ground: Ground, movers: Array, gait: Gait, out: Array
) -> bool:
    """Walk with commands that go to `target` [3] for a while; whether nothing is touched.

    `pose` [3] in the site; `velocity` [3] true now, `command` [3] the last one; `movers` [k, 4] x, y, vx, vy. Writes
    the final pose and the mean price of nearness into `out` [4].
    """
    x, y, yaw = pose[0], pose[1], pose[2]
    vx, vy, wz = velocity[0], velocity[1], velocity[2]
    cx, cy, cw = command[0], command[1], command[2]
    room_m = _room(ground, x, y)
    least_m = min(gait.keep_m, room_m - SLACK_M)
    steps, near, share = int(gait.horizon_s / STEP_S), 0.0, 1.0 - math.exp(-STEP_S / gait.lag_s)
    for k in range(1, steps + 1):
        cx = toward(cx, target[0], gait.accelerate * STEP_S, gait.brake * STEP_S)
        cy = toward(cy, target[1], gait.side * STEP_S, gait.side * STEP_S)
        cw = toward(cw, target[2], gait.turn * STEP_S, gait.turn * STEP_S)
        asked, left = math.hypot(cx, cy), 1.0
        if asked > 0.0:
            left = min(allowed_speed(x, y, yaw, cx, cy, cw, room_m, ground, gait) / asked, 1.0)
        vx, vy, wz = vx + share * (left * cx - vx), vy + share * (left * cy - vy), wz + share * (cw - wz)
        middle = yaw + 0.5 * wz * STEP_S
        x += (vx * math.cos(middle) - vy * math.sin(middle)) * STEP_S
        y += (vx * math.sin(middle) + vy * math.cos(middle)) * STEP_S
        yaw += wz * STEP_S
        room_m = _room(ground, x, y)
        speed_m_s = math.hypot(vx, vy)
        walks = speed_m_s > STANDS_M_S
        if walks and room_m < least_m:
            return False
        after_s, near_m = k * STEP_S, room_m
        for j in range(movers.shape[0]):
            dx, dy = movers[j, 0] + after_s * movers[j, 2] - x, movers[j, 1] + after_s * movers[j, 3] - y
            apart_m = math.sqrt(dx * dx + dy * dy) - SPREAD_M_S * after_s
            if after_s <= HALTS_S:
                apart_m = min(apart_m, math.hypot(movers[j, 0] - x, movers[j, 1] - y))
            if walks and apart_m < gait.person_m:
                dx, dy = movers[j, 0] - pose[0], movers[j, 1] - pose[1]
                if apart_m < math.sqrt(dx * dx + dy * dy) - SLACK_M:
                    return False
            near_m = min(near_m, apart_m - gait.person_m + gait.roomy_m)
        short = min(max((gait.soft_m - near_m) / (gait.soft_m - gait.roomy_m), 0.0), 1.0)
        tight = min(max((gait.roomy_m - near_m) / (gait.roomy_m - gait.radius_m), 0.0), 1.0)
        near += short * short * speed_m_s * (GRAZE + CALM * speed_m_s) + SQUEEZE * tight * speed_m_s * speed_m_s
    speed_x, speed_y = vx * math.cos(yaw) - vy * math.sin(yaw), vx * math.sin(yaw) + vy * math.cos(yaw)
    threat = 0.0
    for j in range(movers.shape[0]):
        dx, dy = movers[j, 0] + gait.horizon_s * movers[j, 2] - x, movers[j, 1] + gait.horizon_s * movers[j, 3] - y
        meet_m = closest(dx, dy, movers[j, 2] - speed_x, movers[j, 3] - speed_y, BEYOND_S)
        threat = max(threat, min(max((gait.person_m + WIDE_M - meet_m) / WIDE_M, 0.0), 1.0))
    out[0], out[1], out[2], out[3] = x, y, yaw, near / steps + THREAT * threat
    return True


@numba.njit(cache=True)
def _price(out: Array, route: Array, target: Array, command: Array) -> float:
    """What is to be least: way still to go, distance from the route, a wrong heading, nearness, restlessness."""
    n, best, found = route.shape[0], np.inf, 0
    for i in range(n):
        off = (route[i, 0] - out[0]) ** 2 + (route[i, 1] - out[1]) ** 2
        if off < best:
            best, found = off, i
    left_m = 0.0
    for i in range(found, n - 1):
        left_m += math.hypot(route[i + 1, 0] - route[i, 0], route[i + 1, 1] - route[i, 1])
    ahead = min(found + 6, n - 1)
    price = PROGRESS * left_m + ASIDE * math.sqrt(best) + out[3]
    dx, dy = route[ahead, 0] - out[0], route[ahead, 1] - out[1]
    if dx * dx + dy * dy > 0.04:
        off_rad = math.atan2(dy, dx) - out[2]
        price += HEADING * abs((off_rad + math.pi) % (2.0 * math.pi) - math.pi)
    change = abs(target[0] - command[0]) + abs(target[1] - command[1]) + 0.5 * abs(target[2] - command[2])
    return price + CHANGE * change + SIDEWAYS * abs(target[1]) + BACKWARDS * max(-target[0], 0.0)


@numba.njit(cache=True)
def _search(
    pose: Array, velocity: Array, command: Array, low: Array, high: Array, route: Array, ground: Ground, movers: Array,
    gait: Gait,
) -> tuple[Array, bool]:  # fmt: skip
    """The best target [3], and whether any trial was free."""
    best, found, free = np.inf, np.zeros(3), False
    target, out = np.zeros(3), np.zeros(4)
    for i in range(FORWARDS + 1):
        target[0] = low[0] + (high[0] - low[0]) * i / (FORWARDS - 1) if i < FORWARDS else 0.0
        for j in range(SIDES):
            target[1] = (low[1], 0.0, high[1])[j]
            if target[1] != 0.0 and target[0] > SIDESTEP_BELOW_M_S:
                continue
            for k in range(TURNS + 1):
                target[2] = low[2] + (high[2] - low[2]) * k / (TURNS - 1) if k < TURNS else 0.0
                if not trial(pose, velocity, command, target, ground, movers, gait, out):
                    continue
                price = _price(out, route, target, command)
                if price < best:
                    best, free = price, True
                    found[:] = target
    return found, free


def window(command: Array, config: NavigationConfig, fastest_m_s: float) -> tuple[Array, Array]:
    """[3] the least and the greatest velocities that can be reached soon."""
    c = config
    reach = WINDOW_S * np.array([c.acceleration_m_s2, c.side_acceleration_m_s2, c.turn_acceleration_rad_s2])
    most = np.array([min(c.forward_m_s, fastest_m_s), c.side_m_s, c.turn_rad_s])
    least = -np.array([c.back_m_s, c.side_m_s, c.turn_rad_s])
    brake = np.array([c.brake_m_s2 * WINDOW_S, reach[1], reach[2]])
    low = np.clip(command - np.where(command > 0, brake, reach), least, most)
    return low, np.clip(command + np.where(command < 0, brake, reach), least, most)


def best_velocity(
    pose: Array,
    velocity: Array,
    command: Array,
    route: Array,
    ground: Ground,
    movers: Array,
    config: NavigationConfig,
    fastest_m_s: float,
    person_m: float | None = None,
) -> Best:
    """The velocity to aim at along `route` [m, 2], its points a few centimetres apart, beginning near the robot."""
    low, high = window(command, config, fastest_m_s)
    route, gait = np.ascontiguousarray(route), gait_of(config, person_m)
    for keep_m in (least_on(route[:NEXT_POINTS], ground, config), gait.keep_m):  # no nearer to things than the route is
        body = gait._replace(keep_m=keep_m)
        found, free = _search(pose, velocity, command, low, high, route, ground, movers, body)
        if free and found.any():
            break
    return Best(found, bool(free))


def speed_left(pose: Array, target: Array, ground: Ground, gait: Gait) -> float:
    """What safety would leave of a velocity [3] at `pose` [3], m/s."""
    x, y, yaw = (float(value) for value in pose)
    vx, vy, wz = (float(value) for value in target)
    return float(allowed_speed(x, y, yaw, vx, vy, wz, _room(ground, x, y), ground, gait))


def least_on(route: Array, ground: Ground, config: NavigationConfig) -> float:
    """How near the route [m, 2] comes to things, within what a body may and what it likes to, m."""
    room_m = [_room(ground, x, y) for x, y in route.tolist()]
    return min(max(min(room_m, default=0.0) - GRAIN_M, config.least_m), config.keep_m + NOISE_M)


def is_free(
    pose: Array, velocity: Array, command: Array, target: Array, ground: Ground, movers: Array, gait: Gait
) -> bool:
    """Whether going on with `target` [3] touches nothing within the horizon."""
    return bool(trial(pose, velocity, command, target, ground, movers, gait, np.zeros(4)))
