"""VlaSim/Navigate-v0: go to a room or table, past obstacles and people."""

from __future__ import annotations

import math

import numpy as np

from envs import checks, drawing
from envs.scene import Layout
from envs.site import standing_point
from envs.task_env import TaskEnv
from vla_sim.errors import ConfigError, nearest
from vla_sim.types import Array, Verdict

ARRIVED_M, REST_M_S, REST_RAD_S, REST_S = 0.35, 0.05, 0.1, 0.5
LEAST_WAY_M = 2.0
COUNTS = {"easy": ((0, 0), (0, 0)), "normal": ((2, 4), (1, 1)), "hard": ((4, 6), (2, 2))}  # boxes, people


class NavigateEnv(TaskEnv):
    """Start, goal, obstacles and people are drawn. Success: at rest where the place is stood at, or in the room.

    `goal` names a room or surface instead of a drawn one. To press on anything but the floor with more than
    `collision_n` is a `collision`. `truths`: `goal_in_base` [3] x, y, yaw.
    """

    time_limit_s = 90.0
    default_scene = "apartment"
    on_foot = True
    truths = (("goal_in_base", 3),)
    collision_n = 15.0

    def __init__(self, goal: str | None = None, **common: object) -> None:
        self.goal = goal
        super().__init__(**common)  # type: ignore[arg-type]

    def _check(self, payload_kg: float) -> None:
        super()._check(payload_kg)
        self._places = self._goals()
        if self.goal is not None and self.goal not in self._places:
            places = f"{self.goal!r} is not a place to go to"
            raise ConfigError("env.goal", places, nearest(self.goal, self._places))

    def _goals(self) -> list[str]:
        scene = self.scene
        allowed = [room.name for room in scene.rooms if not checks.off_limits(scene, room.name)]
        if not allowed:
            raise ConfigError("env.scene", f"scene {scene.name} has no rooms to go to", "apartment and office have")
        return [*allowed, *(item.name for item in scene.surfaces if not checks.off_limits(scene, item.name))]

    def draw(self, rng: np.random.Generator) -> Layout:
        """A goal, a start in another room, and what is in the way."""
        self._rested_s, self._trail = 0.0, []
        scene = self.scene
        drawn = self._places[int(rng.integers(len(self._places)))]
        self.place = self.goal or drawn
        self.target = standing_point(scene, self.place)
        goal_room = scene.room_at(float(self.target[0]), float(self.target[1]))
        names = [room.name for room in scene.rooms if not checks.off_limits(scene, room.name)]
        rooms = [scene.room(name) for name in names if name != goal_room] or [scene.room(goal_room)]
        room = rooms[int(rng.integers(len(rooms)))]
        start = drawing.free_start(rng, scene, room, lambda at: math.dist(at, self.target[:2]) >= LEAST_WAY_M)
        (few, many), (least, most) = COUNTS[self.difficulty]
        boxes = drawing.obstacles(rng, scene, int(rng.integers(few, many + 1)), start, self.target.tolist())
        people = drawing.walkers(rng, scene, boxes, int(rng.integers(least, most + 1)), start, self.target.tolist())
        return Layout(start=start, obstacles=boxes, people=people)

    @property
    def instruction(self) -> str:
        return f"go to the {self.place}"

    def judge(self) -> Verdict | None:
        pose = self.world.base_pose()
        self._trail = [*self._trail[-10:], pose]
        there = self._is_there(pose) and self._rests()
        self._rested_s = self._rested_s + 1.0 / self.robot_spec.control_rate_hz if there else 0.0
        return Verdict(True, "arrived") if self._rested_s >= REST_S - 1e-9 else None

    def _is_there(self, pose: Array) -> bool:
        x, y = float(pose[0]), float(pose[1])
        if math.dist((x, y), self.target[:2]) <= ARRIVED_M:
            return True
        return self.scene.room_at(x, y) == self.place

    def _rests(self) -> bool:
        """Whether the feet have hardly moved over the last tenth of a second."""
        if len(self._trail) < 11:
            return False
        off = self._trail[-1] - self._trail[0]
        period_s = 10 / self.robot_spec.control_rate_hz
        turn = abs((off[2] + math.pi) % (2 * math.pi) - math.pi)
        return math.hypot(off[0], off[1]) < REST_M_S * period_s and turn < REST_RAD_S * period_s

    _trail: list[Array]

    def truth(self) -> dict[str, Array]:
        """The figures named in `truths`, now."""
        return {"goal_in_base": seen_from(self.world.base_pose(), self.target)}


def seen_from(pose: Array, other: Array) -> Array:
    """[3] x, y, yaw of `other` in the frame at `pose`, both on the floor."""
    c, s = math.cos(pose[2]), math.sin(pose[2])
    dx, dy = other[0] - pose[0], other[1] - pose[1]
    turn = (other[2] - pose[2] + math.pi) % (2 * math.pi) - math.pi
    return np.array([c * dx + s * dy, c * dy - s * dx, turn])
