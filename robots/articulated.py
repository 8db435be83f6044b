"""A position-controlled humanoid in PyBullet, whatever its make: links, motors, hands, and legs that know how to stand.

It knows its client and nothing of the world around it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import pinocchio as pin
import pybullet as p

from robots.body import Actuation, Hand, Start
from vla_sim.errors import ConfigError
from vla_sim.kinematics import BodyModel
from vla_sim.spec import RobotSpec
from vla_sim.types import Array, Command, Mode, RobotState

LINK_FRICTION = 1.0
DAMP_NM_S = 2.0
GAIN_RATE_HZ = 500.0
TURNED_RAD = 0.002  # PyBullet takes the root's principal axes for its frame; the G1's lie 0.0008 rad off
# Camera link: x forward, z up. Optical frame: z forward, x right, y down.
OPTICAL_IN_LINK = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])


@dataclass(frozen=True, eq=False)
class Mount:
    """Where a camera sits."""

    link: str
    optical_in_link: Array  # [4, 4]


def camera_mount(link: str, at_m: tuple[float, float, float] = (0.0, 0.0, 0.0), down_rad: float = 0.0) -> Mount:
    """A camera on a link at `at_m` in its frame, looking along its x axis and `down_rad` below it."""
    cos, sin = np.cos(down_rad), np.sin(down_rad)
    pose = np.eye(4)
    pose[:3, :3] = [[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]]
    pose[:3, 3] = at_m
    return Mount(link, pose @ OPTICAL_IN_LINK)


class HandDesign(Protocol):
    """How the fingers of a robot's hands are driven. `hand` is left or right."""

    @property
    def force(self) -> float:
        """Most that a finger's motor may do, N or N m."""

    def joints(self, hand: str) -> tuple[str, ...]:
        """The finger joints in the order of `positions`."""

    def positions(self, hand: str, grip: float) -> Array:
        """[k] targets (m or rad) of the finger joints for a grip of 0 (closed) to 1 (open)."""

    def grip(self, hand: str, positions: Array) -> float:
        """The grip that measured finger positions [k] amount to."""

    def links(self, hand: str) -> Hand:
        """The links that touch what is held."""

    def prepare(self, client: int, body: int, links: dict[str, int]) -> None:
        """Contact properties and couplings, once after loading."""


@dataclass(frozen=True)
class Stance:
    """What the legs know at one instant, for `RobotState`."""

    pose_root_in_odom: Array | None = None  # [4, 4]; None = where the base frame lies has not changed since the start
    heading_in_odom: Array = field(default_factory=lambda: np.zeros(3))
    base_velocity: Array = field(default_factory=lambda: np.zeros(3))
    standing: bool = True
    support_margin_m: float | None = None


class Legs(Protocol):
    """What keeps a body up. Owns the leg part of the targets."""

    @property
    def drives(self) -> bool:
        """Whether it sends the targets itself, between control periods."""

    def reset(self, body: Articulated, start: Start) -> None:
        """Begin at `start`: set the leg targets for the arms' posture and place the root."""

    def command(self, body: Articulated, velocity: Array, halt: bool) -> None:
        """Once a control period: walk at `velocity` [3] m/s, m/s, rad/s, or come to rest at once."""

    def before_step(self, body: Articulated) -> None:
        """Before each physics step."""

    def stance(self) -> Stance:
        """What they know now."""

    @property
    def fallen(self) -> bool:
        """Whether they have lost the body."""


@dataclass(frozen=True)
class Design:
    """A robot's make, as this module needs it."""

    urdf: Path
    root: str  # name of the root link
    efforts: dict[str, float]  # N m by joint
    gains: dict[str, float]  # of the position control, a physics step at GAIN_RATE_HZ, by joint
    hand: HandDesign
    ready_rad: Array  # [n]
    cameras: dict[str, Mount]
    fallen_root_m: float  # the root below this has fallen
    self_collision: bool = False


