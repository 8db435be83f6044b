"""The way round: A* over the grid, at a price for coming near things, and straightened where that costs no more."""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

from vla_sim.stages.navigation.config import NavigationConfig
from vla_sim.stages.navigation.distance import Field

SQRT2 = math.sqrt(2.0)
NEAR_PRICE = 4.0  # of a cell at the least distance from things, in free ones
SQUEEZE_PRICE = 20.0  # more, for one nearer than a route comes to things if it can
UNSEEN_PRICE = 0.5  # more, for a cell never looked at
TIGHT_PRICE = 30.0  # of a cell too near to things, where the robot already stands in such a place
TIGHT_M, TIGHT_ROOM_M = 0.5, 0.1  # how far from there, and how near to things
STRAIGHT_CELLS = 80  # longest straight piece tried

Path = NDArray[np.int64]


def prices(
    distance_m: Field,
    unseen: NDArray[np.bool_],
    start: tuple[int, int],
    cell_m: float,
    config: NavigationConfig,
) -> Field:
    """[rows, cols] price of a cell in cells; inf where the body does not fit. The robot may leave where it stands."""
    short = np.clip((config.soft_m - distance_m) / (config.soft_m - config.keep_m), 0.0, 1.0)
    price = (1.0 + NEAR_PRICE * short * short + UNSEEN_PRICE * unseen).astype(np.float32)
    price[distance_m < config.keep_m] += SQUEEZE_PRICE
    tight = distance_m < config.least_m
    price[tight] = np.inf
    reach = math.ceil(TIGHT_M / cell_m)
    rows = slice(max(start[0] - reach, 0), start[0] + reach + 1)
    cols = slice(max(start[1] - reach, 0), start[1] + reach + 1)
    stuck_m = distance_m[start]
    if tight[start]:
        part = price[rows, cols]
        room_m = max(min(stuck_m, TIGHT_ROOM_M), 0.5 * cell_m)  # through nothing
        part[np.isinf(part) & (distance_m[rows, cols] >= room_m)] = TIGHT_PRICE
    return price


@numba.njit(cache=True)
def _push(heap_key: NDArray[np.float64], heap_cell: NDArray[np.int64], size: int, key: float, cell: int) -> int:
    """The size of the heap with one entry more. Of equal keys the lower cell comes first: order is never chance."""
    i = size
    while i > 0:
        up = (i - 1) // 2
        if heap_key[up] < key or (heap_key[up] == key and heap_cell[up] <= cell):
            break
        heap_key[i], heap_cell[i] = heap_key[up], heap_cell[up]
        i = up
    heap_key[i], heap_cell[i] = key, cell
    return size + 1


@numba.njit(cache=True)
def _drop_first(heap_key: NDArray[np.float64], heap_cell: NDArray[np.int64], size: int) -> int:
    """The size of the heap without its first entry."""
    size -= 1
    key, cell = heap_key[size], heap_cell[size]
    i = 0
    while True:
        j = 2 * i + 1
        if j >= size:
            break
        if j + 1 < size and (
            heap_key[j + 1] < heap_key[j] or (heap_key[j + 1] == heap_key[j] and heap_cell[j + 1] < heap_cell[j])
        ):
            j += 1
        if key < heap_key[j] or (key == heap_key[j] and cell <= heap_cell[j]):
            break
        heap_key[i], heap_cell[i] = heap_key[j], heap_cell[j]
        i = j
    heap_key[i], heap_cell[i] = key, cell
    return size


