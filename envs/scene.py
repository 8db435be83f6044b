"""What stands where: layouts of a kitchen table, drawn from a seed. World = base frame at the start. Lengths m."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vla_sim.catalogue import COLOURS, GRASPABLE, SHAPES
from vla_sim.errors import VlaSimError
from vla_sim.types import ObjectQuery

TABLE_TOP_M, TABLE_EDGE_X, TABLE_SIZE = 0.70, 0.19, (0.60, 1.20, 0.04)
OBJECT_X, OBJECT_Y = (0.25, 0.39), (0.18, 0.35)  # y on either side of the tray
SPACING_M = 0.125
HAND_LENGTH_M, HAND_HALF_WIDTH_M = 0.22, 0.075
TRAY_XY = (0.30, 0.0)
EYE_XZ = (0.06, 1.24)  # of the robot that looks at the table
BELT_X, BELT_HALF_WIDTH, BELT_HALF_LENGTH, BELT_THICKNESS = 0.34, 0.07, 0.80, 0.01
BELT_START_Y = -0.40


@dataclass(frozen=True)
class Placement:
    """One object on the table."""

    query: ObjectQuery
    x: float
    y: float
    yaw_rad: float
    support_m: float = TABLE_TOP_M  # height of what it stands on


@dataclass(frozen=True)
class Belt:
    """A conveyor along +y. Speed(t) = speed_m_s (1 + wobble sin(2 pi t / period_s + phase_rad))."""

    speed_m_s: float
    wobble: float = 0.0
    period_s: float = 2.5
    phase_rad: float = 0.0

    def speed_at(self, time_s: float) -> float:
        """Belt speed, m/s."""
        return self.speed_m_s * (1 + self.wobble * float(np.sin(2 * np.pi * time_s / self.period_s + self.phase_rad)))


@dataclass(frozen=True)
class Layout:
    """A whole scene. The first placement is the task's object."""

    placements: tuple[Placement, ...]
    tray: Placement | None = None
    belt: Belt | None = None

    @property
    def target(self) -> Placement:
        return self.placements[0]


class NoRoom(VlaSimError):
    """The objects do not fit on the table."""


def draw_pick_place(rng: np.random.Generator) -> Layout:
    """Three to five objects in free places either side of the tray; no two share both shape and colour.

    The first is neither hidden nor walled in: the robot is asked for something that it can see and get a hand to.
    """
    colours = list(COLOURS)
    tray_colour = colours.pop(int(rng.integers(len(colours))))
    kinds = [ObjectQuery(shape, colour) for shape in GRASPABLE for colour in colours]
    while True:
        count = int(rng.integers(3, 6))
        chosen = [kinds[i] for i in rng.permutation(len(kinds))[:count]]
        spots = _free_spots(rng, count)
        yaws = rng.uniform(-np.pi, np.pi, count)
        placements = tuple(
            Placement(query, x, y, float(yaw)) for query, (x, y), yaw in zip(chosen, spots, yaws, strict=True)
        )
        target = placements[0]
        if not any(_hides(other, target) or _walls_in(other, target) for other in placements[1:]):
            return Layout(placements, tray=Placement(ObjectQuery("tray", tray_colour), *TRAY_XY, 0.0))


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


def _hides(other: Placement, target: Placement) -> bool:
    """Whether `other` stands in the way from the robot's eye to the top of `target`."""
    shape, hidden = SHAPES[other.query.shape], SHAPES[target.query.shape]
    eye = np.array([EYE_XZ[0], 0.0])
    way = np.array([target.x, target.y]) - eye
    offset = np.array([other.x, other.y]) - eye
    share = float(offset @ way / (way @ way))
    if not 0 < share < 1:
        return False
    aside = abs(way[0] * offset[1] - way[1] * offset[0]) / float(np.hypot(*way))
    top = target.support_m + hidden.height_m
    ray_height = EYE_XZ[1] + share * (top - EYE_XZ[1])
    return aside < (shape.width_m + hidden.width_m) / 2 and ray_height < other.support_m + shape.height_m + 0.02


def _free_spots(rng: np.random.Generator, count: int) -> list[tuple[float, float]]:
    spots: list[tuple[float, float]] = []
    for attempt in range(1, 20_000):
        if attempt % 200 == 0:
            spots.clear()  # a bad start: nothing fits beside it
        x, y = float(rng.uniform(*OBJECT_X)), float(rng.choice([-1, 1]) * rng.uniform(*OBJECT_Y))
        if all(np.hypot(x - a, y - b) >= SPACING_M for a, b in spots):
            spots.append((x, y))
            if len(spots) == count:
                return spots
    raise NoRoom(f"{count} objects at {SPACING_M} m spacing do not fit on the table")


def draw_pick_moving(rng: np.random.Generator, speed_m_s: float, wobble: float) -> Layout:
    """One object near the start of the belt, whose speed is within 10 % of `speed_m_s`."""
    shape = GRASPABLE[int(rng.integers(len(GRASPABLE)))]
    colour = list(COLOURS)[int(rng.integers(len(COLOURS)))]
    x, y = BELT_X + float(rng.uniform(-0.03, 0.03)), BELT_START_Y + float(rng.uniform(-0.02, 0.02))
    yaw = float(rng.uniform(-0.3, 0.3))
    belt = Belt(speed_m_s * float(rng.uniform(0.9, 1.1)), wobble, phase_rad=float(rng.uniform(0, 2 * np.pi)))
    support = TABLE_TOP_M + BELT_THICKNESS
    return Layout((Placement(ObjectQuery(shape, colour), x, y, yaw, support),), belt=belt)
