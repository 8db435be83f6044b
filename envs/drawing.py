"""Draws of where the robot starts, what is in its way, and who walks about; each leaves the task possible."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from envs.checks import ROBOT_RADIUS_M
from envs.floor_plan import FloorPlan, floor_plan, furniture_rect
from envs.scene_file import Area, Furniture, PersonPlace, Scene
from vla_sim.errors import ConfigError
from vla_sim.types import Array

TRIES = 2000
START_CLEAR_M = 0.45  # from the robot's middle to the nearest thing
BESIDE_OBSTACLES_M = 0.36  # half of what is left beside drawn obstacles, at least
OBSTACLE_RGB = (0.66, 0.52, 0.36)


def free_point(
    rng: np.random.Generator, plan: FloorPlan, room: Area, clear_m: float, fits: Callable[[Array], bool] | None = None
) -> Array:
    """[2] a point in a room, `clear_m` from everything. ConfigError when none is found."""
    low, high = room.outline.min(axis=0), room.outline.max(axis=0)
    for _ in range(TRIES):
        point = rng.uniform(low, high)
        x, y = float(point[0]), float(point[1])
        if room.holds(x, y) and plan.clearance_m(x, y) >= clear_m and (fits is None or fits(point)):
            return np.asarray(point)
    raise ConfigError(f"scene {plan.scene.name}", f"the {room.name} has no free place of {clear_m:g} m radius")


def free_start(
    rng: np.random.Generator, scene: Scene, room: Area, fits: Callable[[Array], bool] | None = None
) -> tuple[float, float, float]:
    """x, y, yaw rad of a place in a room to start from."""
    point = free_point(rng, floor_plan(scene, zones=True), room, START_CLEAR_M, fits)
    return float(point[0]), float(point[1]), float(rng.uniform(-math.pi, math.pi))


def obstacles(
    rng: np.random.Generator, scene: Scene, count: int, start: Sequence[float], goal: Sequence[float],
    keep_clear: Sequence[Sequence[float]] = (),
) -> tuple[Furniture, ...]:  # fmt: skip
    """Boxes that stand about, half of them near the way, so that one can still walk from start to goal.

    They leave 0.45 m on each side of the line through `keep_clear`.
    """
    plan, with_zones = floor_plan(scene), floor_plan(scene, zones=True)
    way = with_zones.way(start, goal, ROBOT_RADIUS_M)
    placed: list[Furniture] = []
    for _ in range(TRIES):
        if len(placed) == count:
            break
        near = way if way and len(placed) % 2 == 0 else []
        box = _box(rng, scene, f"obstacle {len(placed) + 1}", near)
        apart = all(math.dist(box.at, point[:2]) > 0.9 for point in (start, goal))
        lines = pairwise(keep_clear)
        apart &= all(furniture_rect(box).to_line_m(np.asarray(a), np.asarray(b)) > 0.45 for a, b in lines)
        if not apart or plan.clearance_m(box.at[0], box.at[1]) < max(box.size_m) / 2 + 0.05:
            continue
        with_box = with_zones.having(box)
        if with_box.reachable(start, goal, BESIDE_OBSTACLES_M):
            placed.append(box)
            plan, with_zones = plan.having(box), with_box
    return tuple(placed)


def _box(rng: np.random.Generator, scene: Scene, name: str, way: list[Array]) -> Furniture:
    room = scene.rooms[int(rng.integers(len(scene.rooms)))]
    low, high = room.outline.min(axis=0), room.outline.max(axis=0)
    at = rng.uniform(low, high)
    share, aside = float(rng.uniform(0.2, 0.8)), rng.uniform(-0.5, 0.5, 2)
    if way:
        at = _along(way, share) + aside
    size = rng.uniform(0.28, 0.45, 2)
    yaw, height = float(rng.uniform(-90, 90)), float(rng.uniform(0.45, 1.1))
    return Furniture(name, "box", (float(at[0]), float(at[1])), (float(size[0]), float(size[1])), yaw, height,
                     rgb=OBSTACLE_RGB)  # fmt: skip


def _along(way: list[Array], share: float) -> Array:
    """The point at a share of a way's length."""
    lengths = [math.dist(a, b) for a, b in pairwise(way)]
    left = share * sum(lengths)
    for (start, end), length in zip(pairwise(way), lengths, strict=True):
        if left <= length and length > 0:
            return start + (end - start) * (left / length)
        left -= length
    return way[-1]


def walkers(
    rng: np.random.Generator, scene: Scene, boxes: Sequence[Furniture], count: int, start: Sequence[float],
    goal: Sequence[float],
) -> tuple[PersonPlace, ...]:  # fmt: skip
    """People who walk to and fro on straight lines, at first away from the robot, and never where it is to stand."""
    plan = floor_plan(scene, zones=True)
    for box in boxes:
        plan = plan.having(box)
    people: list[PersonPlace] = []
    for _ in range(TRIES):
        if len(people) == count:
            break
        room = scene.rooms[int(rng.integers(len(scene.rooms)))]
        low, high = room.outline.min(axis=0), room.outline.max(axis=0)
        a, b = rng.uniform(low, high), rng.uniform(low, high)
        speed, pause = float(rng.uniform(0.25, 0.5)), float(rng.uniform(0.5, 2.0))
        if math.dist(a, b) < 1.2:
            continue
        others = [np.array(person.route[0]) for person in people]
        if math.dist(a, start[:2]) < 1.5 or any(math.dist(a, other) < 1.0 for other in others):
            continue
        if distance_m(np.asarray(goal[:2]), a, b) < 0.9 or distance_m(np.asarray(start[:2]), a, b) < 0.7:
            continue
        if plan.clearance_along_m(a, b)[0] < 0.40:
            continue
        route = ((float(a[0]), float(a[1])), (float(b[0]), float(b[1])))
        people.append(PersonPlace(route, f"person {len(people) + 1}", speed, pause))
    return tuple(people)


def distance_m(point: Array, a: Array, b: Array) -> float:
    """From a point to the straight line between two others."""
    share = float(np.clip((point - a) @ (b - a) / ((b - a) @ (b - a)), 0.0, 1.0))
    return math.dist(point, a + share * (b - a))
