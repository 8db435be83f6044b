"""VlaSim/Fetch-v0: go to another room, take the named object, bring it back."""

from __future__ import annotations

import math

import numpy as np

from envs import drawing
from envs.floor_plan import floor_plan
from envs.judging import foot_height_m, rests_in_tray
from envs.placing import objects_on, scene_objects, tray_on
from envs.scene import Layout
from envs.scene_file import Furniture, PersonPlace
from envs.tabletop import TargetEnv
from vla_sim.catalogue import COLOURS, GRASPABLE
from vla_sim.errors import ConfigError, nearest
from vla_sim.types import ObjectQuery, Verdict

DELIVER = ("tray", "person", "none")
COUNTS = {"easy": (1, 2), "normal": (3, 4), "hard": (5, 5)}
SETTLED_S, LIFTED_M, HELD_S = 0.3, 0.06, 1.0
HANDOVER_M = 1.10  # from the robot's start to the person who waits for it
FLOOR_M = 0.30  # an object lower than this has fallen


class FetchEnv(TargetEnv):
    """Objects near the front edge of the table `take_from`, the robot in the room of the table `put_on`.

    `deliver` says when it is done: "tray": the object rests in the tray on `put_on`, let go; "person": in the tray
    that a person holds; "none": it is held in the air.
    """

    time_limit_s = 150.0
    default_scene = "apartment"
    on_foot = True
    collision_n = math.inf  # hands may press on the table; `info` says how hard anything was pressed

    def __init__(
        self, deliver: str = "tray", take_from: str = "kitchen table", put_on: str = "living room table",
        **common: object,
    ) -> None:  # fmt: skip
        if deliver not in DELIVER:
            raise ConfigError("env.deliver", f"unknown {deliver!r}", nearest(str(deliver), DELIVER))
        self.deliver, self.take_from, self.put_on = deliver, take_from, put_on
        super().__init__(**common)  # type: ignore[arg-type]

    def _check(self, payload_kg: float) -> None:
        super()._check(payload_kg)
        self._rooms = []
        for key, name in (("take_from", self.take_from), ("put_on", self.put_on)):
            item = self.scene.surface(name, f"env.{key}")
            self._rooms.append(self.scene.room_at(item.at[0], item.at[1]))
        if not all(self._rooms) or self._rooms[0] == self._rooms[1]:
            raise ConfigError("env.take_from", "both tables must stand in rooms, and not in the same one")

    def draw(self, rng: np.random.Generator) -> Layout:
        """Objects on one table, a tray on the other or in a person's hands, and the robot somewhere between."""
        self._since_s = 0.0
        scene = self.scene
        colours = list(COLOURS)
        tray_colour = colours.pop(int(rng.integers(len(colours))))
        kinds = [ObjectQuery(shape, colour) for shape in GRASPABLE for colour in colours]
        few, many = COUNTS[self.difficulty]
        count = int(rng.integers(few, many + 1))
        chosen = [kinds[i] for i in rng.permutation(len(kinds))[:count]]
        drawn = objects_on(rng, scene.surface(self.take_from), chosen)
        placements = scene_objects(rng, scene, self.take_from) or drawn
        start = drawing.free_start(rng, scene, scene.room(self._rooms[1]))
        people: tuple[PersonPlace, ...] = ()
        tray = None
        if self.deliver == "person":
            person, start = self._waiting_person(rng, tray_colour)
            people = (person,)
        elif self.deliver == "tray":
            tray = tray_on(scene.surface(self.put_on), tray_colour)
        if self.difficulty == "hard":
            there = scene.surface(self.take_from).stand_at(0.45).tolist()
            taken = [_taken(person.route[0]) for person in people]
            people = (*people, *drawing.walkers(rng, scene, taken, 1, start, there))
        return Layout(placements, tray, start=start, people=people)

    def _waiting_person(
        self, rng: np.random.Generator, tray_colour: str
    ) -> tuple[PersonPlace, tuple[float, float, float]]:
        """Somebody with a tray and the robot before him, face to face; the way to the other table stays free."""
        plan = floor_plan(self.scene, zones=True)
        room, there = self.scene.room(self._rooms[1]), self.scene.surface(self.take_from).stand_at(0.45)
        for _ in range(drawing.TRIES):
            start = drawing.free_point(rng, plan, room, drawing.START_CLEAR_M)
            yaw = float(rng.uniform(-math.pi, math.pi))
            ahead = np.array([math.cos(yaw), math.sin(yaw)])
            place = start + HANDOVER_M * ahead
            route = ((float(place[0]), float(place[1])),)
            clear = plan.clearance_along_m(start, place + 0.1 * ahead)[0] >= 0.35
            if not clear or not room.holds(*route[0]):
                continue
            if plan.having(_taken(route[0])).reachable(start, there, drawing.BESIDE_OBSTACLES_M):
                person = PersonPlace(route, yaw_deg=math.degrees(yaw) + 180.0, holds_tray=True, tray_colour=tray_colour)
                return person, (float(start[0]), float(start[1]), yaw)
        raise ConfigError(f"scene {self.scene.name}", f"two people cannot face each other in the {room.name}")

    @property
    def instruction(self) -> str:
        target, room = self.world.layout.target.query, self._rooms[0]
        if self.deliver == "person":
            return f"bring me the {target} from the {room}"
        if self.deliver == "none":
            return f"go to the {room} and pick up the {target}"
        return f"go to the {room}, pick up the {target} and put it in the tray on the {self.put_on}"

    def judge(self) -> Verdict | None:
        world, body = self.world, self.world.objects[0]
        if world.pose(body)[0][2] < FLOOR_M:
            return Verdict(False, "object_fell")
        done, needed_s = self._done(body)
        self._since_s = self._since_s + 1.0 / self.robot_spec.control_rate_hz if done else 0.0
        if self._since_s < needed_s - 1e-9:
            return None
        return Verdict(True, {"tray": "placed", "person": "handed_over", "none": "lifted"}[self.deliver])

    def _done(self, body: int) -> tuple[bool, float]:
        """Whether the goal holds now, and for how long it must, s."""
        world = self.world
        if self.deliver == "none":
            target = world.layout.target
            foot = foot_height_m(world, body, target.query.shape)
            return foot > target.support_m + LIFTED_M and world.held(body), HELD_S
        tray = world.tray_pose()
        return tray is not None and rests_in_tray(world, body, tray), SETTLED_S


def _taken(at: tuple[float, ...]) -> Furniture:
    """What somebody who stands takes up on the floor, for the drawing of others."""
    return Furniture("somebody", "box", at, (0.5, 0.5))