@numba.njit(cache=True)
def astar(price: Field, start: tuple[int, int], goal: tuple[int, int]) -> tuple[Path, bool, float]:
    """The cheapest path [k, 2] of cells (row, column), whether it reaches the goal, and its price.

    8 neighbours; a step costs its length in cells times the mean price (at least 1) of both cells. When the goal cannot
    be reached, the path ends at the cell nearest to it that can.
    """
    rows, cols = price.shape
    n = rows * cols
    cost, parent, closed = np.full(n, np.inf), np.full(n, -1, np.int64), np.zeros(n, np.bool_)
    heap_key, heap_cell = np.empty(8 * n + 1), np.empty(8 * n + 1, np.int64)
    first, last = start[0] * cols + start[1], goal[0] * cols + goal[1]
    cost[first] = 0.0
    size = _push(heap_key, heap_cell, 0, 0.0, first)
    nearest, nearest_off = first, float((start[0] - goal[0]) ** 2 + (start[1] - goal[1]) ** 2)
    while size > 0 and not closed[last]:
        cell = heap_cell[0]
        size = _drop_first(heap_key, heap_cell, size)
        if closed[cell]:
            continue
        closed[cell] = True
        r, c = cell // cols, cell % cols
        off = float((r - goal[0]) ** 2 + (c - goal[1]) ** 2)
        if off < nearest_off:
            nearest, nearest_off = cell, off
        for dr in range(-1, 2):
            for dc in range(-1, 2):
                i, j = r + dr, c + dc
                if i < 0 or j < 0 or i >= rows or j >= cols or (dr == 0 and dc == 0) or np.isinf(price[i, j]):
                    continue
                step = SQRT2 if dr != 0 and dc != 0 else 1.0
                near = price[r, c] if not np.isinf(price[r, c]) else price[i, j]
                total = cost[cell] + step * 0.5 * (near + price[i, j])
                to = i * cols + j
                if closed[to] or total >= cost[to]:
                    continue
                cost[to], parent[to] = total, cell
                high, wide = abs(i - goal[0]), abs(j - goal[1])
                rest = max(high, wide) + (SQRT2 - 1.0) * min(high, wide)
                size = _push(heap_key, heap_cell, size, total + rest, to)
    reached = bool(closed[last])
    end = last if reached else nearest
    count, cell = 1, end
    while parent[cell] >= 0:
        cell = parent[cell]
        count += 1
    path, cell = np.empty((count, 2), np.int64), end
    for k in range(count - 1, -1, -1):
        path[k, 0], path[k, 1] = cell // cols, cell % cols
        cell = parent[cell]
    return path, reached, cost[end]


@numba.njit(cache=True)
def line_price(price: Field, start: NDArray[np.int64], end: NDArray[np.int64]) -> float:
    """Price of the straight line between the middles of two cells; inf where it is not free."""
    dr, dc = float(end[0] - start[0]), float(end[1] - start[1])
    length = math.sqrt(dr * dr + dc * dc)
    steps = math.ceil(2.0 * length)
    total = 0.0
    for k in range(steps):
        share = (k + 0.5) / steps
        total += price[math.floor(start[0] + share * dr + 0.5), math.floor(start[1] + share * dc + 0.5)]
    return total * length / steps if steps > 0 else 0.0


@numba.njit(cache=True)
def straightened(price: Field, path: Path) -> Path:
    """[k, 2] fewer cells: pieces of the path that a straight line replaces at no higher price."""
    n = path.shape[0]
    along = np.zeros(n)
    for k in range(1, n):
        a, b = price[path[k - 1, 0], path[k - 1, 1]], price[path[k, 0], path[k, 1]]
        diagonal = path[k, 0] != path[k - 1, 0] and path[k, 1] != path[k - 1, 1]
        along[k] = along[k - 1] + (SQRT2 if diagonal else 1.0) * 0.5 * (b + (b if np.isinf(a) else a))
    kept = np.zeros(n, np.int64)
    count, at = 1, 0
    while at < n - 1:
        to = at + 1
        for j in range(min(n - 1, at + STRAIGHT_CELLS), at + 1, -1):
            if line_price(price, path[at], path[j]) <= (along[j] - along[at]) * 1.001:
                to = j
                break
        kept[count] = to
        count += 1
        at = to
    return path[kept[:count]]


def resampled(corners: NDArray[np.float64], spacing_m: float) -> NDArray[np.float64]:
    """[m, 2] points along a polyline [k, 2], `spacing_m` apart and its end."""
    if len(corners) < 2:
        return corners
    legs = np.hypot(*np.diff(corners, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(legs)])
    wanted = np.append(np.arange(0.0, along[-1], spacing_m), along[-1])
    return np.column_stack([np.interp(wanted, along, corners[:, axis]) for axis in (0, 1)])
