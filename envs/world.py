"""The physical world: floor, table, belt, objects and one robot body in one PyBullet client."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pybullet as p

from envs import bodies
from envs.bodies import Box, Part
from envs.rendering import meshes
from envs.scene import (
    BELT_HALF_LENGTH,
    BELT_HALF_WIDTH,
    BELT_THICKNESS,
    BELT_X,
    TABLE_EDGE_X,
    TABLE_SIZE,
    TABLE_TOP_M,
    Belt,
    Layout,
    Placement,
)
from robots.g1.body import G1Body
from vla_sim.catalogue import SHAPES
from vla_sim.errors import ConfigError
from vla_sim.spec import RobotSpec
from vla_sim.types import Array

TABLE_RGB, BELT_RGB, FLOOR_RGB = (0.75, 0.70, 0.62), (0.35, 0.33, 0.30), (0.55, 0.55, 0.60)
FLOOR_FRICTION, TABLE_FRICTION, BELT_FRICTION, OBJECT_FRICTION = 0.9, 0.7, 1.0, 0.8
BELT_MASS_KG, BELT_FORCE_N = 40.0, 4000.0


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
        ratio = self.rate_hz / control_rate_hz
        if ratio != round(ratio):
            below = max(1, int(ratio)) * control_rate_hz
            raise ConfigError(
                "env.control_rate_hz",
                f"{control_rate_hz:g} Hz does not divide the physics rate of {self.rate_hz:g} Hz",
                f"the nearest physics rates that fit are {below:g} and {below + control_rate_hz:g} Hz",
            )
        return int(ratio)


class World:
    """One scene with one robot. `step` advances one control period."""

    def __init__(self, spec: RobotSpec, physics: Physics) -> None:
        self.spec, self.physics = spec, physics
        self.substeps = physics.substeps(spec.control_rate_hz)
        self.client: int = p.connect(p.DIRECT)
        self.on = {"physicsClientId": self.client}

    def build(self, layout: Layout) -> None:
        """Empty the world and set up a layout, everything at rest. Same layout, same bits."""
        # Emptying, rather than moving things back: leftovers of the solver's state would change the last bits.
        p.resetSimulation(**self.on)
        p.setGravity(0, 0, -9.81, **self.on)
        p.setPhysicsEngineParameter(
            fixedTimeStep=1.0 / self.physics.rate_hz, numSolverIterations=self.physics.solver_iterations,
            deterministicOverlappingPairs=1, enableConeFriction=1, **self.on,
        )  # fmt: skip
        self.layout, self.ticks = layout, 0
        self.parts: list[Part] = []
        self._add_room()
        self.robot = G1Body(self.client, self.spec)
        self.belt: int | None = None
        if layout.belt is not None:
            self._add_belt()
        self.objects = [self._add(placement) for placement in layout.placements]
        self.tray = self._add(layout.tray) if layout.tray is not None else None

    def _add_room(self) -> None:
        floor = p.createCollisionShape(p.GEOM_PLANE, **self.on)
        self.floor = int(p.createMultiBody(0, floor, **self.on))
        p.changeDynamics(self.floor, -1, lateralFriction=FLOOR_FRICTION, **self.on)
        half = (TABLE_SIZE[0] / 2, TABLE_SIZE[1] / 2, TABLE_SIZE[2] / 2)
        centre = np.array([TABLE_EDGE_X + half[0], 0.0, TABLE_TOP_M - half[2]])
        self.table = bodies.add_boxes(self.client, (Box((0, 0, 0), half),), 0.0, centre, 0.0, TABLE_RGB)
        p.changeDynamics(self.table, -1, lateralFriction=TABLE_FRICTION, **self.on)
        self.parts += [
            Part(self.floor, -1, meshes.grid(6.0, 6.0, 24), FLOOR_RGB),
            Part(self.table, -1, meshes.box(half), TABLE_RGB),
        ]

    def _add_belt(self) -> None:
        """A heavy plate on a sliding joint under velocity control: a contact surface that truly moves."""
        half = (BELT_HALF_WIDTH, BELT_HALF_LENGTH, BELT_THICKNESS / 2)
        collision = p.createCollisionShape(p.GEOM_BOX, halfExtents=half, **self.on)
        visual = p.createVisualShape(p.GEOM_BOX, halfExtents=half, rgbaColor=[*BELT_RGB, 1], **self.on)
        position = [BELT_X, 0.15, TABLE_TOP_M + BELT_THICKNESS / 2]
        self.belt = int(
            p.createMultiBody(
                0, -1, -1, position, linkMasses=[BELT_MASS_KG], linkCollisionShapeIndices=[collision],
                linkVisualShapeIndices=[visual], linkPositions=[[0, 0, 0]], linkOrientations=[[0, 0, 0, 1]],
                linkInertialFramePositions=[[0, 0, 0]], linkInertialFrameOrientations=[[0, 0, 0, 1]],
                linkParentIndices=[0], linkJointTypes=[p.JOINT_PRISMATIC], linkJointAxis=[[0, 1, 0]], **self.on,
            )
        )  # fmt: skip
        # Two calls: with damping in it, PyBullet gives the friction to the base instead of the link.
        p.changeDynamics(self.belt, 0, linearDamping=0, angularDamping=0, **self.on)
        p.changeDynamics(self.belt, 0, lateralFriction=BELT_FRICTION, **self.on)
        p.setCollisionFilterPair(self.belt, self.table, 0, -1, 0, **self.on)
        self.parts.append(Part(self.belt, 0, meshes.box(half), BELT_RGB))
        self._drive_belt()

    def _drive_belt(self) -> None:
        belt = self.layout.belt or Belt(0.0)
        p.setJointMotorControl2(
            self.belt, 0, p.VELOCITY_CONTROL, targetVelocity=belt.speed_at(self.time_s), force=BELT_FORCE_N, **self.on
        )

    def _add(self, placement: Placement) -> int:
        height = SHAPES[placement.query.shape].height_m
        position = np.array([placement.x, placement.y, placement.support_m + height / 2 + 0.0005])
        parts = bodies.add_object(self.client, placement.query, position, placement.yaw_rad, OBJECT_FRICTION)
        self.parts += parts
        return parts[0].body

    @property
    def time_s(self) -> float:
        """Simulated time since `build`."""
        return self.ticks / self.spec.control_rate_hz

    def step(self) -> None:
        """Advance one control period."""
        if self.belt is not None:
            self._drive_belt()
        for _ in range(self.substeps):
            p.stepSimulation(**self.on)
        self.ticks += 1

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

    def held(self, body: int) -> bool:
        """Whether a finger touches a body."""
        fingers = [self.robot.links[f"{hand}_finger_{side}"] for hand in self.spec.hands for side in "ab"]
        return any(p.getContactPoints(self.robot.id, body, link, -1, **self.on) for link in fingers)

    def close(self) -> None:
        """Disconnect. Safe to call twice."""
        if self.client >= 0:
            p.disconnect(**self.on)
            self.client = -1