class Articulated:
    """One body. See `robots.body.Body` for what each method promises."""

    def __init__(
        self, client: int, spec: RobotSpec, design: Design, legs: Legs, physics_rate_hz: float, actuation: Actuation
    ) -> None:
        self.client, self.spec, self.design, self.legs = client, spec, design, legs
        self.physics_rate_hz, self.actuation = physics_rate_hz, actuation
        flags = p.URDF_USE_INERTIA_FROM_FILE | (p.URDF_USE_SELF_COLLISION if design.self_collision else 0)
        self.id: int = p.loadURDF(str(design.urdf), [0, 0, 1], flags=flags, physicsClientId=client)
        self.on = {"physicsClientId": client}
        self._map_links()
        self._set_contact()
        kinematics = spec.kinematics
        assert kinematics is not None
        self.model = BodyModel(kinematics.urdf, spec.joints, kinematics.foot_links, kinematics.sole_m)
        self.hands = {hand: design.hand.links(hand) for hand in spec.hands}
        design.hand.prepare(client, self.id, self.links)
        self._upper = spec.upper_index
        self._delay_steps = round(actuation.delay_s * physics_rate_hz)
        self._still = Stance()

    def _map_links(self) -> None:
        self.links: dict[str, int] = {self.design.root: -1}
        motors: dict[str, int] = {}
        for index in range(p.getNumJoints(self.id, **self.on)):
            info = p.getJointInfo(self.id, index, **self.on)
            self.links[info[12].decode()] = index
            if info[2] in (p.JOINT_REVOLUTE, p.JOINT_PRISMATIC):
                motors[info[1].decode()] = index
        hand = self.design.hand
        self._fingers = {name: hand.joints(name) for name in self.spec.hands}
        names = [*self.spec.joints, *(joint for joints in self._fingers.values() for joint in joints)]
        self.motors = [motors[name] for name in names]
        self._forces = [self.design.efforts.get(name, hand.force) for name in names]
        scale = self.actuation.gain * GAIN_RATE_HZ / self.physics_rate_hz  # PyBullet's gains act once a physics step
        self._gains = [self.design.gains.get(name, FINGER_GAIN) * scale for name in names]
        self._ones = [1.0] * len(names)

    def _set_contact(self) -> None:
        for index in range(-1, p.getNumJoints(self.id, **self.on)):
            # Two calls: with damping in it, PyBullet gives the friction to the base instead of the link.
            p.changeDynamics(self.id, index, linearDamping=0, angularDamping=0, jointDamping=0, **self.on)
            p.changeDynamics(self.id, index, lateralFriction=LINK_FRICTION, **self.on)
        inertial = p.getDynamicsInfo(self.id, -1, **self.on)
        self.root_offset = np.array(inertial[3])  # of the centre of mass in the root
        if 2 * float(np.linalg.norm(inertial[4][:3])) > TURNED_RAD:
            raise ValueError(f"{self.design.urdf.name}: the root's inertia has products, which turn its frame")

    # -- acting -------------------------------------------------------------------------------------------------
    def reset(self, start: Start) -> None:
        """Stand at `start` in the ready posture, at rest, grippers open."""
        self.start = start
        self.commanded_rad = self.design.ready_rad.copy()
        self._grips = np.ones(len(self.spec.hands))
        self._aim_fingers()
        self._held = Command(self.commanded_rad[self._upper].copy(), self._grips.copy())
        self._late: deque[list[float]] = deque()
        self.legs.reset(self, start)
        for motor, value in zip(self.motors, self.targets(), strict=True):
            p.resetJointState(self.id, motor, value, 0.0, **self.on)
        p.resetBaseVelocity(self.id, [0, 0, 0], [0, 0, 0], **self.on)
        self.damped = False

    def place_root(self, position: Array, rotation: Array) -> None:
        """Put the root link's frame at a place in the world; for `Legs.reset`."""
        quat = pin.Quaternion(rotation).coeffs()
        p.resetBasePositionAndOrientation(self.id, position + rotation @ self.root_offset, quat, **self.on)

    def targets(self) -> list[float]:
        """Position of each motor that the command in force asks for: the joints (rad), then the fingers."""
        return [*self.commanded_rad.tolist(), *self._finger_targets]

    def _aim_fingers(self) -> None:
        positions = self.design.hand.positions
        grips = zip(self.spec.hands, self._grips.tolist(), strict=True)
        self._finger_targets = [x for hand, grip in grips for x in positions(hand, grip).tolist()]

    def apply(self, command: Command) -> Command:
        """Take up a command for one control period; returns the command in force (the held one in HOLD mode)."""
        self.damped = command.mode is Mode.DAMP
        if self.damped:
            self._damp()
            return command
        hold = command.mode is Mode.HOLD
        if not hold:
            self._held = command
        self.commanded_rad[self._upper] = self._held.joints_rad
        self._grips = np.asarray(self._held.grips)
        self._aim_fingers()
        velocity = np.zeros(3) if hold else command.base_velocity
        self.legs.command(self, velocity, hold)
        if not self.legs.drives:
            self.send()
        return Command(self._held.joints_rad, self._held.grips, velocity, command.mode)

    def send(self) -> None:
        """Hand the present targets to the motors, as late as they are."""
        if not self._delay_steps:
            self.drive(self.targets())

    def before_step(self) -> None:
        """Called before each physics step: the robot's own fast control."""
        if self.damped:
            return
        self.legs.before_step(self)
        if self._delay_steps:
            self._late.append(self.targets())
            if len(self._late) > self._delay_steps:
                self.drive(self._late.popleft())

    def drive(self, targets: list[float]) -> None:
        """Hand positions for every motor (see `targets`) to the position control, until told otherwise."""
        p.setJointMotorControlArray(
            self.id, self.motors, p.POSITION_CONTROL, targetPositions=targets, forces=self._forces,
            positionGains=self._gains, velocityGains=self._ones, **self.on,
        )  # fmt: skip

    def _damp(self) -> None:
        zeros = [0.0] * len(self.motors)
        p.setJointMotorControlArray(self.id, self.motors, p.VELOCITY_CONTROL, targetVelocities=zeros,
                                    forces=[DAMP_NM_S] * len(zeros), **self.on)  # fmt: skip

    # -- sensing ------------------------------------------------------------------------------------------------
    def state(self, time_s: float) -> RobotState:
        """What the robot knows of itself now; its pose is its own estimate."""
        raw = p.getJointStates(self.id, self.motors, **self.on)
        n = len(self.spec.joints)
        values = np.array([r[0] for r in raw])
        speeds = np.array([r[1] for r in raw[:n]])
        stance = self.legs.stance()
        return RobotState(
            time_s, values[:n], speeds, self._measured_grips(values[n:]), self.commanded_rad.copy(),
            self._pose_base_in_odom(stance, values[:n]), stance.heading_in_odom, stance.base_velocity, stance.standing,
            stance.support_margin_m,
        )  # fmt: skip

    def _measured_grips(self, fingers: Array) -> Array:
        grips, begin = [], 0
        for hand, joints in self._fingers.items():
            grips.append(self.design.hand.grip(hand, fingers[begin : begin + len(joints)]))
            begin += len(joints)
        return np.array(grips)

    def _pose_base_in_odom(self, stance: Stance, joints_rad: Array) -> Array:
        if stance.pose_root_in_odom is None:
            return planar_pose(self.start)
        self.model.update(joints_rad)
        return np.asarray(stance.pose_root_in_odom @ self.model.pose_base_in_root.homogeneous)

    def pose_camera_in_base(self, camera: str, joints_rad: Array) -> Array:
        """[4, 4] optical frame of one of the robot's cameras from joint angles [n], as the robot itself knows it."""
        mount = self.design.cameras[camera]
        return self.pose_link_in_base(mount.link, joints_rad) @ mount.optical_in_link

    def pose_link_in_base(self, link: str, joints_rad: Array) -> Array:
        """[4, 4] frame of a link from joint angles [n], as the robot itself knows it."""
        self.model.update(joints_rad)
        return np.asarray(self.model.pose_link_in_base(self.model.frame(link)).homogeneous)

    # -- the truth ----------------------------------------------------------------------------------------------
    def pose_camera_in_world(self, camera: str) -> Array:
        """[4, 4] optical frame of one of the robot's cameras in truth."""
        mount = self.design.cameras[camera]
        return np.asarray(self.link_poses_in_world([self.links[mount.link]])[0] @ mount.optical_in_link)

    def link_poses_in_world(self, links: list[int]) -> Array:
        """[len(links), 4, 4] true frames of links (-1 = root)."""
        poses = np.tile(np.eye(4), (len(links), 1, 1))
        moving = [link for link in links if link >= 0]
        states = p.getLinkStates(self.id, moving, computeForwardKinematics=1, **self.on)
        frames = {link: (state[4], state[5]) for link, state in zip(moving, states, strict=True)}
        for i, link in enumerate(links):
            position, quat = frames[link] if link >= 0 else self.root_in_world()
            poses[i, :3, :3] = np.reshape(p.getMatrixFromQuaternion(quat), (3, 3))
            poses[i, :3, 3] = position
        return poses

    def root_in_world(self) -> tuple[Array, Array]:
        """Position [3] m and quaternion [4] xyzw of the root link's frame."""
        position, quat = p.getBasePositionAndOrientation(self.id, **self.on)
        rotation = np.reshape(p.getMatrixFromQuaternion(quat), (3, 3))
        return np.array(position) - rotation @ self.root_offset, np.array(quat)

    def pose_base_in_world(self) -> Array:
        """[4, 4] true base frame."""
        n = len(self.spec.joints)
        joints = np.array([state[0] for state in p.getJointStates(self.id, self.motors[:n], **self.on)])
        self.model.update(joints)
        return np.asarray(self.link_poses_in_world([-1])[0] @ self.model.pose_base_in_root.homogeneous)

    @property
    def fallen(self) -> bool:
        """Whether the root has come down."""
        position, quat = p.getBasePositionAndOrientation(self.id, **self.on)
        x, y, z = p.getMatrixFromQuaternion(quat)[6:]  # its last row: this is asked in every control period
        height_m = position[2] - (x * self.root_offset[0] + y * self.root_offset[1] + z * self.root_offset[2])
        return bool(height_m < self.design.fallen_root_m) or self.legs.fallen


FINGER_GAIN = 0.12


def planar_pose(start: Start) -> Array:
    """[4, 4] of a place on the floor."""
    pose = np.eye(4)
    cos, sin = np.cos(start.yaw_rad), np.sin(start.yaw_rad)
    pose[:2, :2] = [[cos, -sin], [sin, cos]]
    pose[:2, 3] = start.x, start.y
    return pose


def check_physics_rate(physics_rate_hz: float, legs_rate_hz: float) -> int:
    """Physics steps from one tick of the legs to the next; ConfigError when they do not divide."""
    ratio = physics_rate_hz / legs_rate_hz
    if ratio != round(ratio) or ratio < 1:
        near = max(1, round(ratio)) * legs_rate_hz
        problem = f"{physics_rate_hz:g} Hz is no multiple of the walking control's {legs_rate_hz:g} Hz"
        raise ConfigError("env.physics_rate_hz", problem, f"the nearest that is: {near:g} Hz")
    return int(ratio)
