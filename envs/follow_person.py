"""VlaSim/FollowPerson-v0: keep up with somebody who walks through the rooms."""

from __future__ import annotations

import math

import numpy as np

from envs import checks, drawing
from envs.floor_plan import FloorPlan, floor_plan
from envs.people import RADIUS_M
from envs.scene import Layout
from envs.scene_file import PersonPlace
from envs.site import standing_point
from envs.task_env import TaskEnv
from vla_sim.errors import ConfigError
from vla_sim.types import Array, Verdict

NEAR_M, LOST_M, STAY_S = 2.0, 4.0, 1.0
GRACE_S = 12.0  # for the robot to come up after the person has stopped
AHEAD_M = 1.3  # of the robot, the person at the start
WAY_M = (8.0, 15.0)  # how far the person walks
PERSON_CLEAR_M = 0.38  # from the middle of the person's way to the nearest thing; a robot fits through there too
SPEEDS = {"easy": (0.25, 0.30), "normal": (0.30, 0.40), "hard": (0.40, 0.50)}
BOXES = {"easy": 0, "normal": 0, "hard": 3}


class FollowPersonEnv(TaskEnv):
    """A person leads through at least two rooms, with pauses. Success: at the end within 2 m, never 4 m behind.

    `truths`: `person_in_base` [2] m and `person_velocity` [2] m/s. `info` also has `distance_m` now and
    `distance_max_m` so far.
    """

    time_limit_s = 90.0
    default_scene = "apartment"
    on_foot = True
    truths = (("person_in_base", 2), ("person_velocity", 2))
    collision_n = 15.0

    def _check(self, payload_kg: float) -> None:
        super()._check(payload_kg)
        self._rooms = [room.name for room in self.scene.rooms if not checks.off_limits(self.scene, room.name)]
        if len(self._rooms) < 2:
            raise ConfigError("env.scene", f"scene {self.scene.name} has fewer than two rooms", "apartment has four")

    def draw(self, rng: np.random.Generator) -> Layout:
        """Where the robot begins, and the person's route from before it to another room, and on."""
        self._near_s, self._farthest_m, self._ended_s = 0.0, 0.0, None
        scene = self.scene
        plan = floor_plan(scene, zones=True)
        low, high = SPEEDS[self.difficulty]
        speed, pause = float(rng.uniform(low, high)), float(rng.uniform(0.6, 1.2))
        for _ in range(drawing.TRIES):
            order = [self._rooms[i] for i in rng.permutation(len(self._rooms))]
            start = drawing.free_point(rng, plan, scene.room(order[0]), drawing.START_CLEAR_M)
            yaw = float(rng.uniform(-math.pi, math.pi))
            first = start + AHEAD_M * np.array([math.cos(yaw), math.sin(yaw)])
            if plan.clearance_along_m(start, first)[0] < PERSON_CLEAR_M:
                continue
            route = self._route(plan, first, start, order[1:])
            if route:
                person = PersonPlace(route, "person", speed, pause, math.degrees(yaw), loop=False)
                begin = (float(start[0]), float(start[1]), yaw)
                boxes = drawing.obstacles(rng, scene, BOXES[self.difficulty], begin, route[-1], keep_clear=route)
                return Layout(start=begin, people=(person,), obstacles=boxes)
        raise ConfigError(f"scene {scene.name}", "there is no way through two rooms for a person to lead")

    def _route(self, plan: FloorPlan, first: Array, robot: Array, rooms: list[str]) -> tuple[tuple[float, ...], ...]:
        """Waypoints through rooms until the way is long enough; empty when it is not, or leads through the robot."""
        points, length = [first], 0.0
        for room in rooms:
            goal = standing_point(self.scene, room)[:2]
            way = plan.way(points[-1], goal, PERSON_CLEAR_M)
            for point in way[1:]:
                length += math.dist(points[-1], point)
                points.append(point)
            if length >= WAY_M[0] or not way:
                break
        early = drawing.distance_m(robot, points[0], points[1]) if len(points) > 1 else 0.0
        if not WAY_M[0] <= length <= WAY_M[1] or early < AHEAD_M - 0.3:
            return ()
        return tuple((float(point[0]), float(point[1])) for point in points)

    @property
    def instruction(self) -> str:
        return "follow me"

    def judge(self) -> Verdict | None:
        person, distance = self.world.people[0], self._distance_m()
        self._farthest_m = max(self._farthest_m, distance)
        if distance > LOST_M:
            return Verdict(False, "left_behind")
        if not person.arrived:
            return None
        self._ended_s = self.world.time_s if self._ended_s is None else self._ended_s
        near = distance <= NEAR_M
        self._near_s = self._near_s + 1.0 / self.robot_spec.control_rate_hz if near else 0.0
        if self._near_s >= STAY_S - 1e-9:
            return Verdict(True, "followed")
        return Verdict(False, "left_behind") if self.world.time_s - self._ended_s > GRACE_S else None

    _ended_s: float | None

    def _distance_m(self) -> float:
        """Between the middles of robot and person."""
        return math.dist(self.world.base_pose()[:2], self.world.people[0].pose()[:2])

    def truth(self) -> dict[str, Array]:
        """The figures named in `truths`, now."""
        base, person = self.world.base_pose(), self.world.people[0]
        c, s = math.cos(base[2]), math.sin(base[2])
        into_base = np.array([[c, s], [-s, c]])
        return {
            "person_in_base": into_base @ (person.pose()[:2] - base[:2]),
            "person_velocity": into_base @ person.velocity(),
        }

    def _info(self) -> dict[str, object]:
        distance = self._distance_m()
        return {**super()._info(), "distance_m": distance, "distance_max_m": max(self._farthest_m, distance)}


assert RADIUS_M < PERSON_CLEAR_M
