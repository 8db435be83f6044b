"""The physical world: a scene, what an episode adds to it, and one robot body in one PyBullet client."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pybullet as p

from envs import bodies, scene_file
from envs.bodies import Part
from envs.furniture import FLOOR_RGB, ROOM_RGBS, add_furniture, add_static, wall_blocks
from envs.people import Person
from envs.randomise import Drawn
from envs.rendering import meshes
from envs.rendering.meshes import Mesh
from envs.scene import BELT_HALF_LENGTH, BELT_HALF_WIDTH, BELT_THICKNESS, Belt, Layout, Placement
from envs.scene_file import Furniture, Scene
from robots.body import Body, BodyKind, Start
from vla_sim.catalogue import SHAPES
from vla_sim.clock import divides, ticks_between
from vla_sim.errors import ConfigError
from vla_sim.types import Array, Command, RobotState

BELT_RGB = (0.35, 0.33, 0.30)
FLOOR_FRICTION, TABLE_FRICTION, BELT_FRICTION, OBJECT_FRICTION = 0.9, 0.7, 1.0, 0.8
BELT_MASS_KG, BELT_FORCE_N = 40.0, 4000.0
ROBOT_GROUP = 64  # collision filter group of the robot's links: rays can leave it out
FLOOR_BORDER_M, FLOOR_CELL_M = 1.0, 0.5


@dataclass(frozen=True)
class Physics:
    """Engine settings. The physics rate must be a multiple of the control rate."""

    rate_hz: float = 500.0
    solver_iterations: int = 50

    def substeps(self, control_rate_hz: float) -> int:
        """Physics steps in one control period; ConfigError when they do not divide."""
        for key, rate in (("physics_rate_hz", self.rate_hz), ("control_rate_hz", control_rate_hz)):
            if not rate > 0:
                raise ConfigError(f"env.{key}", f"a rate must be positive, got {rate:g} Hz")
        if not divides(control_rate_hz, self.rate_hz):
            below = max(1, int(self.rate_hz / control_rate_hz)) * control_rate_hz
            raise ConfigError(
                "env.control_rate_hz",
                f"{control_rate_hz:g} Hz does not divide the physics rate of {self.rate_hz:g} Hz",
                f"the nearest physics rates that fit are {below:g} and {below + control_rate_hz:g} Hz",
            )
        return ticks_between(control_rate_hz, self.rate_hz)


class World:
    """One scene with one robot. `step` advances one control period."""

    robot: Body

    def __init__(
        self, kind: BodyKind, physics: Physics, control_rate_hz: float = 100.0, scene: Scene | None = None
    ) -> None:
        self.kind, self.physics = kind, physics
        self.spec = kind.spec(control_rate_hz)
        self.scene = (scene or scene_file.load("table")).for_robot(kind.reach_zone().table_top_m)
        self.substeps = physics.substeps(control_rate_hz)
        self.client: int = p.connect(p.DIRECT)
        self.on = {"physicsClientId": self.client}

    def build(self, layout: Layout, seed: int = 0, drawn: Drawn | None = None) -> None:
        """Empty the world and set up a layout, everything at rest. Same arguments, same bits."""
        # Emptying, rather than moving things back: leftovers of the solver's state would change the last bits.
        p.resetSimulation(**self.on)
        p.setGravity(0, 0, -9.81, **self.on)
        p.setPhysicsEngineParameter(
            fixedTimeStep=1.0 / self.physics.rate_hz, numSolverIterations=self.physics.solver_iterations,
            deterministicOverlappingPairs=1, enableConeFriction=1, **self.on,
        )  # fmt: skip
        self.layout, self.drawn, self.ticks = layout, drawn or Drawn(), 0
        self._state: RobotState | None = None
        self._state_ticks = 0
        self.parts: list[Part] = []
        self.names: dict[int, str] = {}  # of what the robot should not walk into
        self._add_floor()
        self._add_walls()
        self.furniture = {item.name: self._add_furniture(item) for item in (*self.scene.furniture, *layout.obstacles)}
        self._add_robot(seed)
        self.belt: int | None = None
        if layout.belt is not None:
            self._add_belt(layout.belt)
        self.objects = [self._add(placement, i) for i, placement in enumerate(layout.placements)]
        self.tray = self._add(layout.tray, len(self.objects)) if layout.tray is not None else None
        self.people = [self._add_person(place) for place in layout.people]

    # -- building -----------------------------------------------------------------------------------------------
    def _add_floor(self) -> None:
        floor = p.createCollisionShape(p.GEOM_PLANE, **self.on)
        self.floor = int(p.createMultiBody(0, floor, **self.on))
        self._set_friction(self.floor, FLOOR_FRICTION)
        if not self.scene.rooms:
            self.parts.append(Part(self.floor, -1, meshes.grid(6.0, 6.0, 24), FLOOR_RGB))
        for i, room in enumerate(self.scene.rooms):
            outline = room.outline
            self.parts.append(Part(self.floor, -1, _floor_of(outline), ROOM_RGBS[i % len(ROOM_RGBS)]))
        for zone in self.scene.zones:
            middle = zone.outline.mean(axis=0)
            if self.scene.rooms and not self.scene.room_at(float(middle[0]), float(middle[1])):
                self.parts.append(Part(self.floor, -1, _floor_of(zone.outline), FLOOR_RGB))

    def _add_walls(self) -> None:
        for wall in self.scene.walls:
            yaw = float(np.arctan2(wall.end[1] - wall.start[1], wall.end[0] - wall.start[0]))
            parts = add_static(self.client, wall_blocks(wall), (wall.start[0], wall.start[1]), yaw)
            self.names[parts[0].body] = wall.name
            self.parts += parts

    def _add_furniture(self, item: Furniture) -> int:
        parts = add_furniture(self.client, item, self.scene.folder)
        self.parts += parts
        body = parts[0].body
        self._set_friction(body, TABLE_FRICTION)
        self.names[body] = item.name
        return body

    def _add_robot(self, seed: int) -> None:
        self.robot = self.kind.build(self.client, self.spec, self.physics.rate_hz, self.drawn.actuation)
        x, y, yaw = self.layout.start
        self.robot.reset(Start(x, y, yaw, seed))
        for link in range(-1, p.getNumJoints(self.robot.id, **self.on)):
            p.setCollisionFilterGroupMask(self.robot.id, link, ROBOT_GROUP, -1, **self.on)

    def _add_belt(self, belt: Belt) -> None:
        """A heavy plate on a sliding joint under velocity control: a contact surface that truly moves."""
        half = (BELT_HALF_WIDTH, BELT_HALF_LENGTH, BELT_THICKNESS / 2)
        collision = p.createCollisionShape(p.GEOM_BOX, halfExtents=half, **self.on)
        visual = p.createVisualShape(p.GEOM_BOX, halfExtents=half, rgbaColor=[*BELT_RGB, 1], **self.on)
        x, y, yaw = belt.pose
        position, quat = [x, y, belt.support_m + BELT_THICKNESS / 2], bodies.quat(yaw)
        self.belt = int(
            p.createMultiBody(
                0, -1, -1, position, quat, linkMasses=[BELT_MASS_KG], linkCollisionShapeIndices=[collision],
                linkVisualShapeIndices=[visual], linkPositions=[[0, 0, 0]], linkOrientations=[[0, 0, 0, 1]],
                linkInertialFramePositions=[[0, 0, 0]], linkInertialFrameOrientations=[[0, 0, 0, 1]],
                linkParentIndices=[0], linkJointTypes=[p.JOINT_PRISMATIC], linkJointAxis=[[0, 1, 0]], **self.on,
            )
        )  # fmt: skip
        # Two calls: with damping in it, PyBullet gives the friction to the base instead of the link.
        p.changeDynamics(self.belt, 0, linearDamping=0, angularDamping=0, **self.on)
        p.changeDynamics(self.belt, 0, lateralFriction=BELT_FRICTION * self.drawn.friction, **self.on)
        for body in self.furniture.values():
            p.setCollisionFilterPair(self.belt, body, 0, -1, 0, **self.on)
        self.parts.append(Part(self.belt, 0, meshes.box(half), BELT_RGB))
        self._drive_belt(belt)

    def _drive_belt(self, belt: Belt) -> None:
        p.setJointMotorControl2(
            self.belt, 0, p.VELOCITY_CONTROL, targetVelocity=belt.speed_at(self.time_s), force=BELT_FORCE_N, **self.on
        )

    def _add(self, placement: Placement, index: int) -> int:
        shape = SHAPES[placement.query.shape]
        position = np.array([placement.x, placement.y, placement.support_m + shape.height_m / 2 + 0.0005])
        mass = (placement.mass_kg or shape.mass_kg) * self.drawn.mass_of(index)
        friction = OBJECT_FRICTION * self.drawn.friction
        parts = bodies.add_object(self.client, placement.query, position, placement.yaw_rad, friction, mass)
        self.parts += parts
        return parts[0].body

    def _add_person(self, place: scene_file.PersonPlace) -> Person:
        person = Person(self.client, place)
        self.parts += person.parts
        self.names[person.id] = place.name
        return person

    def _set_friction(self, body: int, friction: float) -> None:
        p.changeDynamics(body, -1, lateralFriction=friction * self.drawn.friction, **self.on)

    # -- running ------------------------------------------------------------------------------------------------
    @property
    def time_s(self) -> float:
        """Simulated time since `build`."""
        return self.ticks / self.spec.control_rate_hz

    def act(self, command: Command, late_s: float = 0.0) -> Command:
        """Advance one control period, under the command before for the first `late_s`; returns the one in force."""
        late = min(round(late_s * self.physics.rate_hz), self.substeps)
        if not late:
            sent = self.robot.apply(command)
            self.step()
            return sent
        self._begin()
        self._substeps(late)
        sent = self.robot.apply(command)
        self._substeps(self.substeps - late)
        self.ticks += 1
        return sent

    def step(self, *, control: bool = True) -> None:
        """Advance one control period; without `control` the motors keep what they were last told."""
        self._begin()
        self._substeps(self.substeps, control)
        self.ticks += 1

    def _begin(self) -> None:
        """What else moves, for one control period."""
        if self.layout.belt is not None:
            self._drive_belt(self.layout.belt)
        if self.people:
            here = self.robot.pose_base_in_world()[:2, 3]
            for person in self.people:
                person.drive(1.0 / self.spec.control_rate_hz, here)

    def _substeps(self, count: int, control: bool = True) -> None:
        for _ in range(count):
            if control:
                self.robot.before_step()
            p.stepSimulation(**self.on)

    @property
    def robot_state(self) -> RobotState:
        """What the robot knows of itself after the newest control period; asked for by several, made once."""
        if self._state is None or self._state_ticks != self.ticks:
            self._state, self._state_ticks = self.robot.state(self.time_s), self.ticks
        return self._state

    # -- the truth ----------------------------------------------------------------------------------------------
    def pose(self, body: int) -> tuple[Array, Array]:
        """Position [3] m and rotation [3, 3] of a body in the world."""
        position, quat = p.getBasePositionAndOrientation(body, **self.on)
        return np.array(position), np.reshape(p.getMatrixFromQuaternion(quat), (3, 3))

    def link_pose(self, body: int, link: int) -> Array:
        """[4, 4] frame of a link in the world."""
        state = p.getLinkState(body, link, computeForwardKinematics=1, **self.on)
        pose = np.eye(4)
        pose[:3, :3] = np.reshape(p.getMatrixFromQuaternion(state[5]), (3, 3))
        pose[:3, 3] = state[4]
        return pose

    def velocity(self, body: int) -> Array:
        """[3] linear velocity of a body, m/s."""
        return np.array(p.getBaseVelocity(body, **self.on)[0])

    def tray_pose(self) -> Array | None:
        """[4, 4] of the tray: the one that stands somewhere, else the one a person holds; None without."""
        if self.tray is not None:
            pose = np.eye(4)
            pose[:3, 3], pose[:3, :3] = self.pose(self.tray)
            return pose
        return next((person.tray_in_world() for person in self.people if person.place.holds_tray), None)

    def held(self, body: int) -> bool:
        """Whether a finger touches a body."""
        links = self.robot.links
        fingers = [links[name] for hand in self.robot.hands.values() for name in hand.fingers]
        return any(p.getContactPoints(self.robot.id, body, link, -1, **self.on) for link in fingers)

    def base_pose(self) -> Array:
        """[3] x, y, yaw of the robot's base in truth."""
        pose = self.robot.pose_base_in_world()
        return np.array([pose[0, 3], pose[1, 3], np.arctan2(pose[1, 0], pose[0, 0])])

    def pressed(self) -> dict[str, float]:
        """Force, N, with which the robot presses on each wall, piece of furniture and person it touches."""
        forces: dict[str, float] = {}
        for contact in p.getContactPoints(bodyA=self.robot.id, **self.on):
            other = contact[2] if contact[1] == self.robot.id else contact[1]
            name = self.names.get(other)
            if name is not None and contact[9] > 0.0:
                forces[name] = forces.get(name, 0.0) + float(contact[9])
        return forces

    def close(self) -> None:
        """Disconnect. Safe to call twice."""
        if self.client >= 0:
            p.disconnect(**self.on)
            self.client = -1


def _floor_of(outline: Array) -> Mesh:
    """The rectangle around a room, as a grid: seen from near, small triangles are cheaper to clip."""
    low, high = outline.min(axis=0), outline.max(axis=0)
    size = high - low
    pose = np.eye(4)
    pose[:2, 3] = (low + high) / 2
    return meshes.grid(float(size[0]), float(size[1]), max(1, int(np.ceil(size.max() / FLOOR_CELL_M)))).moved(pose)
