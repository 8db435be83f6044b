"""When nothing moves: wait, step back, and in the end say that there is no way."""

from __future__ import annotations

import math

import numpy as np

from vla_sim.stages.navigation.config import NavigationConfig
from vla_sim.stages.planar import wrap
from vla_sim.types import Array

MOVED_M, TURNED_RAD = 0.06, 0.15  # less is standing still
PROGRESS_M = 0.15  # of the way left
DETOUR_M = 0.5  # so much longer is another route
WAIT_S = 1.0  # of standing still before it is called blocked
BORNE = 4  # times somebody who was given way to is no reason to give up
BACK_AFTER_S, BACK_S, BACK_EVERY_S = 3.0, 2.5, 5.0


class Patience:
    """Watches one walk to one goal."""

    def __init__(self, config: NavigationConfig) -> None:
        self._patience_s = config.patience_s
        self._anchor: Array | None = None
        self._anchor_s = self._progress_s = 0.0
        self._least_m = math.inf
        self._back_s = -math.inf
        self._borne = 0

    def update(self, time_s: float, pose: Array, left_m: float) -> None:
        """The robot is at `pose` [3], with `left_m` to go; inf when there is no way at the moment."""
        if self._anchor is None:
            self._anchor, self._anchor_s, self._progress_s = pose.copy(), time_s, time_s
        if np.hypot(*(pose - self._anchor)[:2]) > MOVED_M or abs(wrap(pose[2] - self._anchor[2])) > TURNED_RAD:
            self._anchor, self._anchor_s = pose.copy(), time_s
        if left_m < self._least_m - PROGRESS_M:
            self._least_m, self._progress_s = left_m, time_s
        elif DETOUR_M + self._least_m < left_m < math.inf:  # another route: from here on it counts
            self._least_m = left_m

    def forgive(self, time_s: float) -> None:
        """Standing is what it should do, or it goes on well: nothing counts against it."""
        self._anchor, self._anchor_s, self._progress_s, self._least_m = None, time_s, time_s, math.inf

    def stands_s(self, time_s: float) -> float:
        """How long the robot has not moved."""
        return time_s - self._anchor_s

    def stalls_s(self, time_s: float) -> float:
        """How long it has come no nearer."""
        return time_s - self._progress_s

    def bear(self, time_s: float) -> None:
        """Somebody was given way to: it begins anew, a few times."""
        if self._borne < BORNE:
            self._borne, self._progress_s = self._borne + 1, time_s

    def is_blocked(self, time_s: float) -> bool:
        """Whether it has stood for so long that it says so."""
        return self.stands_s(time_s) > WAIT_S

    def is_over(self, time_s: float) -> bool:
        """Whether there was no progress for too long."""
        return time_s - self._progress_s > self._patience_s

    def steps_back(self, time_s: float) -> bool:
        """Whether it is time to back up a little; goes on for BACK_S."""
        if time_s - self._back_s <= BACK_S:
            return True
        if self.stands_s(time_s) > BACK_AFTER_S and time_s - self._back_s > BACK_EVERY_S:
            self._back_s = time_s
            return True
        return False
