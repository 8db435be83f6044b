"""What makes a scene impossible, found before the first step: each is one line that names the thing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

from envs.floor_plan import TOUCH_M, FloorPlan, floor_plan, furniture_rect, wall_rects
from envs.furniture import mesh_path
from envs.people import RADIUS_M as PERSON_RADIUS_M
from envs.scene_file import RANDOM, ObjectPlace, PersonPlace, Scene, parse_object
from envs.site import standing_point
from vla_sim.catalogue import SHAPES
from vla_sim.errors import ConfigError

ROBOT_RADIUS_M, STANDING_RADIUS_M = 0.30, 0.15  # when it walks; and its feet, when it stands at a table


def check_scene(scene: Scene, payload_kg: float) -> None:
    """Refuse a scene that cannot be built or in which nothing can be done. Raises ConfigError."""
    where = f"scene {scene.name}"
    _check_names(scene, where)
    _check_meshes(scene, where)
    _check_overlaps(scene, where)
    plan = floor_plan(scene)
    _check_start(scene, plan, where)
    _check_objects(scene, payload_kg, where)
    for person in scene.people:
        check_person(person, plan, where)
    rooms = [room.name for room in scene.rooms if not off_limits(scene, room.name)]
    surfaces = [item.name for item in scene.surfaces if not off_limits(scene, item.name)]
    check_reachable(scene, scene.start, [*rooms, *surfaces], where)


def off_limits(scene: Scene, place: str) -> bool:
    """Whether where a room or surface is stood at lies in a zone."""
    x, y, _ = standing_point(scene, place)
    return any(zone.holds(float(x), float(y)) for zone in scene.zones)


def _check_names(scene: Scene, where: str) -> None:
    names = [item.name for item in scene.furniture] + [area.name for area in (*scene.rooms, *scene.zones)]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise ConfigError(where, f"two things are called {name!r}", f"call one of them '{name} 2'")


def _check_meshes(scene: Scene, where: str) -> None:
    for item in scene.furniture:
        if item.kind == "mesh" and not mesh_path(item, scene.folder).is_file():
            raise ConfigError(
                f"{where}: {item.name}.mesh", f"there is no file {item.mesh}", "it is looked for beside the scene"
            )


def _check_overlaps(scene: Scene, where: str) -> None:
    furniture = [furniture_rect(item) for item in scene.furniture]
    walls = [rect for wall in scene.walls for rect in wall_rects(wall)]
    pairs = [*combinations(furniture, 2), *((item, wall) for item in furniture for wall in walls)]
    for one, other in pairs:
        depth = one.overlap_m(other)
        if depth > TOUCH_M:
            raise ConfigError(
                f"{where}: {one.name}", f"overlaps {other.name} by {depth:.2f} m", f"move it by {depth:.2f} m or more"
            )


def _check_start(scene: Scene, plan: FloorPlan, where: str) -> None:
    x, y, _ = scene.start
    clear = plan.clearance_m(x, y)
    if clear < STANDING_RADIUS_M:
        thing = plan.nearest_thing(x, y)
        raise ConfigError(
            f"{where}.start", f"({x:g}, {y:g}) is {'in' if clear == 0 else 'too near to'} {thing}",
            f"stand at least {STANDING_RADIUS_M:g} m away",
        )  # fmt: skip


def _check_objects(scene: Scene, payload_kg: float, where: str) -> None:
    for i, item in enumerate(scene.objects):
        key = f"{where}.objects.{i}"
        surface = scene.surface(item.on, f"{key}.on")
        shape = None if item.what == RANDOM else SHAPES[parse_object(item.what, f"{key}.what").shape]
        mass = item.mass_kg if item.mass_kg is not None else shape.mass_kg if shape else 0.0
        if mass > payload_kg:
            raise ConfigError(
                f"{key}.mass_kg", f"the {item.what} of {mass:g} kg is heavier than the robot can carry",
                f"its payload is {payload_kg:g} kg",
            )  # fmt: skip
        if item.at is None:
            continue
        radius = 0.05 if shape is None else max(shape.width_m, shape.depth_m) / 2
        for at, size, axis in zip(item.at, surface.size_m, "xy", strict=True):
            if abs(at) + radius > size / 2:
                raise ConfigError(
                    f"{key}.at", f"{axis} = {at:g} m does not lie on {surface.name}",
                    f"from its middle to its edge it is {size / 2:g} m, the object takes {radius:g} m",
                )  # fmt: skip
    _check_apart(scene.objects, where)


def _check_apart(objects: Sequence[ObjectPlace], where: str) -> None:
    placed = [item for item in objects if item.at is not None and item.what != RANDOM]
    for a, b in combinations(placed, 2):
        if a.on != b.on or a.at is None or b.at is None:
            continue
        needed = sum(SHAPES[parse_object(item.what, "what").shape].width_m / 2 for item in (a, b))
        if math.dist(a.at, b.at) < needed:
            raise ConfigError(f"{where}: {a.what}", f"stands in the {b.what}", f"keep them {needed:.2f} m apart")


def check_person(person: PersonPlace, plan: FloorPlan, where: str) -> None:
    """Refuse a route that leads into something. Raises ConfigError."""
    points = list(person.route) + ([person.route[0]] if person.loop and len(person.route) > 2 else [])
    for start, end in zip(points, points[1:] or points, strict=False):
        clear, at = plan.clearance_along_m(start, end)
        if clear < PERSON_RADIUS_M:
            thing = plan.nearest_thing(float(at[0]), float(at[1]))
            raise ConfigError(
                f"{where}: {person.name}.route", f"leads into {thing} at ({at[0]:.2f}, {at[1]:.2f})",
                f"a person needs {PERSON_RADIUS_M:g} m on each side",
            )  # fmt: skip


def check_reachable(scene: Scene, start: Sequence[float], places: Sequence[str], where: str) -> None:
    """Refuse places that the robot cannot walk to from `start`. Raises ConfigError naming where it gets too narrow."""
    plan = floor_plan(scene, zones=True)
    for place in places:
        goal = standing_point(scene, place, f"{where}: goal")
        if plan.reachable(start, goal.tolist(), ROBOT_RADIUS_M):
            continue
        at = plan.bottleneck(start, goal, ROBOT_RADIUS_M)
        thing = plan.nearest_thing(float(at[0]), float(at[1]))
        clear = plan.clearance_m(float(at[0]), float(at[1]))
        raise ConfigError(
            f"{where}: {place}",
            f"cannot be reached from the start: the way is blocked at ({at[0]:.2f}, {at[1]:.2f}) by {thing}",
            f"there are {2 * clear:.2f} m, the robot needs {2 * ROBOT_RADIUS_M:.2f} m",
        )
