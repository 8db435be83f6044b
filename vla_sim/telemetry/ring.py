"""Rows in preallocated blocks: an append never copies what is already there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

BLOCK_ROWS = 4096


class RowBlocks:
    """A growing table of one dtype; `append` is one assignment into a preallocated block."""

    def __init__(self, width: int, dtype: DTypeLike) -> None:
        self._width, self._dtype = width, np.dtype(dtype)
        self._blocks: list[NDArray[Any]] = []
        self._rows = BLOCK_ROWS  # of the last block, so that the first append makes one

    def __len__(self) -> int:
        return max(len(self._blocks) - 1, 0) * BLOCK_ROWS + (self._rows if self._blocks else 0)

    def append(self) -> NDArray[Any]:
        """[width] the next row, to be filled in by the caller."""
        if self._rows == BLOCK_ROWS:
            self._blocks.append(np.zeros((BLOCK_ROWS, self._width), self._dtype))
            self._rows = 0
        self._rows += 1
        row: NDArray[Any] = self._blocks[-1][self._rows - 1]
        return row

    def table(self) -> NDArray[Any]:
        """[len, width] a copy of all rows."""
        if not self._blocks:
            return np.zeros((0, self._width), self._dtype)
        return np.concatenate([*self._blocks[:-1], self._blocks[-1][: self._rows]])
