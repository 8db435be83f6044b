"""A floor plan with furniture and people, a lidar that sees them, and a robot that lags, sways and drifts.

It shares no code with the stage: rays are cast against shapes, contact is measured against shapes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numba
import numpy as np

from vla_sim.types import Array, NavigationAnswer, NavigationRequest, Scan, SiteMap, Surface

EYE_M, RANGE_M = 1.2, 12.0
RINGS_RAD = np.radians(np.linspace(-50.0, 15.0, 8))
AZIMUTHS_RAD = np.linspace(-np.pi, np.pi, 180, endpoint=False)
UP, ROUND = (part.ravel() for part in np.meshgrid(RINGS_RAD, AZIMUTHS_RAD, indexing="ij"))
RAYS = np.column_stack([np.cos(UP) * np.cos(ROUND), np.cos(UP) * np.sin(ROUND), np.sin(UP)])
WALL_HEIGHT_M, PERSON_HEIGHT_M, PERSON_RADIUS_M = 2.5, 1.7, 0.2
STEP_S, CALL_S = 0.02, 0.1
LAG_S, SWAY_M, SWAY_HZ = 0.4, 0.02, 1.25
RADIUS_M = 0.30


@numba.njit(cache=True)
def cast(eye: Array, yaw: float, rings: Array, azimuths: Array, faces: Array, lids: Array, posts: Array) -> Array:
    """[rings * azimuths] m to the first thing, RANGE_M where there is none.

    `faces` [k, 6] x0, y0, x1, y1, lowest, highest; `lids` [k, 6] x, y, yaw, half x, half y, height, level tops;
    `posts` [k, 4] x, y, radius, height, upright.
    """
    out = np.empty(rings.shape[0] * azimuths.shape[0])
    for a in range(azimuths.shape[0]):
        ux, uy = math.cos(yaw + azimuths[a]), math.sin(yaw + azimuths[a])
        for r in range(rings.shape[0]):
            slope = math.tan(rings[r])
            best = RANGE_M * math.cos(rings[r])
            if slope < 0.0:
                best = min(best, -EYE_M / slope)
            for k in range(faces.shape[0]):
                dx, dy = faces[k, 2] - faces[k, 0], faces[k, 3] - faces[k, 1]
                det = ux * dy - uy * dx
                if abs(det) < 1e-12:
                    continue
                px, py = faces[k, 0] - eye[0], faces[k, 1] - eye[1]
                t, s = (px * dy - py * dx) / det, (px * uy - py * ux) / det
                if 0.0 < t < best and 0.0 <= s <= 1.0 and faces[k, 4] <= EYE_M + t * slope <= faces[k, 5]:
                    best = t
            for k in range(posts.shape[0]):
                px, py = posts[k, 0] - eye[0], posts[k, 1] - eye[1]
                along, off = px * ux + py * uy, abs(px * uy - py * ux)
                if off < posts[k, 2]:
                    t = along - math.sqrt(posts[k, 2] ** 2 - off * off)
                    if 0.0 < t < best and 0.0 <= EYE_M + t * slope <= posts[k, 3]:
                        best = t
            for k in range(lids.shape[0]):
                if slope == 0.0:
                    continue
                t = (lids[k, 5] - EYE_M) / slope
                if not 0.0 < t < best:
                    continue
                dx, dy = eye[0] + t * ux - lids[k, 0], eye[1] + t * uy - lids[k, 1]
                c, s = math.cos(lids[k, 2]), math.sin(lids[k, 2])
                if abs(c * dx + s * dy) < lids[k, 3] and abs(c * dy - s * dx) < lids[k, 4]:
                    best = t
            out[r * azimuths.shape[0] + a] = best / math.cos(rings[r])
    return out


@dataclass
class Box:
    """A thing with upright sides: middle, size, and from which height to which."""

    x: float
    y: float
    wide: float
    deep: float
    top: float
    yaw: float = 0.0
    bottom: float = 0.0

    def outline(self) -> Array:
        half = 0.5 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [self.wide, self.deep]
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        return np.array([self.x, self.y]) + half @ np.array([[c, s], [-s, c]])

    def faces(self) -> Array:
        corners = self.outline()
        heights = np.tile([self.bottom, self.top], (4, 1))
        return np.column_stack([corners, np.roll(corners, -1, axis=0), heights])

    def apart(self, point: Array) -> float:
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        dx, dy = point[0] - self.x, point[1] - self.y
        local = np.abs([c * dx + s * dy, c * dy - s * dx]) - 0.5 * np.array([self.wide, self.deep])
        return float(np.hypot(*np.maximum(local, 0.0)))


def table(x: float, y: float, wide: float, deep: float, yaw: float = 0.0, top: float = 0.74) -> list[Box]:
    """A thin plate on four legs."""
    plate = Box(x, y, wide, deep, top, yaw, top - 0.04)
    feet = Box(x, y, wide - 0.1, deep - 0.1, top, yaw).outline()
    return [plate, *(Box(fx, fy, 0.05, 0.05, top - 0.04, yaw) for fx, fy in feet)]


def as_surface(name: str, x: float, y: float, wide: float, deep: float, yaw: float = 0.0) -> Surface:
    return Surface(name, "", np.array([x, y, yaw]), np.array([wide, deep]), 0.74)


@dataclass
class World:
    """Walls [k, 4], boxes, and people as functions of time that give x, y."""

    walls: Array
    boxes: list[Box] = field(default_factory=list)
    people: list[Callable[[float], tuple[float, float]]] = field(default_factory=list)
    _cached: tuple[int, Array, Array] | None = None

    def _shapes(self) -> tuple[Array, Array]:
        """Faces and lids for `cast`; boxes may be added, not moved."""
        if self._cached is None or self._cached[0] != len(self.boxes):
            walls = np.column_stack([self.walls, np.tile([0.0, WALL_HEIGHT_M], (len(self.walls), 1))])
            faces = np.concatenate([walls.reshape(-1, 6), *(box.faces() for box in self.boxes)])
            lids = np.array([[b.x, b.y, b.yaw, 0.5 * b.wide, 0.5 * b.deep, b.top] for b in self.boxes])
            self._cached = len(self.boxes), faces, lids.reshape(-1, 6)
        return self._cached[1:]

    def scan(
        self, pose: Array, believed: Array, time_s: float, rng: np.random.Generator, noise_m: float = 0.015
    ) -> Scan:
        """What the lidar sees from `pose` [3] in the site, when odometry says `believed` [3]."""
        faces, lids = self._shapes()
        posts = np.array([[*at(time_s), PERSON_RADIUS_M, PERSON_HEIGHT_M] for at in self.people]).reshape(-1, 4)
        exact = cast(pose[:2].copy(), float(pose[2]), RINGS_RAD, AZIMUTHS_RAD, faces, lids, posts)
        hit = exact < RANGE_M - 1e-6
        reach = exact + np.where(hit, rng.normal(0.0, noise_m, len(exact)), 0.0)
        points = reach[:, None] * RAYS + [0.0, 0.0, EYE_M]
        return Scan(time_s, points.astype(np.float32), hit, np.array([0.0, 0.0, EYE_M]), matrix(believed))

    def room_m(self, pose: Array, time_s: float) -> float:
        """From the outline of a robot at `pose` to the nearest wall, box or person; negative = touching."""
        x, y = pose[0], pose[1]
        nearest = [box.apart(pose[:2]) for box in self.boxes if box.bottom < 1.3]
        nearest += [math.hypot(at(time_s)[0] - x, at(time_s)[1] - y) - PERSON_RADIUS_M for at in self.people]
        start, span = self.walls[:, :2], self.walls[:, 2:] - self.walls[:, :2]
        if len(self.walls):
            share = np.clip(((pose[:2] - start) * span).sum(axis=1) / (span**2).sum(axis=1), 0.0, 1.0)
            nearest.append(float(np.hypot(*(start + share[:, None] * span - pose[:2]).T).min()))
        return min(nearest, default=math.inf) - RADIUS_M


def matrix(pose: Array) -> Array:
    c, s = math.cos(pose[2]), math.sin(pose[2])
    out = np.eye(4)
    out[:2, :2], out[:2, 3] = [[c, -s], [s, c]], pose[:2]
    return out


def wrapped(angle: float) -> float:
    return (angle + math.pi) % (2 * math.pi) - math.pi


def box_of_walls(x0: float, y0: float, x1: float, y1: float) -> Array:
    return np.array([[x0, y0, x1, y0], [x1, y0, x1, y1], [x1, y1, x0, y1], [x0, y1, x0, y0]], float)


@dataclass
class Walker:
    """A body that follows velocities late, sways, and counts its way a little wrong."""

    pose: Array  # [3] in the site, without sway
    drift: float = 0.02  # of the way
    turn_drift_rad_s: float = math.radians(0.05)
    sway_m: float = SWAY_M
    time_s: float = 0.0
    odometry: Array = field(init=False)
    velocity: Array = field(default_factory=lambda: np.zeros(3))

    def __post_init__(self) -> None:
        self.odometry = self.pose.copy()

    def walk(self, command: Array, for_s: float = CALL_S) -> None:
        for _ in range(round(for_s / STEP_S)):
            self.velocity += (1 - math.exp(-STEP_S / LAG_S)) * (command - self.velocity)
            v = self.velocity
            if np.abs(v).max() < 2e-3 and not command.any():
                v[:] = 0.0
            moves = bool(v.any())
            self.pose = _moved(self.pose, v, STEP_S)
            counted = v + [self.drift * v[0], 0.5 * self.drift * v[0], self.turn_drift_rad_s if moves else 0.0]
            self.odometry = _moved(self.odometry, counted, STEP_S)
            self.time_s += STEP_S

    def _swung(self, pose: Array) -> Array:
        speed = float(np.abs(self.velocity).sum())
        off = self.sway_m * min(1.0, speed / 0.05) * math.sin(2 * math.pi * SWAY_HZ * self.time_s)
        return pose + [-math.sin(pose[2]) * off, math.cos(pose[2]) * off, 0.0]

    def trunk(self) -> Array:
        return self._swung(self.pose)

    def believed(self) -> Array:
        return self._swung(self.odometry)


def _moved(pose: Array, v: Array, dt: float) -> Array:
    yaw = pose[2] + 0.5 * v[2] * dt
    c, s = math.cos(yaw), math.sin(yaw)
    return np.array(
        [pose[0] + (c * v[0] - s * v[1]) * dt, pose[1] + (s * v[0] + c * v[1]) * dt, wrapped(pose[2] + v[2] * dt)]
    )


Stage = Callable[[NavigationRequest], NavigationAnswer]


@dataclass
class Trip:
    """What happened on the way: one row a call."""

    answers: list[NavigationAnswer] = field(default_factory=list)
    poses: list[Array] = field(default_factory=list)
    room_m: list[float] = field(default_factory=list)

    @property
    def last(self) -> NavigationAnswer:
        return self.answers[-1]


def see(world: World, walker: Walker, rng: np.random.Generator, goal: Array, **request: object) -> NavigationRequest:
    believed = walker.believed()
    scan = world.scan(walker.trunk(), believed, round(walker.time_s, 6), rng)
    return NavigationRequest(scan, believed, walker.velocity.copy(), np.asarray(goal, float), **request)  # type: ignore[arg-type]


def travel(
    stage: Stage, world: World, walker: Walker, goal: Array, rng: np.random.Generator, *, limit_s: float = 60.0,
    mode: str = "go_to", late: int = 0, until: Callable[[NavigationAnswer], bool] | None = None, **request: object,
) -> Trip:  # fmt: skip
    """Ask at 10 Hz until it says arrived or no_way (or `until`); answers are heard `late` calls later."""
    trip = Trip()
    over = until or (lambda answer: answer.status in ("arrived", "no_way"))
    for _ in range(round(limit_s / CALL_S)):
        answer = stage(see(world, walker, rng, goal, mode=mode, **request))
        trip.answers.append(answer)
        trip.poses.append(walker.pose.copy())
        trip.room_m.append(world.room_m(walker.pose, walker.time_s))
        if over(answer):
            break
        heard = trip.answers[max(len(trip.answers) - 1 - late, 0)]
        walker.walk(heard.velocity)
    return trip


def two_rooms() -> tuple[World, SiteMap]:
    """8 x 5 m with a wall and a door in the middle; tables the map knows, and furniture it does not."""
    walls = np.concatenate([box_of_walls(0, 0, 8, 5), [[4.0, 0.0, 4.0, 2.0], [4.0, 2.9, 4.0, 5.0]]])
    furniture = [
        *table(1.0, 4.3, 1.2, 0.8),
        *table(7.2, 1.2, 0.8, 1.4),
        Box(2.2, 1.6, 0.5, 0.5, 0.45, 0.4),
        Box(5.6, 3.4, 0.6, 0.4, 0.8, -0.3),
        Box(0.25, 1.2, 0.5, 1.0, 1.9),
        Box(5.5, 0.3, 1.2, 0.6, 0.4),
    ]
    surfaces = (
        as_surface("desk", 1.0, 4.3, 0.8, 1.2, math.pi / 2),
        as_surface("table", 7.2, 1.2, 0.8, 1.4),
    )
    return World(walls, furniture), SiteMap(walls, (), surfaces)
