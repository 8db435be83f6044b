"""A bare world for the walking study: a floor of one's choice, the G1 on it, and the truth about both."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pybullet as p

from robots.g1 import model
from robots.g1.urdf import g1_files
from robots.g1.walking import SensorNoise, TruthReader, Walker, WalkerConfig
from vla_sim.types import Array

PHYSICS_HZ, ITERATIONS = 500.0, 50
LEG_GAIN, ARM_GAIN = 0.2, 0.12
TILE_M, TILES = 0.4, 20  # of an uneven floor
PAYLOAD_AT = (0.105, 0.0, 0.0)  # in the palm: the tool's place


@dataclass(frozen=True)
class Ground:
    """What the robot walks on."""

    friction: float = 0.8
    rough_m: float = 0.0  # tiles lie this much above or below
    rough_seed: int = 0
    threshold_m: float = 0.0  # height of a bar across the way
    threshold_at_m: float = 1.0
    threshold_length_m: float = 0.10
    bumps: bool = False  # unevenness as a smooth height field instead of tiles


class World:
    """One robot in a PyBullet client of its own. Call `step` once a control tick."""

    def __init__(
        self, ground: Ground, seed: int, config: WalkerConfig | None = None, noise: SensorNoise | None = None,
        payload_kg: float = 0.0, yaw: float = 0.0, self_collision: bool = True,
    ) -> None:  # fmt: skip
        self.client = p.connect(p.DIRECT)
        self.on = {"physicsClientId": self.client}
        p.setGravity(0, 0, -9.81, **self.on)
        p.setPhysicsEngineParameter(
            fixedTimeStep=1 / PHYSICS_HZ, numSolverIterations=ITERATIONS, deterministicOverlappingPairs=1, **self.on
        )
        lay(ground, self.client)
        flags = p.URDF_USE_INERTIA_FROM_FILE | (p.URDF_USE_SELF_COLLISION if self_collision else 0)
        self.body = p.loadURDF(str(g1_files().full), [0, 0, 1], flags=flags, **self.on)
        self._prepare()
        self.walker = Walker(g1_files().kinematics, model.JOINT_NAMES, config, noise)
        feet = (self.links[model.FOOT_LINKS[0]], self.links[model.FOOT_LINKS[1]])
        offset = np.array(p.getDynamicsInfo(self.body, -1, **self.on)[3])
        self.reader = TruthReader(self.client, self.body, self.motors[:29], feet, offset)
        self._place(seed, yaw, offset)
        if payload_kg:
            self._load(payload_kg)
        self.upper = model.ready_posture()[12:]
        self.push: tuple[float, float] | None = None
        self.steps_per_tick = round(PHYSICS_HZ * self.walker.period_s)

    def _prepare(self) -> None:
        motors = {}
        self.links = {"pelvis": -1}
        for i in range(p.getNumJoints(self.body, **self.on)):
            info = p.getJointInfo(self.body, i, **self.on)
            self.links[info[12].decode()], motors[info[1].decode()] = i, i
        for i in range(-1, p.getNumJoints(self.body, **self.on)):
            p.changeDynamics(self.body, i, linearDamping=0, angularDamping=0, jointDamping=0, **self.on)
            p.changeDynamics(self.body, i, lateralFriction=1.0, **self.on)
        model.GRIPPER.prepare(self.client, self.body, self.links)
        fingers = [name for hand in model.HANDS for name in model.GRIPPER.joints(hand)]
        self.motors = [motors[name] for name in (*model.JOINT_NAMES, *fingers)]
        self.forces = [joint.effort_nm for joint in model.JOINTS] + [model.GRIPPER.force] * 4
        self.gains = [LEG_GAIN] * 12 + [ARM_GAIN] * 21
        self.fingers = [model.GRIPPER.travel_open] * 4
        self.ones = [1.0] * len(self.motors)

    def _place(self, seed: int, yaw: float, offset: Array) -> None:
        targets, position, quaternion = self.walker.reset(model.ready_posture(), seed, 0.0, 0.0, yaw)
        for motor, value in zip(self.motors, [*targets.tolist(), *self.fingers], strict=True):
            p.resetJointState(self.body, motor, value, 0.0, **self.on)
        rotation = np.reshape(p.getMatrixFromQuaternion(quaternion), (3, 3))
        p.resetBasePositionAndOrientation(self.body, position + rotation @ offset, quaternion, **self.on)

    def _load(self, payload_kg: float) -> None:
        """A mass fixed in the right hand that the controller knows nothing of."""
        palm = self.links["right_palm"]
        frame = p.getLinkState(self.body, palm, computeForwardKinematics=1, **self.on)[4:6]
        place = p.multiplyTransforms(*frame, PAYLOAD_AT, [0, 0, 0, 1])
        ball = p.createCollisionShape(p.GEOM_SPHERE, radius=0.03, **self.on)
        load = p.createMultiBody(payload_kg, ball, -1, *place, **self.on)
        p.setCollisionFilterGroupMask(load, -1, 0, 0, **self.on)
        p.createConstraint(self.body, palm, load, -1, p.JOINT_FIXED, [0, 0, 0], PAYLOAD_AT, [0, 0, 0], **self.on)

    def step(self, velocity: tuple[float, float, float], halt: bool = False) -> None:
        """One control tick: read, control, step the physics."""
        self.reader.read(self.walker.truth)
        self._targets = self.walker.tick(self.upper, np.array(velocity), halt).tolist()
        self.drive([*self._targets, *self.fingers])

    def drive(self, targets: list[float]) -> None:
        """Targets to the motors, then the physics of one control tick."""
        p.setJointMotorControlArray(
            self.body, self.motors, p.POSITION_CONTROL, targetPositions=targets, forces=self.forces,
            positionGains=self.gains, velocityGains=self.ones, **self.on,
        )  # fmt: skip
        for step in range(self.steps_per_tick):
            if self.push is not None:
                link = self.links["torso_link"]
                at = p.getLinkState(self.body, link, **self.on)[0]
                p.applyExternalForce(self.body, link, [*self.push, 0.0], at, p.WORLD_FRAME, **self.on)
            p.stepSimulation(**self.on)
            if step < self.steps_per_tick - 1:
                self.reader.add_load()

    def walker_targets(self) -> list[float]:
        """[29] what the joints were last told."""
        return self._targets

    def replay(self, targets: list[float]) -> None:
        """One control tick of given targets, and nothing else."""
        p.setJointMotorControlArray(
            self.body, self.motors, p.POSITION_CONTROL, targetPositions=targets, forces=self.forces,
            positionGains=self.gains, velocityGains=self.ones, **self.on,
        )  # fmt: skip
        for _ in range(self.steps_per_tick):
            p.stepSimulation(**self.on)

    def true_pose(self) -> tuple[float, float, float, float]:
        """(x, y, z, yaw) of the pelvis as last read."""
        x, y, z, w = self.walker.truth.quaternion
        px, py, pz = self.walker.truth.position
        return px, py, pz, math.atan2(2 * (x * y + z * w), 1 - 2 * (y * y + z * z))

    def true_feet(self) -> Array:
        """[2, 3] places of the ankles."""
        feet = [self.links[name] for name in model.FOOT_LINKS]
        return np.array([s[4] for s in p.getLinkStates(self.body, feet, computeForwardKinematics=1, **self.on)])

    def true_speed(self) -> float:
        """Of the pelvis over the floor, m/s."""
        vx, vy, _ = p.getBaseVelocity(self.body, **self.on)[0]
        return math.hypot(vx, vy)

    def fallen(self) -> bool:
        """In truth: the pelvis is low or lies over."""
        x, y, _, _ = self.walker.truth.quaternion
        return bool(self.walker.truth.position[2] < 0.42 or 1 - 2 * (x * x + y * y) < 0.64)

    def close(self) -> None:
        p.disconnect(self.client)


def lay(ground: Ground, client: int) -> None:
    """The floor: a plane, tiles or bumps, and a bar across it."""
    on = {"physicsClientId": client}
    random = np.random.Generator(np.random.PCG64(ground.rough_seed))
    if ground.rough_m and ground.bumps:
        bodies = [_bumps(ground, random, client)]
    elif ground.rough_m:
        bodies = _tiles(ground, random, client)
    else:
        bodies = [p.createMultiBody(0, p.createCollisionShape(p.GEOM_PLANE, **on), **on)]
    if ground.threshold_m:
        half = [ground.threshold_length_m / 2, 5.0, ground.threshold_m]
        bar = p.createCollisionShape(p.GEOM_BOX, halfExtents=half, **on)
        bodies.append(p.createMultiBody(0, bar, -1, [ground.threshold_at_m, 0, 0], **on))
    for body in bodies:
        p.changeDynamics(body, -1, lateralFriction=ground.friction, **on)


def _tiles(ground: Ground, random: np.random.Generator, client: int) -> list[int]:
    """Square tiles, each at its own height; those under the start are level."""
    on = {"physicsClientId": client}
    tile = p.createCollisionShape(p.GEOM_BOX, halfExtents=[TILE_M / 2, TILE_M / 2, 0.1], **on)
    bodies = []
    for i in range(TILES):
        for j in range(TILES):
            x, y = (i - TILES / 2 + 0.5) * TILE_M, (j - TILES / 2 + 0.5) * TILE_M
            height = 0.0 if max(abs(x), abs(y)) < TILE_M else random.uniform(-ground.rough_m, ground.rough_m)
            bodies.append(p.createMultiBody(0, tile, -1, [x, y, height - 0.1], **on))
    return bodies


def _bumps(ground: Ground, random: np.random.Generator, client: int, cell_m: float = 0.05, cells: int = 200) -> int:
    """A height field smoothed over about 0.2 m, scaled to reach +-rough_m, level at the start."""
    on = {"physicsClientId": client}
    heights = random.standard_normal((cells, cells))
    kernel = np.exp(-0.5 * (np.arange(-6, 7) / 2.0) ** 2)
    for axis in (0, 1):
        heights = np.apply_along_axis(np.convolve, axis, heights, kernel, mode="same")
    at = (np.arange(cells) - cells / 2 + 0.5) * cell_m
    away = np.clip((np.maximum(abs(at)[:, None], abs(at)[None, :]) - 0.2) / 0.3, 0, 1)
    heights = away * ground.rough_m * np.clip(heights / np.abs(heights).max() * 1.5, -1, 1)
    shape = p.createCollisionShape(
        p.GEOM_HEIGHTFIELD, meshScale=[cell_m, cell_m, 1], heightfieldData=heights.flatten().tolist(),
        numHeightfieldRows=cells, numHeightfieldColumns=cells, **on,
    )  # fmt: skip
    middle = 0.5 * (heights.max() + heights.min())  # Bullet puts the middle of the range at the body's origin
    return int(p.createMultiBody(0, shape, -1, [0, 0, middle], **on))
