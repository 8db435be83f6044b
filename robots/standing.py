"""Legs that stand: the centre of mass is driven to the middle of the feet by leaning at ankles and hips."""

from __future__ import annotations

import numpy as np

from robots.articulated import Articulated, Stance, planar_pose
from robots.body import Start
from vla_sim.types import Array

GAIN_PER_S = 5.0
LEAN_MAX_RAD = 0.15


class StandingLegs:
    """Integrates the lean that keeps the centre of mass over the feet. Feet stay where they are.

    It works on the **commanded** joints: measured ones close a loop through the stiff motors that rocks and falls.
    `ankles` and `hips` are the pitch joints, both positive towards toes up and knee up.
    """

    drives = False

    def __init__(
        self, joints: tuple[str, ...], ankles: tuple[str, ...], hips: tuple[str, ...], com_height_m: float,
        foot_middle_m: float,
    ) -> None:  # fmt: skip
        self._index = np.array([joints.index(name) for name in (*ankles, *hips)], dtype=np.intp)
        self._sign = np.array([1.0] * len(ankles) + [-1.0] * len(hips))
        self._com_height_m, self._foot_middle_m = com_height_m, foot_middle_m
        self._lean_rad = 0.0
        self._heading = np.zeros(3)

    def reset(self, body: Articulated, start: Start) -> None:
        """Upright at `start`, soles on the floor."""
        self._lean_rad = 0.0
        self._neutral = body.commanded_rad[self._index].copy()
        self._heading = np.array([start.x, start.y, start.yaw_rad])
        body.model.update(body.commanded_rad)
        root = planar_pose(start) @ body.model.pose_root_in_base.homogeneous
        # Half a millimetre into the floor: the soles press from the first step on.
        body.place_root(root[:3, 3] - [0, 0, 0.0005], root[:3, :3])

    def command(self, body: Articulated, velocity: Array, halt: bool) -> None:
        """Lean against where the commanded arms bring the centre of mass. It cannot walk: `velocity` is ignored."""
        com = body.model.com_in_base(body.commanded_rad)
        period_s = 1.0 / body.spec.control_rate_hz
        lean = self._lean_rad + GAIN_PER_S * (com[0] - self._foot_middle_m) / self._com_height_m * period_s
        self._lean_rad = float(np.clip(lean, -LEAN_MAX_RAD, LEAN_MAX_RAD))
        body.commanded_rad[self._index] = self._neutral + self._sign * self._lean_rad

    def before_step(self, body: Articulated) -> None:
        """Nothing between control periods."""

    def stance(self) -> Stance:
        """Always on both feet, where it began."""
        return Stance(heading_in_odom=self._heading)

    @property
    def fallen(self) -> bool:
        """Never by their own account."""
        return False
