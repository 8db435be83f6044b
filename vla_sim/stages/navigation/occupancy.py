"""What stands where: a grid of log-odds from scans, over what the floor plan says for certain."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from vla_sim.stages.navigation.config import NavigationConfig
from vla_sim.stages.navigation.distance import Cells, Field
from vla_sim.types import Array, Region, SiteMap, Surface

HIT, MISS = 1.2, 0.35  # log-odds of one scan
OCCUPIED, MOST, LEAST = 0.5, 2.0, -2.0
SETTLED_SCANS = 12  # what has stood in a cell for so long is no person who walks
BAND_M = 0.08  # a ray this far above or below what was seen in a cell says nothing about it
WALL_DEPTH_M = 0.12  # what is seen this near a known wall is the wall
CAP_M = 1.2  # distances are not told apart beyond
BORDER_M = 0.5  # around a site with walls
OPEN_M = 10.0  # around the robot in a site without

Stamps = NDArray[np.int32]


@numba.njit(cache=True)
def mark_hits(
    odds: Field, low: Field, high: Field, stamp: Stamps, number: int, corner: Array, cell_m: float,
    points: Array, solid: NDArray[np.bool_], eye: Array, tilt: float, low_m: float, high_m: float, wall_m: Field,
    since: Stamps, last: Stamps,
) -> None:  # fmt: skip
    """Things between `low_m` and `high_m` make their cells occupied at once; walls are known already."""
    for i in range(points.shape[0]):
        if not solid[i]:
            continue
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        reach = math.sqrt((x - eye[0]) ** 2 + (y - eye[1]) ** 2)
        if z > high_m or z < low_m + tilt * reach:
            continue
        r, c = math.floor((y - corner[1]) / cell_m), math.floor((x - corner[0]) / cell_m)
        if r < 0 or c < 0 or r >= odds.shape[0] or c >= odds.shape[1] or wall_m[r, c] <= WALL_DEPTH_M:
            continue
        if odds[r, c] <= 0.0:
            low[r, c], high[r, c], since[r, c] = z, z, number
        if stamp[r, c] != number:
            odds[r, c] = min(max(odds[r, c], 0.0) + HIT, MOST)
            stamp[r, c], last[r, c] = number, number
        low[r, c], high[r, c] = min(low[r, c], z), max(high[r, c], z)


@numba.njit(cache=True)
def clear_rays(
    odds: Field, low: Field, high: Field, stamp: Stamps, number: int, corner: Array, cell_m: float,
    points: Array, solid: NDArray[np.bool_], eye: Array, high_m: float,
) -> None:  # fmt: skip
    """Cells a ray went through are free, where it went at the height at which something had been seen."""
    for i in range(points.shape[0]):
        dx, dy, dz = points[i, 0] - eye[0], points[i, 1] - eye[1], points[i, 2] - eye[2]
        reach = math.sqrt(dx * dx + dy * dy)
        end = reach - (1.5 * cell_m if solid[i] else 0.0)
        steps = int(end / cell_m)
        for k in range(steps):
            share = (k + 0.5) * cell_m / reach
            z = eye[2] + share * dz
            if z > high_m:
                break
            c = math.floor((eye[0] + share * dx - corner[0]) / cell_m)
            r = math.floor((eye[1] + share * dy - corner[1]) / cell_m)
            if r < 0 or c < 0 or r >= odds.shape[0] or c >= odds.shape[1]:
                break
            if stamp[r, c] == number:
                continue  # seen occupied, or cleared, by this scan
            if odds[r, c] > 0.0 and (z < low[r, c] - BAND_M or z > high[r, c] + BAND_M):
                continue
            odds[r, c] = max(odds[r, c] - MISS, LEAST)
            stamp[r, c] = number


@numba.njit(cache=True)
def draw_segment(cells: Cells, corner: Array, cell_m: float, segment: Array, half_m: float) -> None:
    """Blocks the cells within `half_m` of a segment x0, y0, x1, y1, and those it runs through."""
    dx, dy = segment[2] - segment[0], segment[3] - segment[1]
    length = math.sqrt(dx * dx + dy * dy)
    steps = math.ceil(length / (0.25 * cell_m)) + 1
    sides = math.ceil(2.0 * half_m / (0.25 * cell_m))
    for k in range(steps + 1):
        for j in range(sides + 1):
            off = (j / sides - 0.5) * 2.0 * half_m if sides > 0 else 0.0
            x = segment[0] + dx * k / steps - (dy / length * off if length > 0.0 else 0.0)
            y = segment[1] + dy * k / steps + (dx / length * off if length > 0.0 else 0.0)
            c, r = math.floor((x - corner[0]) / cell_m), math.floor((y - corner[1]) / cell_m)
            if 0 <= r < cells.shape[0] and 0 <= c < cells.shape[1]:
                cells[r, c] = 1


@dataclass(frozen=True)
class Extent:
    """Where a grid lies in the site: its corner [2] m, and its size in cells."""

    corner: Array
    rows: int
    cols: int
    cell_m: float

    def contains(self, point: Array) -> bool:
        """Whether `point` [2] is inside."""
        row, col = self.cell(point)
        return 0 <= row < self.rows and 0 <= col < self.cols

    def cell(self, point: Array) -> tuple[int, int]:
        """Row and column of `point` [2]; may be outside."""
        col = math.floor((float(point[0]) - self.corner[0]) / self.cell_m)
        return math.floor((float(point[1]) - self.corner[1]) / self.cell_m), col

    def middle(self, cells: NDArray[np.int64]) -> Array:
        """[k, 2] m, the middles of cells [k, 2] (row, column)."""
        return self.corner + (cells[:, ::-1] + 0.5) * self.cell_m

    def middles(self) -> tuple[Array, Array]:
        """[cols] x and [rows] y of the middles of all cells, m."""
        xs = self.corner[0] + (np.arange(self.cols) + 0.5) * self.cell_m
        return xs, self.corner[1] + (np.arange(self.rows) + 0.5) * self.cell_m


def extent_of(site: SiteMap, points: Array, cell_m: float) -> Extent:
    """A grid over all of the site and `points` [k, 2]; wide around them where no walls end it."""
    border = BORDER_M if len(site.walls) else OPEN_M
    known = [site.walls[:, :2], site.walls[:, 2:], *(region.corners for region in site.regions)]
    known += [surface.pose[None, :2] for surface in site.surfaces]
    spread = np.concatenate([*known, points])
    low = np.floor((spread.min(axis=0) - border) / cell_m) * cell_m
    size = np.ceil((spread.max(axis=0) + border - low) / cell_m).astype(int)
    return Extent(low, int(size[1]), int(size[0]), cell_m)


def inside(corners: Array, xs: Array, ys: Array) -> NDArray[np.bool_]:
    """[rows, cols] whether the points of a raster lie in the polygon `corners` [k, 2]."""
    found = np.zeros((len(ys), len(xs)), bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        crosses = (ys >= min(y0, y1)) & (ys < max(y0, y1))
        at_x = x0 + (ys - y0) * (x1 - x0) / (y1 - y0)
        found ^= crosses[:, None] & (xs[None, :] < at_x[:, None])
    return found


def corners_of(surface: Surface, border_m: float = 0.0) -> Array:
    """[4, 2] the outline of a surface, `border_m` wider on every side."""
    half = 0.5 * surface.size_m + border_m
    local = half * np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    c, s = math.cos(surface.pose[2]), math.sin(surface.pose[2])
    return surface.pose[:2] + local @ np.array([[c, s], [-s, c]])


def floor_plan(site: SiteMap, extent: Extent, thickness_m: float) -> tuple[Cells, Cells]:
    """[rows, cols] cells of the walls; and all that is known to be no floor: walls, tables, forbidden and hot ones."""
    walls = np.zeros((extent.rows, extent.cols), np.uint8)
    for segment in site.walls:
        draw_segment(walls, extent.corner, extent.cell_m, segment, 0.5 * thickness_m)
    plan = walls.copy()
    xs, ys = extent.middles()
    outlines = [r.corners for r in site.regions if is_lethal(r)] + [corners_of(s) for s in site.surfaces]
    for corners in outlines:
        plan[inside(corners, xs, ys)] = 1
        for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            draw_segment(plan, extent.corner, extent.cell_m, np.concatenate([start, end]), 0.0)
    return walls, plan


@numba.njit(cache=True)
def from_segments(segments: Array, xs: Array, ys: Array, half_m: float, cap_m: float) -> Field:
    """[rows, cols] m from the points of a raster to the nearest segment [k, 4] of thickness 2 `half_m`, exactly.

    A doorway is a hand wider than the robot: half a cell more or less decides whether it gets through.
    """
    out = np.full((len(ys), len(xs)), np.float32(cap_m))
    for k in range(segments.shape[0]):
        ax, ay = segments[k, 0], segments[k, 1]
        dx, dy = segments[k, 2] - ax, segments[k, 3] - ay
        square = dx * dx + dy * dy
        for r in range(len(ys)):
            for c in range(len(xs)):
                px, py = xs[c] - ax, ys[r] - ay
                share = min(max((px * dx + py * dy) / square, 0.0), 1.0) if square > 0.0 else 0.0
                off = math.hypot(px - share * dx, py - share * dy) - half_m
                out[r, c] = min(out[r, c], np.float32(max(off, 0.0)))
    return out


def is_lethal(region: Region) -> bool:
    """Whether the robot must stay out of it."""
    return region.kind in ("forbidden", "hot")


class OccupancyGrid:
    """Floor plan and scans in one raster.

    `wall_m` [rows, cols] is the way to the nearest wall, m; `plan` [rows, cols] what else is known to be no floor. They
    never change; `blocked_in` adds what was seen.
    """

    def __init__(self, site: SiteMap, extent: Extent, config: NavigationConfig) -> None:
        shape = (extent.rows, extent.cols)
        self.extent, self._config = extent, config
        walls, plan = floor_plan(site, extent, config.wall_thickness_m)
        self.plan: Cells = plan & ~walls
        xs, ys = extent.middles()
        self.wall_m = from_segments(site.walls, xs, ys, 0.5 * config.wall_thickness_m, CAP_M)
        self._odds, self._low, self._high = (np.zeros(shape, np.float32) for _ in range(3))
        self._stamp, self._number = np.zeros(shape, np.int32), 0
        self._since = np.zeros(shape, np.int32)  # number of the scan that made a cell occupied
        self._last = np.zeros(shape, np.int32)  # number of the scan that last hit something there

    def integrate(self, points: Array, solid: NDArray[np.bool_], told: NDArray[np.bool_], eye: Array) -> None:
        """One scan: ray ends [n, 3] and its eye [3] in the site; `solid` met something, `told` counts as occupied.

        What is solid but not told, such as a person who walks, still ends a ray.
        """
        self._number += 1
        e, c = self.extent, self._config
        grid = (self._odds, self._low, self._high, self._stamp, self._number, e.corner, e.cell_m, points)
        mark_hits(*grid, told, eye, c.tilt_rad, c.low_m, c.high_m, self.wall_m, self._since, self._last)
        clear_rays(*grid, solid, eye, c.high_m)

    def forget(self, middle: Array, radius_m: float) -> None:
        """What was seen around a place [2] is known no longer."""
        e = self.extent
        row, col = e.cell(middle)
        reach = math.ceil(radius_m / e.cell_m)
        rows = np.arange(max(row - reach, 0), min(row + reach + 1, e.rows))
        cols = np.arange(max(col - reach, 0), min(col + reach + 1, e.cols))
        near = np.hypot(rows[:, None] - row, cols[None, :] - col) <= reach
        part = np.ix_(rows, cols)
        self._odds[part] = np.where(near, np.minimum(self._odds[part], 0.0), self._odds[part])

    def settled(self, points: Array) -> NDArray[np.bool_]:
        """[n] whether points [n, 2 or 3] lie where something has stood for a while."""
        e = self.extent
        cells = np.floor((points[:, :2] - e.corner) / e.cell_m).astype(np.int64)
        rows, cols = np.clip(cells[:, 1], 0, e.rows - 1), np.clip(cells[:, 0], 0, e.cols - 1)
        long = self._number - self._since[rows, cols] >= SETTLED_SCANS
        return np.asarray((self._odds[rows, cols] > OCCUPIED) & long)

    def blocked_in(self, window: tuple[slice, slice], scans: int | None = None) -> Cells:
        """[rows, cols] of a window: 1 where nobody can walk, as far as the last `scans` have shown. A copy."""
        seen = self._odds[window] > OCCUPIED
        if scans is not None:
            seen &= self._number - self._last[window] < scans
        return np.asarray(self.plan[window] | seen, dtype=np.uint8)

    def unseen(self) -> NDArray[np.bool_]:
        """[rows, cols] cells no ray has ever met."""
        return self._stamp == 0
