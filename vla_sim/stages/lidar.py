"""A turning lidar comes in parts: what the last parts saw, as one scan."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np

from vla_sim.stages import planar
from vla_sim.types import Array, Scan

PARTS = 5  # of a whole turn

HELD_M = 0.22  # from a tool to the far end of what it may hold


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


def levelled(scan: Scan) -> Scan:
    """The same scan from an upright base frame on the floor. In the middle of a step, the frame between the feet is
    tilted by degrees; at five metres the floor would stand up as a wall."""
    pose = scan.pose_base_in_odom
    upright = np.eye(4)
    x, y, yaw = planar.of_pose(pose)
    cos, sin = np.cos(yaw), np.sin(yaw)
    upright[:2, :2], upright[:2, 3] = [[cos, -sin], [sin, cos]], (x, y)
    move = np.linalg.inv(upright) @ pose
    turn = move.astype(np.float32)
    points = scan.points_in_base @ turn[:3, :3].T + turn[:3, 3]
    origin = move[:3, :3] @ scan.origin_in_base + move[:3, 3]
    return replace(scan, points_in_base=points, origin_in_base=origin, pose_base_in_odom=upright)


def without(scan: Scan, tools_in_base: Array, radius_m: float = HELD_M) -> Scan:
    """The scan without the points within `radius_m` of a tool [k, 3]: the hands, and what they carry."""
    near = np.zeros(len(scan.points_in_base), bool)
    for tool in tools_in_base:
        near |= np.square(scan.points_in_base - tool).sum(axis=1) < radius_m**2
    if not near.any():
        return scan
    return replace(scan, points_in_base=scan.points_in_base[~near], hit=scan.hit[~near])
