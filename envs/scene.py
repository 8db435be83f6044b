"""What stands where in one episode, and the layouts of a table before the robot, drawn from a seed. Lengths m."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from envs.scene_file import Furniture, PersonPlace
from robots.body import ReachZone
from vla_sim.catalogue import COLOURS, GRASPABLE, SHAPES
from vla_sim.errors import VlaSimError
from vla_sim.types import ObjectQuery

TABLE_TOP_M = 0.70
SPACING_M = 0.125
HAND_LENGTH_M, HAND_HALF_WIDTH_M = 0.22, 0.075
TRAY_FROM_EDGE_M = 0.11
BELT_FROM_EDGE_M, BELT_HALF_WIDTH, BELT_HALF_LENGTH, BELT_THICKNESS = 0.15, 0.07, 0.80, 0.01
BELT_MIDDLE_Y, BELT_START_Y = 0.15, -0.40
DIFFICULTIES = ("easy", "normal", "hard")


@dataclass(frozen=True)
class Placement:
    """One object on the table."""

    query: ObjectQuery
    x: float
    y: float
    yaw_rad: float
    support_m: float = TABLE_TOP_M  # height of what it stands on
    mass_kg: float | None = None  # None = as catalogued


@dataclass(frozen=True)
class Belt:
    """A conveyor along its own +y. Speed(t) = speed_m_s (1 + wobble sin(2 pi t / period_s + phase_rad))."""

    speed_m_s: float
    wobble: float = 0.0
    period_s: float = 2.5
    phase_rad: float = 0.0
    pose: tuple[float, float, float] = (0.34, 0.15, 0.0)  # of its middle: x, y, yaw rad
    support_m: float = TABLE_TOP_M

    def speed_at(self, time_s: float) -> float:
        """Belt speed, m/s."""
        return self.speed_m_s * (1 + self.wobble * float(np.sin(2 * np.pi * time_s / self.period_s + self.phase_rad)))


@dataclass(frozen=True)
class Layout:
    """What one episode adds to its scene. The first placement is the task's object."""

    placements: tuple[Placement, ...] = ()
    tray: Placement | None = None
    belt: Belt | None = None
    start: tuple[float, float, float] = (0.0, 0.0, 0.0)  # of the robot: x, y, yaw rad
    people: tuple[PersonPlace, ...] = ()
    obstacles: tuple[Furniture, ...] = ()

    @property
    def target(self) -> Placement:
        return self.placements[0]


def moved(layout: Layout, start: tuple[float, float, float]) -> Layout:
    """A layout drawn before a robot at the origin, for one that starts elsewhere."""
    if start == (0.0, 0.0, 0.0):
        return layout
    x0, y0, turn = start
    c, s = math.cos(turn), math.sin(turn)

    def there(x: float, y: float) -> tuple[float, float]:
        return x0 + c * x - s * y, y0 + s * x + c * y

    def placed(item: Placement) -> Placement:
        x, y = there(item.x, item.y)
        return replace(item, x=x, y=y, yaw_rad=item.yaw_rad + turn)

    belt = layout.belt
    if belt is not None:
        belt = replace(belt, pose=(*there(*belt.pose[:2]), belt.pose[2] + turn))
    tray = None if layout.tray is None else placed(layout.tray)
    return replace(layout, placements=tuple(map(placed, layout.placements)), tray=tray, belt=belt, start=start)


class NoRoom(VlaSimError):
    """The objects do not fit on the table."""


def draw_pick_place(rng: np.random.Generator, zone: ReachZone | None = None, difficulty: str = "normal") -> Layout:
    """Objects in free places either side of the tray; no two share both shape and colour.

    Two in easy layouts, three to five in normal ones, five that share colour or shape with the target in hard ones.
    The first is neither hidden nor walled in: the robot is asked for something that it can see and get a hand to.
    """
    zone = zone or ReachZone()
    colours = list(COLOURS)
    tray_colour = colours.pop(int(rng.integers(len(colours))))
    kinds = [ObjectQuery(shape, colour) for shape in GRASPABLE for colour in colours]
    while True:
        count = 2 if difficulty == "easy" else 5 if difficulty == "hard" else int(rng.integers(3, 6))
        chosen = [kinds[i] for i in rng.permutation(len(kinds))]
        if difficulty == "hard":
            first = chosen[0]
            chosen = [first, *sorted(chosen[1:], key=lambda other: not _alike(other, first))]
        spots = _free_spots(rng, count, zone)
        yaws = rng.uniform(-np.pi, np.pi, count)
        placements = tuple(
            Placement(query, x, y, float(yaw), zone.table_top_m)
            for query, (x, y), yaw in zip(chosen[:count], spots, yaws, strict=True)
        )
        target = placements[0]
        if not any(_hides(other, target, zone.eye_xz) or _walls_in(other, target) for other in placements[1:]):
            tray_x = round(zone.table_edge_x + TRAY_FROM_EDGE_M, 6)
            return Layout(placements, Placement(ObjectQuery("tray", tray_colour), tray_x, 0.0, 0.0, zone.table_top_m))


