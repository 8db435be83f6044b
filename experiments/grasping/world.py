"""A bare world for the grasping study: the G1 at a table, one object on it, and the truth about both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pybullet as p

from robots.body import Start
from robots.g1 import G1
from vla_sim.catalogue import SHAPES, Shape
from vla_sim.types import Array, Command

PHYSICS_HZ, CONTROL_HZ, ITERATIONS = 500.0, 100.0, 50
FLOOR_FRICTION, TABLE_FRICTION = 0.9, 0.7
TABLE_HALF = (0.3, 0.6, 0.02)


@dataclass(frozen=True)
class Scene:
    """One object on the table, in the world, where the robot begins at the origin and looks along x."""

    shape: str  # a key of `vla_sim.catalogue.SHAPES`
    mass_kg: float
    friction: float  # against the hand, whose own is 1
    x: float
    y: float
    yaw_rad: float
    seed: int = 0  # of the robot's own noise


class World:
    """One robot, one table, one object in a PyBullet client of its own. `step` advances one control period."""

    def __init__(self, kind: G1, scene: Scene) -> None:
        self.client = p.connect(p.DIRECT)
        self.on = {"physicsClientId": self.client}
        p.setGravity(0, 0, -9.81, **self.on)
        p.setPhysicsEngineParameter(
            fixedTimeStep=1 / PHYSICS_HZ, numSolverIterations=ITERATIONS, deterministicOverlappingPairs=1,
            enableConeFriction=1, **self.on,
        )  # fmt: skip
        self.scene, self.shape, self.ticks = scene, SHAPES[scene.shape], 0
        zone = kind.reach_zone()
        self.table_top_m = zone.table_top_m
        self._lay(zone.table_edge_x)
        self.spec = kind.spec(CONTROL_HZ)
        self.body = kind.build(self.client, self.spec, PHYSICS_HZ)
        self.body.reset(Start(seed=scene.seed))
        self.object = self._put(scene, self.shape)

    def _lay(self, edge_x: float) -> None:
        floor = p.createMultiBody(0, p.createCollisionShape(p.GEOM_PLANE, **self.on), **self.on)
        p.changeDynamics(floor, -1, lateralFriction=FLOOR_FRICTION, **self.on)
        top = p.createCollisionShape(p.GEOM_BOX, halfExtents=TABLE_HALF, **self.on)
        middle = [edge_x + TABLE_HALF[0], 0, self.table_top_m - TABLE_HALF[2]]
        self.table = p.createMultiBody(0, top, -1, middle, **self.on)
        p.changeDynamics(self.table, -1, lateralFriction=TABLE_FRICTION, **self.on)

    def _put(self, scene: Scene, shape: Shape) -> int:
        half, on = shape.width_m / 2, self.on
        if shape.kind == "box":
            form = p.createCollisionShape(p.GEOM_BOX, halfExtents=[half, half, shape.height_m / 2], **on)
        elif shape.kind == "cylinder":
            form = p.createCollisionShape(p.GEOM_CYLINDER, radius=half, height=shape.height_m, **on)
        else:
            form = p.createCollisionShape(p.GEOM_SPHERE, radius=half, **on)
        turn = [0.0, 0.0, float(np.sin(scene.yaw_rad / 2)), float(np.cos(scene.yaw_rad / 2))]
        place = [scene.x, scene.y, self.table_top_m + shape.height_m / 2 + 0.0005]
        body = p.createMultiBody(scene.mass_kg, form, -1, place, turn, **on)
        # As the worlds of `envs` set their objects up; two calls, or the friction would go elsewhere.
        p.changeDynamics(body, -1, linearDamping=0.02, angularDamping=0.05, **on)
        rolling = 0.004 if shape.kind == "sphere" else 0.0002
        p.changeDynamics(
            body, -1, lateralFriction=scene.friction, spinningFriction=0.005, rollingFriction=rolling, **on
        )
        return int(body)

    @property
    def time_s(self) -> float:
        """Simulated time."""
        return self.ticks / CONTROL_HZ

    def step(self, command: Command) -> None:
        """One control period."""
        self.body.apply(command)
        for _ in range(round(PHYSICS_HZ / CONTROL_HZ)):
            self.body.before_step()
            p.stepSimulation(**self.on)
        self.ticks += 1

    def object_pose(self) -> Array:
        """[4, 4] of the object in the world."""
        position, quat = p.getBasePositionAndOrientation(self.object, **self.on)
        pose = np.eye(4)
        pose[:3, :3] = np.reshape(p.getMatrixFromQuaternion(quat), (3, 3))
        pose[:3, 3] = position
        return pose

    def clearance_m(self) -> float:
        """From the table to the lowest point of the object, m; negative beside the table."""
        pose = self.object_pose()
        up = np.abs(pose[2, :3])  # how far each of its own axes rises
        half, height = self.shape.width_m / 2, self.shape.height_m / 2
        if self.shape.kind == "box":
            reach = float(up @ [half, half, height])
        elif self.shape.kind == "cylinder":
            reach = float(up[2] * height + np.hypot(up[0], up[1]) * half)
        else:
            reach = half
        return float(pose[2, 3]) - reach - self.table_top_m

    def touching(self) -> tuple[str, ...]:
        """Links of the robot that touch the object."""
        names = {index: name for name, index in self.body.links.items()}
        return tuple(sorted({names[c[3]] for c in p.getContactPoints(self.body.id, self.object, **self.on)}))

    def close(self) -> None:
        """Disconnect."""
        p.disconnect(**self.on)
