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
ASIDE_M_RAD = 1.5  # who stands to the side counts as farther away: whoever says "follow me" stands in front
DOUBT_S, WENT_M = 10.0, 0.4  # after it was chosen, what has not gone so far is left for somebody ahead who has
LOOK_S = 1.5  # and at first for who stands more straight ahead: not everybody is seen with the first scans


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
        self._chosen_s, self._went = -math.inf, False

    def update(self, time_s: float, tracks: list[Track], pose: Array, hint: Array | None) -> None:
        """Find the person among the tracks of the newest scan."""
        seen = [track for track in tracks if track.label >= 0]
        own = [track for track in seen if track.number == self._number]
        self._went = self._went or (bool(own) and own[0].went_m > WENT_M)
        found = own[0] if own else self._pick(time_s, seen, pose, hint)
        if self._number >= 0 and hint is None and not self._went:
            found = self._rather(time_s, seen, pose) or found
        self.person = found
        if found is not None:
            if self._number < 0:
                self._chosen_s = time_s
            self._number, self.last, self.last_s = found.number, found.position, time_s

    def _rather(self, time_s: float, seen: list[Track], pose: Array) -> Track | None:
        """Whom to follow rather than one who was chosen a while ago and has not gone anywhere."""
        chosen_s = time_s - self._chosen_s
        if chosen_s > DOUBT_S:
            return None
        return _ahead([t for t in seen if chosen_s <= LOOK_S or (t.moving and t.went_m > WENT_M)], pose)

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
        return _ahead(seen, pose)


def _ahead(seen: list[Track], pose: Array) -> Track | None:
    """Of those in front, somebody who walks rather than who stands, and who is nearest to where the robot looks."""
    ahead = []
    for track in seen:
        place = seen_from(pose, np.append(track.position, 0.0))
        reach_m, bearing = math.hypot(place[0], place[1]), abs(math.atan2(place[1], place[0]))
        if track.sightings >= 3 and reach_m <= AHEAD_M and bearing <= AHEAD_RAD:
            ahead.append((not track.moving, reach_m + ASIDE_M_RAD * bearing, track.number, track))
    return min(ahead)[3] if ahead else None


def _apart(track: Track, place: Array) -> float:
    return math.hypot(track.x_m - place[0], track.y_m - place[1])
