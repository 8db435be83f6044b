"""Objects on tables: those a scene names, and those a task draws."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from envs import scene_file
from envs.scene import HAND_HALF_WIDTH_M, SPACING_M, TRAY_FROM_EDGE_M, Layout, NoRoom, Placement
from envs.scene_file import RANDOM, Furniture, ObjectPlace, Scene
from vla_sim.catalogue import COLOURS, GRASPABLE, SHAPES
from vla_sim.types import ObjectQuery

FROM_EDGE_M, ALONG_M = (0.08, 0.18), 0.35  # where a hand reaches well
TRIES = 2000


def furnished(rng: np.random.Generator, scene: Scene, layout: Layout) -> Layout:
    """A task's layout with the scene's own people, and its objects on tables that the task does not use."""
    mine = [*layout.placements, *([layout.tray] if layout.tray is not None else [])]
    used = {item.name for item in scene.surfaces if any(_lies_on(placement, item) for placement in mine)}
    others = [item for item in scene.objects if item.on not in used]
    added = _placed(rng, scene, others)
    return replace(layout, placements=(*layout.placements, *added), people=(*layout.people, *scene.people))


def _lies_on(placement: Placement, table: Furniture) -> bool:
    x, y = table.to_own(placement.x, placement.y)
    return abs(x) <= table.size_m[0] / 2 and abs(y) <= table.size_m[1] / 2


def scene_objects(rng: np.random.Generator, scene: Scene, table: str) -> tuple[Placement, ...]:
    """The objects that the scene puts on a table, a graspable one that is drawn first; none when none is graspable."""
    placed = list(_placed(rng, scene, [item for item in scene.objects if item.on == table]))
    candidates = [i for i, item in enumerate(placed) if item.query.shape in GRASPABLE]
    if not candidates:
        return ()
    first = placed.pop(candidates[int(rng.integers(len(candidates)))])
    return (first, *placed)


def _placed(rng: np.random.Generator, scene: Scene, items: list[ObjectPlace]) -> list[Placement]:
    """Named places first, so that drawn ones keep clear of them; in the order of `items`."""
    kinds = [ObjectQuery(shape, colour) for shape in GRASPABLE for colour in COLOURS]
    made: dict[int, Placement] = {}
    for i in sorted(range(len(items)), key=lambda i: items[i].at is None):
        item, table = items[i], scene.surface(items[i].on)
        if item.what == RANDOM:
            free = [kind for kind in kinds if all(kind != other.query for other in made.values())]
            query = free[int(rng.integers(len(free)))]
        else:
            query = _with_colour(rng, scene_file.parse_object(item.what, "what"))
        spot = item.at if item.at is not None else _spot(rng, table, list(made.values()))
        yaw = float(rng.uniform(-180, 180)) if item.yaw_deg is None else item.yaw_deg
        x, y = table.to_site(spot[0], spot[1])
        made[i] = Placement(query, x, y, table.yaw_rad + math.radians(yaw), table.height_m or 0.0, item.mass_kg)
    return [made[i] for i in range(len(items))]


def _with_colour(rng: np.random.Generator, query: ObjectQuery) -> ObjectQuery:
    return query if query.colour else ObjectQuery(query.shape, list(COLOURS)[int(rng.integers(len(COLOURS)))])


def _spot(rng: np.random.Generator, table: Furniture, others: list[Placement]) -> tuple[float, float]:
    """A free place near the front edge of a table, in its own frame."""
    front, along = -table.size_m[0] / 2, min(ALONG_M, table.size_m[1] / 2 - 0.1)
    for _ in range(TRIES):
        x, y = front + float(rng.uniform(*FROM_EDGE_M)), float(rng.uniform(-along, along))
        if all(math.dist(table.to_site(x, y), (other.x, other.y)) >= SPACING_M for other in others):
            return x, y
    raise NoRoom(f"there is no room left on the {table.name}")


def objects_on(rng: np.random.Generator, table: Furniture, chosen: list[ObjectQuery]) -> tuple[Placement, ...]:
    """Objects near a table's front edge, apart from each other; none stands between the first and the edge."""
    front = -table.size_m[0] / 2
    for _ in range(TRIES):
        spots: list[tuple[float, float]] = []
        for _ in range(40 * len(chosen)):
            x, y = front + float(rng.uniform(*FROM_EDGE_M)), float(rng.uniform(-ALONG_M, ALONG_M))
            if len(spots) < len(chosen) and all(math.dist((x, y), spot) >= SPACING_M for spot in spots):
                spots.append((x, y))
        yaws = rng.uniform(-math.pi, math.pi, len(chosen))
        if len(spots) == len(chosen) and not any(
            _in_front(spot, SHAPES[query.shape].width_m, spots[0])
            for spot, query in zip(spots[1:], chosen[1:], strict=True)
        ):
            return tuple(
                Placement(query, *table.to_site(*spot), float(yaw), table.height_m or 0.0)
                for query, spot, yaw in zip(chosen, spots, yaws, strict=True)
            )
    raise NoRoom(f"{len(chosen)} objects do not fit on the {table.name}")


def _in_front(other: tuple[float, float], width_m: float, target: tuple[float, float]) -> bool:
    """Whether an object stands where a hand has to come from."""
    return other[0] < target[0] + 0.03 and abs(other[1] - target[1]) < HAND_HALF_WIDTH_M + width_m / 2


def tray_on(table: Furniture, colour: str) -> Placement:
    """A tray in the middle of a table's front edge."""
    x, y = table.to_site(-table.size_m[0] / 2 + TRAY_FROM_EDGE_M, 0.0)
    return Placement(ObjectQuery("tray", colour), x, y, table.yaw_rad, table.height_m or 0.0)
