"""How far every cell of a grid is from the nearest blocked one: the exact Euclidean distance, in two passes."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

FAR = 1.0e6  # cells, farther than any grid is wide

Cells = NDArray[np.uint8]
Field = NDArray[np.float32]


@numba.njit(cache=True)
def _columns(blocked: Cells, squared: NDArray[np.float64]) -> None:
    """Squared distance in cells to the nearest blocked cell of the same column."""
    rows, cols = blocked.shape
    for c in range(cols):
        squared[0, c] = 0.0 if blocked[0, c] else FAR
    for r in range(1, rows):
        for c in range(cols):
            squared[r, c] = 0.0 if blocked[r, c] else squared[r - 1, c] + 1.0
    for r in range(rows - 2, -1, -1):
        for c in range(cols):
            squared[r, c] = min(squared[r, c], squared[r + 1, c] + 1.0)
    for r in range(rows):
        for c in range(cols):
            squared[r, c] *= squared[r, c]


@numba.njit(cache=True)
def distances(blocked: Cells, cell_m: float, cap_m: float) -> Field:
    """[rows, cols] m from the middle of each cell to that of the nearest blocked cell, at most `cap_m`.

    The second pass is the lower envelope of parabolas (Felzenszwalb and Huttenlocher 2012).
    """
    rows, cols = blocked.shape
    squared = np.empty((rows, cols))
    _columns(blocked, squared)
    out = np.empty((rows, cols), np.float32)
    roots, edges = np.empty(cols, np.int64), np.empty(cols + 1)
    for r in range(rows):
        f = squared[r]
        k, roots[0], edges[0], edges[1] = 0, 0, -FAR * FAR, FAR * FAR
        for q in range(1, cols):
            while True:
                p = roots[k]
                cut = 0.5 * ((f[q] - f[p]) / (q - p) + q + p)
                if cut > edges[k]:
                    break
                k -= 1
            k += 1
            roots[k], edges[k], edges[k + 1] = q, cut, FAR * FAR
        k = 0
        for q in range(cols):
            while edges[k + 1] < q:
                k += 1
            p = roots[k]
            out[r, q] = min(cell_m * np.sqrt(f[p] + float((q - p) * (q - p))), cap_m)
    return out


@numba.njit(cache=True)
def at(field: Field, x0_m: float, y0_m: float, cell_m: float, x_m: float, y_m: float) -> float:
    """Distance at a point between the middles of cells, m; 0 outside of the grid. (x0, y0) is the grid's corner."""
    c = (x_m - x0_m) / cell_m - 0.5
    r = (y_m - y0_m) / cell_m - 0.5
    if not (0.0 <= c < field.shape[1] - 1 and 0.0 <= r < field.shape[0] - 1):
        return 0.0
    i, j = int(r), int(c)
    a, b = r - i, c - j
    low = field[i, j] * (1.0 - b) + field[i, j + 1] * b
    high = field[i + 1, j] * (1.0 - b) + field[i + 1, j + 1] * b
    return float(low * (1.0 - a) + high * a)
