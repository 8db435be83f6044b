"""Whom to follow: the person named by a hint, or the one ahead, kept by sight and remembered for a while."""

from __future__ import annotations

import math

import numpy as np

from vla_sim.stages.navigation.config import NavigationConfig
from vla_sim.stages.navigation.moving import Track
from vla_sim.stages.planar import seen_from
from vla_sim.types import Array

HINT_M = 1.2  # a person may be this far from where he is said to be
AGAIN_M, AGAIN_M_S = 0.8, 0.8  # and from where he was lost, growing with the time since
AHEAD_M, AHEAD_RAD = 5.0, math.radians(60.0)


class Follower:
    """`person` is the track followed while it is seen; `last` [2] where the person was, at `last_s`."""

    def __init__(self, config: NavigationConfig) -> None:
        self._config = config
        self.forget()

    def forget(self) -> None:
        """Nobody is followed."""
        self.person: Track | None = None
        self.last: Array | None = None
        self.last_s = -math.inf
        self._number = -1

    def update(self, time_s: float, tracks: list[Track], pose: Array, hint: Array | None) -> None:
        """Find the person among the tracks of the newest scan."""
        seen = [track for track in tracks if track.label >= 0]
        own = [track for track in seen if track.number == self._number]
        found = own[0] if own else self._pick(time_s, seen, pose, hint)
        self.person = found
        if found is not None:
            self._number, self.last, self.last_s = found.number, found.position, time_s

    def _pick(self, time_s: float, seen: list[Track], pose: Array, hint: Array | None) -> Track | None:
        if self.last is not None:
            reach_m = AGAIN_M + AGAIN_M_S * min(time_s - self.last_s, self._config.lost_s)
            near = [(_apart(track, self.last), track.number, track) for track in seen]
            near = [entry for entry in near if entry[0] <= reach_m]
            if near:
                return min(near)[2]
        if hint is not None:
            near = [(_apart(track, hint), track.number, track) for track in seen]
            near = [entry for entry in near if entry[0] <= HINT_M]
            return min(near)[2] if near else None
        if self.last is not None and time_s - self.last_s < self._config.lost_s:
            return None
        ahead = []
        for track in seen:
            place = seen_from(pose, np.append(track.position, 0.0))
            reach_m = math.hypot(place[0], place[1])
            if track.sightings >= 3 and reach_m <= AHEAD_M and abs(math.atan2(place[1], place[0])) <= AHEAD_RAD:
                ahead.append((not track.moving, reach_m, track.number, track))
        return min(ahead)[3] if ahead else None


def _apart(track: Track, place: Array) -> float:
    return math.hypot(track.x_m - place[0], track.y_m - place[1])
