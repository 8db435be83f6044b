"""A turning lidar comes in parts: what the last parts saw, as one scan."""

from __future__ import annotations

from collections import deque

import numpy as np

from vla_sim.types import Scan

PARTS = 5  # of a whole turn


class ScanWindow:
    """Keeps the newest parts and joins them in the newest base frame."""

    def __init__(self, parts: int = PARTS) -> None:
        self._parts: deque[Scan] = deque(maxlen=parts)
        self._joined: Scan | None = None

    def add(self, part: Scan) -> None:
        """A part has arrived."""
        self._parts.append(part)
        self._joined = None

    def recent(self) -> Scan | None:
        """All that is kept, as one scan of the time of its newest part; None before the first."""
        if self._joined is None and self._parts:
            self._joined = _join(list(self._parts))
        return self._joined

    def whole(self) -> Scan | None:
        """As `recent`, but None until a whole turn has been seen."""
        return self.recent() if len(self._parts) == self._parts.maxlen else None


def _join(parts: list[Scan]) -> Scan:
    newest = parts[-1]
    into_newest = np.linalg.inv(newest.pose_base_in_odom)
    points = []
    for part in parts:
        move = (into_newest @ part.pose_base_in_odom).astype(np.float32)
        points.append(part.points_in_base if part is newest else part.points_in_base @ move[:3, :3].T + move[:3, 3])
    return Scan(
        newest.time_s, np.concatenate(points), np.concatenate([part.hit for part in parts]), newest.origin_in_base,
        newest.pose_base_in_odom,
    )  # fmt: skip
