"""What takes up the floor: rectangles of walls and furniture, their distances, and ways between them."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

from envs.scene_file import Furniture, Scene, Wall
from vla_sim.types import Array

CELL_M = 0.05
STRIDE = 2  # of the cells among which a short way is sought
Point = Sequence[float] | Array  # x, y first
STEPS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))
TOUCH_M = 0.005  # so much of an overlap is an accident of rounding


@dataclass(frozen=True)
class Rect:
    """A rectangle on the floor, turned by `yaw_rad` about its middle."""

    name: str
    x: float
    y: float
    yaw_rad: float
    half_x: float
    half_y: float

    def distance_m(self, x: Array, y: Array) -> Array:
        """From each point to the nearest of the rectangle; 0 inside."""
        c, s = math.cos(self.yaw_rad), math.sin(self.yaw_rad)
        dx, dy = x - self.x, y - self.y
        out_x = np.maximum(np.abs(c * dx + s * dy) - self.half_x, 0.0)
        out_y = np.maximum(np.abs(c * dy - s * dx) - self.half_y, 0.0)
        return np.hypot(out_x, out_y)

    @property
    def corners(self) -> Array:
        """[4, 2] in order round it."""
        c, s = math.cos(self.yaw_rad), math.sin(self.yaw_rad)
        own = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [self.half_x, self.half_y]
        return own @ np.array([[c, s], [-s, c]]) + [self.x, self.y]

    def to_line_m(self, start: Array, end: Array) -> float:
        """From the nearest point of a straight way to the rectangle, to within a centimetre."""
        points = np.linspace(start, end, 2 + int(math.dist(start, end) / 0.02))
        return float(self.distance_m(points[:, 0], points[:, 1]).min())

    def overlap_m(self, other: Rect) -> float:
        """How deep two rectangles lie in each other along the best separating direction; negative = apart."""
        depth = math.inf
        for turn in (self.yaw_rad, other.yaw_rad):
            for ax, ay in ((math.cos(turn), math.sin(turn)), (-math.sin(turn), math.cos(turn))):
                one, two = self.corners @ [ax, ay], other.corners @ [ax, ay]
                depth = min(depth, float(min(one.max(), two.max()) - max(one.min(), two.min())))
        return depth


@dataclass(frozen=True)
class Polygon:
    """A part of the floor with straight sides."""

    name: str
    corners: Array  # [k, 2] in order round it

    def distance_m(self, x: Array, y: Array) -> Array:
        """From each point to the nearest of the polygon; 0 inside."""
        nearest, inside = np.full(np.shape(x), np.inf), np.zeros(np.shape(x), dtype=bool)
        for (ax, ay), (bx, by) in zip(self.corners, np.roll(self.corners, -1, axis=0), strict=True):
            dx, dy = bx - ax, by - ay
            share = np.clip(((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy), 0.0, 1.0)
            nearest = np.minimum(nearest, np.hypot(x - ax - share * dx, y - ay - share * dy))
            if dy != 0.0:
                inside ^= ((ay > y) != (by > y)) & (x < ax + (y - ay) / dy * dx)
        return np.where(inside, 0.0, nearest)


def wall_rects(wall: Wall) -> list[Rect]:
    """The pieces of a wall between its doors."""
    ux, uy = ((b - a) / wall.length_m for a, b in zip(wall.start, wall.end, strict=True))
    yaw = math.atan2(uy, ux)
    return [
        Rect(
            wall.name, wall.start[0] + ux * (a + b) / 2, wall.start[1] + uy * (a + b) / 2, yaw, (b - a) / 2,
            wall.thickness_m / 2,
        )
        for a, b in wall.solid
    ]  # fmt: skip


def furniture_rect(item: Furniture) -> Rect:
    """What a piece of furniture takes up, tops included."""
    return Rect(item.name, item.at[0], item.at[1], item.yaw_rad, item.size_m[0] / 2, item.size_m[1] / 2)


@lru_cache(maxsize=16)
def floor_plan(scene: Scene, *, zones: bool = False) -> FloorPlan:
    """The plan of a scene, made once."""
    return FloorPlan(scene, zones=zones)


class FloorPlan:
    """Walls and furniture of a scene; with `zones` also where the robot must not go. Never changes."""

    def __init__(self, scene: Scene, *, zones: bool = False) -> None:
        self.scene = scene
        walls = [rect for wall in scene.walls for rect in wall_rects(wall)]
        self.rects: list[Rect | Polygon] = [*walls, *(furniture_rect(item) for item in scene.furniture)]
        if zones:
            self.rects += [Polygon(zone.name, zone.outline) for zone in scene.zones]
        self._lay_grid()

    def _lay_grid(self) -> None:
        points = [rect.corners for rect in self.rects] + [room.outline for room in self.scene.rooms]
        points.append(np.array([self.scene.start[:2]]))
        everything = np.concatenate(points)
        border = 0.0 if self.scene.rooms else 2.0
        self._low = everything.min(axis=0) - border
        nx, ny = np.floor((everything.max(axis=0) + border - self._low) / CELL_M + 1e-6).astype(int) + 1
        self._x = self._low[0] + CELL_M * np.arange(nx)[:, None] + np.zeros((1, ny))
        self._y = self._low[1] + CELL_M * np.arange(ny)[None, :] + np.zeros((nx, 1))
        self.clear_m = np.full((nx, ny), np.inf)  # from each cell to the nearest thing
        for rect in self.rects:
            np.minimum(self.clear_m, rect.distance_m(self._x, self._y), out=self.clear_m)

    def having(self, item: Furniture) -> FloorPlan:
        """This plan with one more thing on it."""
        other, rect = copy(self), furniture_rect(item)
        other.rects = [*self.rects, rect]
        other.clear_m = np.minimum(self.clear_m, rect.distance_m(self._x, self._y))
        return other

    def clearance_m(self, x: float, y: float) -> float:
        """From a point to the nearest thing; 0 inside one."""
        return min((_one_m(rect, x, y) for rect in self.rects), default=math.inf)

    def nearest_thing(self, x: float, y: float) -> str:
        """Name of what is nearest to a point."""
        return min(self.rects, key=lambda rect: _one_m(rect, x, y)).name

    def clearance_along_m(self, start: Point, end: Point) -> tuple[float, Array]:
        """Least clearance on a straight way, and [2] where."""
        count = max(2, math.ceil(math.dist(start, end) / 0.02) + 1)
        points = np.linspace(start, end, count)
        clear = np.full(count, np.inf)
        for rect in self.rects:
            np.minimum(clear, rect.distance_m(points[:, 0], points[:, 1]), out=clear)
        worst = int(np.argmin(clear))
        return float(clear[worst]), points[worst]

    def reachable(self, start: Point, goal: Point, radius_m: float) -> bool:
        """Whether a disc can move from start to goal; it may start closer to things than it fits, as at a table."""
        free = self.clear_m >= radius_m
        free |= np.hypot(self._x - start[0], self._y - start[1]) <= radius_m + CELL_M
        parts, _ = ndimage.label(free)
        a, b = parts[self._cell(start)], parts[self._cell(goal)]
        return bool(a and a == b)

    def way(self, start: Point, goal: Point, radius_m: float) -> list[Array]:
        """A short way for a disc: waypoints [2] with straight free lines between; empty when there is none."""
        (a, b), (c, d) = self._cell(start), self._cell(goal)
        begin, end = (a // STRIDE, b // STRIDE), (c // STRIDE, d // STRIDE)
        came = self._search(begin, end, radius_m)
        if end not in came:
            return []
        cells = [end]
        while cells[-1] != begin:
            cells.append(came[cells[-1]])
        x, y = self._x[::STRIDE, ::STRIDE], self._y[::STRIDE, ::STRIDE]
        inner = [np.array([x[cell], y[cell]]) for cell in reversed(cells)][1:-1]
        points = [np.asarray(start[:2], dtype=np.float64), *inner, np.asarray(goal[:2], dtype=np.float64)]
        kept, i = [points[0]], 0
        while i < len(points) - 1:  # pulled tight: as far ahead as the line is free
            j = len(points) - 1
            while j > i + 1 and self.clearance_along_m(points[i], points[j])[0] < radius_m:
                j = i + 1 + (j - i - 1) // 2
            kept.append(points[j])
            i = j
        return kept

    def _search(
        self, begin: tuple[int, int], end: tuple[int, int], radius_m: float
    ) -> dict[tuple[int, int], tuple[int, int]]:
        """Where each cell was come from, by the way of least length; nearness to things makes a way longer."""
        came: dict[tuple[int, int], tuple[int, int]] = {}
        queue = [(0.0, 0.0, begin, begin)]
        clear_m = self.clear_m[::STRIDE, ::STRIDE].tolist()
        rows, columns = len(clear_m), len(clear_m[0])
        while queue and end not in came:
            _, cost, cell, origin = heapq.heappop(queue)
            if cell in came:
                continue
            came[cell] = origin
            for i, j in STEPS:
                there = cell[0] + i, cell[1] + j
                if there in came or not (0 <= there[0] < rows and 0 <= there[1] < columns):
                    continue
                clear = clear_m[there[0]][there[1]]
                if clear < radius_m and there != end:
                    continue
                onward = cost + math.hypot(i, j) * (1.0 + max(0.0, 2 * radius_m - clear) / radius_m)
                ahead = math.hypot(there[0] - end[0], there[1] - end[1])
                heapq.heappush(queue, (onward + ahead, onward, there, cell))
        return came

    def bottleneck(self, start: Point, goal: Point, radius_m: float) -> Array:
        """[2] the narrowest place of the way from start to goal that leads least through things.

        Where it leads through a thing, that is where it first enters it.
        """
        begin, end = self._cell(start), self._cell(goal)
        dear = np.where(self.clear_m < 0.01, 1000.0, 1.0 + 100.0 * np.maximum(radius_m - self.clear_m, 0.0)).tolist()
        came: dict[tuple[int, int], tuple[int, int]] = {}
        queue = [(0.0, begin, begin)]
        while queue and end not in came:
            cost, cell, origin = heapq.heappop(queue)
            if cell in came:
                continue
            came[cell] = origin
            for i, j in STEPS[:4]:
                there = cell[0] + i, cell[1] + j
                if there not in came and 0 <= there[0] < len(dear) and 0 <= there[1] < len(dear[0]):
                    heapq.heappush(queue, (cost + dear[there[0]][there[1]], there, cell))
        cells = [end]
        while cells[-1] != begin:
            cells.append(came[cells[-1]])
        worst = min(reversed(cells), key=lambda cell: self.clear_m[cell])
        return np.array([self._x[worst], self._y[worst]])

    def _cell(self, point: Point) -> tuple[int, int]:
        index = np.rint((np.asarray(point[:2], dtype=np.float64) - self._low) / CELL_M).astype(int)
        i, j = np.clip(index, 0, np.array(self.clear_m.shape) - 1).tolist()
        return i, j


def _one_m(thing: Rect | Polygon, x: float, y: float) -> float:
    return float(thing.distance_m(np.array([x]), np.array([y]))[0])
