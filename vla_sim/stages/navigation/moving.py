"""People: upright things that stand alone, followed from scan to scan with a constant velocity."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numba
import numpy as np
from numpy.typing import NDArray

from vla_sim.types import Array

LOWEST_M, HIGHEST_M = 0.3, 1.9  # of the points looked at
LINK_M, LINK_PER_M = 0.14, 0.045  # points this near each other, growing with range, are one thing
MOST_POINTS = 700
WALL_M = 0.15  # nearer to a wall of the plan is the wall
FEWEST_POINTS = 3
WIDEST_M, NARROWEST_M, DEEPEST_M = 0.80, 0.18, 0.75
HEAD_M, HEAD_PER_M, HEAD_LEAST_M = 1.15, 0.07, 0.75  # it is seen to reach this high; less from afar, rings are sparse
RAY_GAP_RAD = 0.035  # between neighbours of a scan
MIDDLE_M = 0.10  # from the side that is seen to the middle

GATE_M, GATE_PER_S = 0.45, 1.0
SEEN_NOISE_M, SHOVE_M_S2, START_M_S = 0.05, 0.8, 0.8
FORGET_S = 1.5
STARTS_M_S, STOPS_M_S = 0.25, 0.12
COURSE_M_S = 0.18  # slower, and it cannot be said where to
TRAIL_S, WENT_M = 0.6, 0.15  # to be moving it must also have got somewhere
STARTS_SETTLED, STOPS_SETTLED = 0.25, 0.5  # share of it where something has long stood; more, and it does not move


@numba.njit(cache=True)
def clusters(points: Array, eye: Array) -> NDArray[np.int64]:
    """[n] label 0, 1, ... of each point [n, 2]; points that are chained by short gaps share one."""
    n = points.shape[0]
    root = np.arange(n)
    for i in range(n):
        reach = math.hypot(points[i, 0] - eye[0], points[i, 1] - eye[1])
        gap = LINK_M + LINK_PER_M * reach
        for j in range(i):
            dx, dy = points[i, 0] - points[j, 0], points[i, 1] - points[j, 1]
            if dx * dx + dy * dy > gap * gap:
                continue
            a, b = i, j
            while root[a] != a:
                root[a] = root[root[a]]
                a = root[a]
            while root[b] != b:
                root[b] = root[root[b]]
                b = root[b]
            if a < b:
                root[b] = a
            else:
                root[a] = b
    labels, count = np.empty(n, np.int64), 0
    for i in range(n):  # a root is the first of its points
        a = i
        while root[a] != a:
            a = root[a]
        if a == i:
            labels[i] = count
            count += 1
        else:
            labels[i] = labels[a]
    return labels


@dataclass(frozen=True)
class Column:
    """One upright thing in one scan: its middle in the site, and its label among the points."""

    x_m: float
    y_m: float
    label: int
    settled: float = 0.0  # share of it that lies where something has stood for a while


def columns(points: Array, labels: NDArray[np.int64], eye: Array, settled: NDArray[np.bool_]) -> list[Column]:
    """What has the size of a person, among points [n, 3] in the site; `settled` [n] where things have long stood."""
    found = []
    count = np.bincount(labels, minlength=1)
    for label in np.flatnonzero(count >= FEWEST_POINTS):
        own = points[labels == label]
        middle = own[:, :2].mean(axis=0)
        away = middle - eye[:2]
        reach = math.hypot(away[0], away[1])
        if reach < 1e-6 or own[:, 2].max() < max(HEAD_M - HEAD_PER_M * reach, HEAD_LEAST_M):
            continue
        away = away / reach
        depth = own[:, :2] @ away
        across = own[:, 1] * away[0] - own[:, 0] * away[1]
        width = float(np.ptp(across))
        spare = RAY_GAP_RAD * reach
        if NARROWEST_M - spare <= width <= WIDEST_M and float(np.ptp(depth)) <= DEEPEST_M:
            x_m, y_m = middle + MIDDLE_M * away
            found.append(Column(float(x_m), float(y_m), int(label), float(settled[labels == label].mean())))
    return found


@dataclass(eq=False)
class Track:
    """One person, or one thing that looks like one. Position m and velocity m/s in the site, at `time_s`."""

    number: int
    time_s: float
    seen_s: float
    x_m: float
    y_m: float
    vx_m_s: float = 0.0
    vy_m_s: float = 0.0
    moving: bool = False
    sightings: int = 1
    label: int = -1  # of its points in the newest scan; -1 = not seen in it
    settled: float = 0.0
    walked_s: float = -math.inf  # when it was last seen to move
    course: Array = field(default_factory=lambda: np.zeros(2))  # a unit vector, where it last walked to; zeros = never
    trail: list[tuple[float, float, float]] = field(default_factory=list)  # time_s, x, y
    begun: tuple[float, float] = field(init=False)  # x, y where it was seen first
    _p: tuple[float, float, float] = (SEEN_NOISE_M**2, 0.0, START_M_S**2)  # covariance, the same for both axes

    def __post_init__(self) -> None:
        self.begun = self.x_m, self.y_m

    @property
    def went_m(self) -> float:
        """How far it has come from where it was seen first."""
        return math.hypot(self.x_m - self.begun[0], self.y_m - self.begun[1])

    @property
    def position(self) -> Array:
        """[2] m."""
        return np.array([self.x_m, self.y_m])

    @property
    def velocity(self) -> Array:
        """[2] m/s."""
        return np.array([self.vx_m_s, self.vy_m_s])

    @property
    def speed_m_s(self) -> float:
        """How fast it goes."""
        return math.hypot(self.vx_m_s, self.vy_m_s)

    def predict(self, time_s: float) -> None:
        """Bring it to another time."""
        dt = time_s - self.time_s
        self.time_s = time_s
        self.x_m, self.y_m = self.x_m + dt * self.vx_m_s, self.y_m + dt * self.vy_m_s
        (a, b, d), q = self._p, SHOVE_M_S2**2
        self._p = a + 2 * dt * b + dt * dt * d + 0.25 * q * dt**4, b + dt * d + 0.5 * q * dt**3, d + q * dt * dt

    def correct(self, seen: Column) -> None:
        """It was seen there."""
        a, b, d = self._p
        total = a + SEEN_NOISE_M**2
        gain, gain_v = a / total, b / total
        dx, dy = seen.x_m - self.x_m, seen.y_m - self.y_m
        self.x_m, self.y_m = self.x_m + gain * dx, self.y_m + gain * dy
        self.vx_m_s, self.vy_m_s = self.vx_m_s + gain_v * dx, self.vy_m_s + gain_v * dy
        self._p = (1 - gain) * a, (1 - gain) * b, d - gain_v * b
        self.seen_s, self.label, self.sightings = self.time_s, seen.label, self.sightings + 1
        self.settled += 0.3 * (seen.settled - self.settled)
        self.trail = [*self.trail[-15:], (self.time_s, self.x_m, self.y_m)]

    def judge(self) -> bool:
        """Decide whether it moves; true when it has just begun to."""
        before = self.moving
        if before:
            self.moving = self.speed_m_s > STOPS_M_S and self.settled < STOPS_SETTLED
        elif self.speed_m_s > STARTS_M_S and self.settled < STARTS_SETTLED:
            old = [(x, y) for time_s, x, y in self.trail if time_s <= self.time_s - TRAIL_S]
            self.moving = bool(old) and math.hypot(self.x_m - old[-1][0], self.y_m - old[-1][1]) > WENT_M
        if self.moving:
            self.walked_s = self.time_s
            if self.speed_m_s > COURSE_M_S:
                self.course = self.velocity / self.speed_m_s
        return self.moving and not before


class People:
    """All tracks: `tracks` seen lately, `started` to move with the newest scan, `gone` lost with it."""

    def __init__(self) -> None:
        self.tracks: list[Track] = []
        self.started: list[Track] = []
        self.gone: list[Track] = []
        self._next = 0

    def update(self, time_s: float, points: Array, wall_m: Array, settled: NDArray[np.bool_], eye: Array) -> None:
        """Take in what a scan hit: points [n, 3] in the site, their distances [n] from known walls, the eye [3].

        `settled` [n] says where something has stood for a while.
        """
        chosen = np.flatnonzero((points[:, 2] > LOWEST_M) & (points[:, 2] < HIGHEST_M) & (wall_m > WALL_M))
        chosen = chosen[:: 1 + len(chosen) // MOST_POINTS]
        upright = points[chosen]
        labels = clusters(upright[:, :2], eye[:2])
        self._follow(time_s, columns(upright, labels, eye, settled[chosen]))

    def _follow(self, time_s: float, seen: list[Column]) -> None:
        for track in self.tracks:
            track.predict(time_s)
            track.label = -1
        pairs = sorted(
            (math.hypot(column.x_m - track.x_m, column.y_m - track.y_m), i, j)
            for i, track in enumerate(self.tracks)
            for j, column in enumerate(seen)
        )
        free = set(range(len(seen)))
        for apart_m, i, j in pairs:
            track = self.tracks[i]
            if track.label < 0 and j in free and apart_m <= GATE_M + GATE_PER_S * (time_s - track.seen_s):
                track.correct(seen[j])
                free.remove(j)
        for j in sorted(free):
            column = seen[j]
            trail = [(time_s, column.x_m, column.y_m)]
            self.tracks.append(
                Track(
                    self._next,
                    time_s,
                    time_s,
                    column.x_m,
                    column.y_m,
                    label=column.label,
                    trail=trail,
                    settled=column.settled,
                )
            )
            self._next += 1
        kept = [t for t in self.tracks if time_s - t.seen_s <= FORGET_S and _believed(t, time_s)]
        self.gone = [track for track in self.tracks if track not in kept]
        self.tracks = kept
        self.started = [track for track in self.tracks if track.judge()]


def _believed(track: Track, time_s: float) -> bool:
    """What was seen once or twice and not again was nobody."""
    return track.sightings >= 3 or time_s - track.seen_s <= 0.25
