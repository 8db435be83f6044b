"""People: bodies that walk a route at their own pace; when the robot is in their way they wait, then go another."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pybullet as p

from envs import courtesy
from envs.bodies import Part, tray_boxes
from envs.furniture import Block, collision_shape
from envs.scene_file import PersonPlace
from vla_sim.catalogue import COLOURS, SHAPES
from vla_sim.types import Array

HEIGHT_M, RADIUS_M = 1.70, 0.22
TRAY_HEIGHT_M, TRAY_AHEAD_M = 0.85, 0.34  # of the tray's foot above the floor, of its middle ahead of the body
SKIN, SHIRT, TROUSERS = (0.80, 0.62, 0.52), (0.42, 0.40, 0.46), (0.28, 0.29, 0.33)
FORCE_N, TORQUE_NM, LEG_NM = 300.0, 60.0, 60.0  # a person pushes no harder
FOLLOW_PER_S, TURN_PER_S, TURN_MAX_RAD_S = 3.0, 4.0, 2.5
CORRECTION_MAX_M_S = 0.3
STRIDE_M, SWING_RAD = 0.75, 0.38
IN_THE_WAY_M, AHEAD_RAD = 0.75, 1.0
BRUSH_M = 0.58  # who would pass this near to the robot's middle would touch it
WAIT_S, AGAIN_S = 3.0, 1.0  # for the robot to go on, before another way is looked for, and how often it is
LET_BY_S = 4.0  # who went back stays there for so long
ACCELERATION_M_S2 = 0.6
SLIDE_X, SLIDE_Y, TORSO, LEFT_LEG, RIGHT_LEG = range(5)


class Route:
    """Where somebody is by the time spent walking: legs at constant speed, with soft ends, and pauses between."""

    def __init__(self, place: PersonPlace) -> None:
        points = [np.array(point, dtype=np.float64) for point in place.route]
        if place.loop and len(points) > 1:
            points.append(points[0])
        self._yaw = math.radians(place.yaw_deg)
        self._loop = place.loop and len(points) > 1
        self._points = points
        self.length_m = sum(math.dist(a, b) for a, b in pairwise(points))
        self._legs: list[tuple[float, float, Array, Array, float]] = []  # from, to (s), start, direction, length
        time = place.pause_s
        for a, b in pairwise(points):
            length = math.dist(a, b)
            if length < 1e-6:
                continue
            took = _took_s(length, place.speed_m_s)
            self._legs.append((time, time + took, a, (b - a) / length, length))
            time += took + place.pause_s
        self.duration_s = time
        self._speed = place.speed_m_s

    def at(self, time_s: float) -> tuple[Array, Array, float]:
        """Position [2] m, velocity [2] m/s and heading rad after `time_s` on the way."""
        if not self._legs:
            return self._points[0], np.zeros(2), self._yaw
        time_s = self._in_turn(time_s)
        current = self._leg_at(time_s)
        begin, end, start, direction, length = self._legs[current]
        if current == 0 and time_s < begin:
            return start, np.zeros(2), self._yaw if not self._loop else _heading(direction)
        along, speed = _progress(time_s - begin, length, self._speed)
        if time_s >= end:
            along, speed = length, 0.0
        return start + along * direction, speed * direction, _heading(direction)

    def _in_turn(self, time_s: float) -> float:
        return time_s % self.duration_s if self._loop else min(time_s, self.duration_s)

    def _leg_at(self, time_s: float) -> int:
        return max((i for i, leg in enumerate(self._legs) if time_s >= leg[0]), default=0)

    def leg(self, time_s: float) -> tuple[Array, float]:
        """[2] where the leg of that time ends, and the time when it does."""
        time_s, turn_s = self._in_turn(time_s), time_s - self._in_turn(time_s)
        _, end_s, start, direction, length = self._legs[self._leg_at(time_s)]
        return start + length * direction, turn_s + end_s

    def before(self, time_s: float) -> list[tuple[Array, float]]:
        """[2] where the leg of that time begins, and when the way goes on from there; then the same of the leg before.

        Empty for somebody who only stands.
        """
        time_s, turn_s = self._in_turn(time_s), time_s - self._in_turn(time_s)
        current = self._leg_at(time_s) if self._legs else -1
        found = [(leg[2], turn_s + leg[0]) for leg in self._legs[max(current - 1, 0) : current + 1]]
        if current == 0 and self._loop:
            found.insert(0, (self._legs[-1][2], turn_s + self._legs[-1][0] - self.duration_s))
        return found[::-1]

    @property
    def goal(self) -> Array:
        """[2] where the route ends."""
        return self._points[-1]


def _heading(direction: Array) -> float:
    return math.atan2(direction[1], direction[0])


def _took_s(length_m: float, speed_m_s: float) -> float:
    ramp = speed_m_s / ACCELERATION_M_S2
    if length_m < speed_m_s * ramp:
        return 2.0 * math.sqrt(length_m / ACCELERATION_M_S2)
    return length_m / speed_m_s + ramp


def _progress(time_s: float, length_m: float, speed_m_s: float) -> tuple[float, float]:
    """Way m and speed m/s of a leg with equal ramps at both ends."""
    took = _took_s(length_m, speed_m_s)
    top = min(speed_m_s, math.sqrt(length_m * ACCELERATION_M_S2))
    ramp = top / ACCELERATION_M_S2
    if time_s < ramp:
        return 0.5 * ACCELERATION_M_S2 * time_s**2, ACCELERATION_M_S2 * time_s
    if time_s > took - ramp:
        left = max(took - time_s, 0.0)
        return length_m - 0.5 * ACCELERATION_M_S2 * left**2, ACCELERATION_M_S2 * left
    return 0.5 * top * ramp + top * (time_s - ramp), top


class Person:
    """One person in a PyBullet client. Motors of limited force slide and turn the body: its contacts are real.

    `drive` is called once a control period. One who has waited a while for the robot walks round it where he sees room
    enough, goes back to where he came from, or steps aside, and lets it by.
    """

    def __init__(self, client: int, place: PersonPlace) -> None:
        self.place, self.route = place, Route(place)
        self.on = {"physicsClientId": client}
        self.blocks = _blocks(place)
        self.id = self._build(client)
        self.walked_s = 0.0
        self._detour: Route | None = None  # walked instead of the route, which goes on at `_resumes_s`
        self._detoured_s = self._detour_ends_s = self._resumes_s = 0.0
        self._waited_s = self._stepped_m = 0.0
        position, _, yaw = self.route.at(0.0)
        for joint, value in ((SLIDE_X, position[0]), (SLIDE_Y, position[1]), (TORSO, yaw)):
            p.resetJointState(self.id, joint, float(value), 0.0, **self.on)
        self._motors(np.zeros(2), 0.0, 0.0)

    def _build(self, client: int) -> int:
        none = [0.0, 0.0, 0.0]
        upright = [0.0, 0.0, 0.0, 1.0]
        shapes = [-1, -1, *(collision_shape(client, blocks) for blocks in self.blocks)]
        hips = [none, none, none, [0.0, 0.09, HIP_M], [0.0, -0.09, HIP_M]]
        return int(
            p.createMultiBody(
                0, -1, -1, none, linkMasses=[1.0, 1.0, 50.0, 9.0, 9.0], linkCollisionShapeIndices=shapes,
                linkVisualShapeIndices=[-1] * 5, linkPositions=hips, linkOrientations=[upright] * 5,
                linkInertialFramePositions=[none] * 5, linkInertialFrameOrientations=[upright] * 5,
                linkParentIndices=[0, 1, 2, 3, 3],
                linkJointTypes=[p.JOINT_PRISMATIC, p.JOINT_PRISMATIC] + [p.JOINT_REVOLUTE] * 3,
                linkJointAxis=[[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0], [0, 1, 0]], **self.on,
            )
        )  # fmt: skip

    @property
    def parts(self) -> list[Part]:
        """What is drawn."""
        links = (TORSO, LEFT_LEG, RIGHT_LEG)
        return [
            Part(self.id, link, block.mesh(), block.rgb)
            for link, blocks in zip(links, self.blocks, strict=True)
            for block in blocks
        ]

    def drive(self, period_s: float, robot_xy: Array) -> None:
        """Set the motors for the next control period; stands while the robot is right ahead, but not for ever."""
        walk, time_s = (self.route, self.walked_s) if self._detour is None else (self._detour, self._detoured_s)
        position, velocity, heading = walk.at(time_s)
        here = self.pose()
        if velocity.any() and _is_ahead(here, heading, robot_xy):
            velocity = np.zeros(2)
            self._waited_s += period_s
            if self._waited_s >= WAIT_S:
                self._waited_s = WAIT_S - AGAIN_S
                self._turn_aside(here[:2], robot_xy)
        else:
            self._waited_s = max(self._waited_s - period_s, 0.0)
            self._go_on(period_s)
        off = FOLLOW_PER_S * (position - here[:2])
        off *= min(1.0, CORRECTION_MAX_M_S / max(float(np.hypot(off[0], off[1])), 1e-9))
        turn = min(max(TURN_PER_S * _wrap(heading - here[2]), -TURN_MAX_RAD_S), TURN_MAX_RAD_S)
        speed = float(np.hypot(velocity[0], velocity[1]))
        self._stepped_m += speed * period_s
        self._motors(velocity + off, turn, SWING_RAD * min(1.0, speed / 0.4))

    def _go_on(self, period_s: float) -> None:
        if self._detour is None:
            self.walked_s += period_s
            return
        self._detoured_s += period_s
        if self._detoured_s >= self._detour_ends_s:
            self._detour, self.walked_s = None, self._resumes_s

    def _turn_aside(self, here: Array, robot_xy: Array) -> None:
        """Take a way round the robot to where the leg ends, else back to where it began, else a step aside.

        With none of them free, he waits on.
        """

        def is_free(a: Array, b: Array) -> bool:
            return courtesy.sees_free(self.on["physicsClientId"], self.id, a, b)

        goal, ends_s = self.route.leg(self.walked_s)
        way = courtesy.way_round(here, goal, robot_xy, is_free)
        if way:
            self._walk_instead(way, ends_s)
            return
        behind = self.route.before(self.walked_s)
        way = courtesy.way_back(here, [place for place, _ in behind], robot_xy, is_free)
        if way:
            begins_s = next((time_s for place, time_s in behind if place is way[-1]), self.walked_s)
            self._walk_instead(way, begins_s, stay_s=LET_BY_S)
            return
        way = courtesy.way_aside(here, robot_xy, is_free)
        if way and self._detour is None:
            self._walk_instead(way, self.walked_s, pause_s=LET_BY_S)

    def _walk_instead(self, way: list[Array], resumes_s: float, pause_s: float = 0.0, stay_s: float = 0.0) -> None:
        """Leave the route for `way` [2], with pauses at its corners and a stay at its end."""
        points = tuple((float(x), float(y)) for x, y in way)
        self._detour = Route(PersonPlace(points, speed_m_s=self.place.speed_m_s, pause_s=pause_s, loop=False))
        self._detoured_s, self._detour_ends_s = pause_s, self._detour.duration_s - pause_s + stay_s
        self._resumes_s = resumes_s

    def _motors(self, velocity: Array, turn_rad_s: float, swing_rad: float) -> None:
        for joint, rate, force in (
            (SLIDE_X, velocity[0], FORCE_N), (SLIDE_Y, velocity[1], FORCE_N), (TORSO, turn_rad_s, TORQUE_NM)
        ):  # fmt: skip
            p.setJointMotorControl2(self.id, joint, p.VELOCITY_CONTROL, targetVelocity=rate, force=force, **self.on)
        angle = swing_rad * math.sin(2 * math.pi * self._stepped_m / STRIDE_M)
        for joint, target in ((LEFT_LEG, angle), (RIGHT_LEG, -angle)):
            p.setJointMotorControl2(
                self.id, joint, p.POSITION_CONTROL, targetPosition=target, positionGain=0.1, force=LEG_NM, **self.on
            )

    def pose(self) -> Array:
        """[3] x, y, yaw in the world."""
        states = p.getJointStates(self.id, [SLIDE_X, SLIDE_Y, TORSO], **self.on)
        return np.array([state[0] for state in states])

    def velocity(self) -> Array:
        """[2] m/s in the world."""
        return np.array([state[1] for state in p.getJointStates(self.id, [SLIDE_X, SLIDE_Y], **self.on)])

    def tray_in_world(self) -> Array:
        """[4, 4] middle of the tray that is held."""
        x, y, yaw = self.pose()
        c, s = math.cos(yaw), math.sin(yaw)
        pose = np.eye(4)
        pose[:2, :2] = [[c, -s], [s, c]]
        pose[:3, 3] = x + c * TRAY_AHEAD_M, y + s * TRAY_AHEAD_M, TRAY_HEIGHT_M + SHAPES["tray"].height_m / 2
        return pose

    @property
    def arrived(self) -> bool:
        """Whether the route has been walked to its end."""
        return self.walked_s >= self.route.duration_s


HIP_M = 0.86


def _blocks(place: PersonPlace) -> list[list[Block]]:
    """Torso with head and arms (and tray), left leg, right leg; each in the frame of its link."""
    torso = [
        Block("capsule", (0.0, 0.0, 1.14), (0.15, 0.36), SHIRT),
        Block("sphere", (0.0, 0.0, 1.59), (0.11,), SKIN),
        Block("cylinder", (0.0, 0.0, 1.46), (0.05, 0.10), SKIN),
    ]
    if place.holds_tray:
        torso += _arms_ahead() + _tray(place.tray_colour)
    else:
        torso += [Block("capsule", (0.0, side * 0.21, 1.10), (0.045, 0.50), SHIRT) for side in (1, -1)]
    leg = [Block("capsule", (0.0, 0.0, -0.40), (0.07, 0.66), TROUSERS)]
    return [torso, leg, list(leg)]


def _arms_ahead() -> list[Block]:
    """Upper arms down, forearms forward to the sides of the tray."""
    reach = TRAY_AHEAD_M / 2 + 0.02
    upper = [Block("capsule", (0.0, side * 0.21, 1.12), (0.045, 0.34), SHIRT) for side in (1, -1)]
    fore = [Block("box", (reach, side * 0.155, TRAY_HEIGHT_M + 0.02), (reach, 0.035, 0.03), SKIN) for side in (1, -1)]
    return upper + fore


def _tray(colour: str) -> list[Block]:
    shape = SHAPES["tray"]
    foot = TRAY_HEIGHT_M + shape.height_m / 2
    return [
        Block("box", (b.centre[0] + TRAY_AHEAD_M, b.centre[1], b.centre[2] + foot), b.half, COLOURS[colour].rgb)
        for b in tray_boxes(shape)
    ]


def _is_ahead(here: Array, heading_rad: float, robot_xy: Array) -> bool:
    """Whether the robot is in the way of one who walks from `here` [>= 2]."""
    dx, dy = float(robot_xy[0] - here[0]), float(robot_xy[1] - here[1])
    distance, bearing = math.hypot(dx, dy), abs(_wrap(math.atan2(dy, dx) - heading_rad))
    brushes = bearing < math.pi / 2 and distance * math.sin(bearing) < BRUSH_M
    return distance < IN_THE_WAY_M and (bearing < AHEAD_RAD or brushes)


def _wrap(angle_rad: float) -> float:
    return (angle_rad + math.pi) % (2 * math.pi) - math.pi