def _alike(a: ObjectQuery, b: ObjectQuery) -> bool:
    return a.shape == b.shape or a.colour == b.colour


def _walls_in(other: Placement, target: Placement) -> bool:
    """Whether `other` stands where a hand that comes from the robot's side, or from 30 degrees off, would be."""
    offset = np.array([other.x - target.x, other.y - target.y])
    side = np.sign(target.y)
    for turn in np.radians([0.0, -30.0]) * side:  # straight, or from the outside inwards
        ahead = np.array([np.cos(turn), np.sin(turn)])
        behind, aside = -float(offset @ ahead), abs(float(ahead[0] * offset[1] - ahead[1] * offset[0]))
        if -0.03 < behind < HAND_LENGTH_M and aside < HAND_HALF_WIDTH_M + SHAPES[other.query.shape].width_m / 2:
            return True
    return False


def _hides(other: Placement, target: Placement, eye_xz: tuple[float, float]) -> bool:
    """Whether `other` stands in the way from the robot's eye to the top of `target`."""
    shape, hidden = SHAPES[other.query.shape], SHAPES[target.query.shape]
    eye = np.array([eye_xz[0], 0.0])
    way = np.array([target.x, target.y]) - eye
    offset = np.array([other.x, other.y]) - eye
    share = float(offset @ way / (way @ way))
    if not 0 < share < 1:
        return False
    aside = abs(way[0] * offset[1] - way[1] * offset[0]) / float(np.hypot(*way))
    top = target.support_m + hidden.height_m
    ray_height = eye_xz[1] + share * (top - eye_xz[1])
    return aside < (shape.width_m + hidden.width_m) / 2 and ray_height < other.support_m + shape.height_m + 0.02


def _free_spots(rng: np.random.Generator, count: int, zone: ReachZone) -> list[tuple[float, float]]:
    spots: list[tuple[float, float]] = []
    for attempt in range(1, 20_000):
        if attempt % 200 == 0:
            spots.clear()  # a bad start: nothing fits beside it
        x, y = float(rng.uniform(*zone.object_x)), float(rng.choice([-1, 1]) * rng.uniform(*zone.object_y))
        if all(np.hypot(x - a, y - b) >= SPACING_M for a, b in spots):
            spots.append((x, y))
            if len(spots) == count:
                return spots
    raise NoRoom(f"{count} objects at {SPACING_M} m spacing do not fit on the table")


SPEED_SPREAD = {"easy": 0.0, "normal": 0.1, "hard": 0.25}


def draw_pick_moving(
    rng: np.random.Generator, speed_m_s: float, wobble: float, zone: ReachZone | None = None,
    difficulty: str = "normal", lead_m: float = 0.0,
) -> Layout:  # fmt: skip
    """One object near the start of the belt, whose speed is about `speed_m_s`: exactly, within 10 % or within 25 %.

    It starts `lead_m` further away than the robot reaches, and so much later.
    """
    zone = zone or ReachZone()
    shape = GRASPABLE[int(rng.integers(len(GRASPABLE)))]
    colour = list(COLOURS)[int(rng.integers(len(COLOURS)))]
    middle = round(zone.table_edge_x + BELT_FROM_EDGE_M, 6)
    x, y = middle + float(rng.uniform(-0.03, 0.03)), BELT_START_Y - lead_m + float(rng.uniform(-0.02, 0.02))
    yaw = float(rng.uniform(-0.3, 0.3))
    spread = SPEED_SPREAD[difficulty]
    speed = speed_m_s * float(rng.uniform(1 - spread, 1 + spread))
    phase = float(rng.uniform(0, 2 * np.pi))
    belt = Belt(speed, wobble, phase_rad=phase, pose=(middle, BELT_MIDDLE_Y, 0.0), support_m=zone.table_top_m)
    support = zone.table_top_m + BELT_THICKNESS
    return Layout((Placement(ObjectQuery(shape, colour), x, y, yaw, support),), belt=belt)
