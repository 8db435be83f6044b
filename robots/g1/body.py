"""The G1 as a PyBullet body: what a world puts on its floor. It knows its client and nothing of the world around it."""

from __future__ import annotations

import numpy as np
import pybullet as p

from robots.g1 import model
from robots.g1.balance import Balance
from robots.g1.model import Gripper, finger_joints, ready_posture
from robots.g1.urdf import g1_files
from vla_sim.kinematics import BodyModel
from vla_sim.spec import ArmSpec, CameraSpec, KinematicsSpec, RobotSpec
from vla_sim.types import Array, Command, Intrinsics, Mode, RobotState

# Position control gains act once a physics step: they belong to the physics rate of the world.
ARM_GAIN, LEG_GAIN = 0.12, 0.2
LINK_FRICTION, PALM_FRICTION, SPINNING, ROLLING = 1.0, 1.0, 0.01, 0.0005
DAMP_NM_S = 2.0
FALLEN_PELVIS_M = 0.55


def g1_spec(control_rate_hz: float = 100.0) -> RobotSpec:
    """What a G1 promises to the stack."""
    upper = [joint for joint in model.JOINTS if joint.name in model.UPPER_JOINTS]
    speed = [model.WAIST_SPEED_RAD_S if "waist" in joint.name else model.ARM_SPEED_RAD_S for joint in upper]
    intrinsics = Intrinsics.from_fov(model.CAMERA_WIDTH, model.CAMERA_HEIGHT, np.radians(model.CAMERA_FOV_Y_DEG))
    cameras = {"head": CameraSpec("head", intrinsics, depth=True, link=model.CAMERA_LINK)}
    arms = {
        hand: ArmSpec(f"{hand}_tool", model.arm_joints(hand), 2 * Gripper.TRAVEL_OPEN - Gripper.FINGER_SIZE[1],
                      Gripper.SPEED_M_S)
        for hand in model.HANDS
    }  # fmt: skip
    kinematics = KinematicsSpec(
        g1_files().kinematics, model.FOOT_LINKS, model.SOLE_M, model.WAIST_JOINTS, (-2.6, -0.15), (2.6, 0.38), arms,
        ready_posture(),
    )  # fmt: skip
    return RobotSpec(
        "g1", control_rate_hz, model.JOINT_NAMES, model.UPPER_JOINTS, model.HANDS,
        np.array([j.lower_rad for j in upper]), np.array([j.upper_rad for j in upper]), np.array(speed),
        cameras, kinematics,
    )  # fmt: skip


class G1Body:
    """A G1 standing on its feet in the PyBullet world `client`. Every joint is position-controlled."""

    def __init__(self, client: int, spec: RobotSpec) -> None:
        self.client, self.spec = client, spec
        flags = p.URDF_USE_INERTIA_FROM_FILE
        self.id: int = p.loadURDF(str(g1_files().full), [0, 0, 1], flags=flags, physicsClientId=client)
        self._map_links()
        self._set_contact()
        assert spec.kinematics is not None
        kinematics = spec.kinematics
        self.model = BodyModel(kinematics.urdf, spec.joints, kinematics.foot_links, kinematics.sole_m)
        self._camera = self.model.frame(model.CAMERA_LINK)
        self._balance = Balance(self.model)
        self._couple_fingers()
        self.reset()

    def _map_links(self) -> None:
        self.links: dict[str, int] = {"pelvis": -1}
        motors: dict[str, int] = {}
        for index in range(p.getNumJoints(self.id, physicsClientId=self.client)):
            info = p.getJointInfo(self.id, index, physicsClientId=self.client)
            self.links[info[12].decode()] = index
            if info[2] in (p.JOINT_REVOLUTE, p.JOINT_PRISMATIC):
                motors[info[1].decode()] = index
        fingers = [name for hand in model.HANDS for name in finger_joints(hand)]
        names = [*model.JOINT_NAMES, *fingers]
        self._motors = [motors[name] for name in names]
        effort = {joint.name: joint.effort_nm for joint in model.JOINTS}
        self._forces = [effort.get(name, Gripper.FORCE_N) for name in names]
        self._gains = [LEG_GAIN if name in model.LEG_JOINTS else ARM_GAIN for name in names]
        self._ones = [1.0] * len(names)
        self._upper = self.spec.upper_index

    def _set_contact(self) -> None:
        on = {"physicsClientId": self.client}
        for index in range(-1, p.getNumJoints(self.id, **on)):
            # Two calls: with damping in it, PyBullet gives the friction to the base instead of the link.
            p.changeDynamics(self.id, index, linearDamping=0, angularDamping=0, jointDamping=0, **on)
            p.changeDynamics(self.id, index, lateralFriction=LINK_FRICTION, **on)
        for hand in model.HANDS:
            for link in (f"{hand}_palm", f"{hand}_finger_a", f"{hand}_finger_b"):
                p.changeDynamics(self.id, self.links[link], lateralFriction=PALM_FRICTION, spinningFriction=SPINNING,
                                 rollingFriction=ROLLING, **on)  # fmt: skip
        self._pelvis_offset = np.array(p.getDynamicsInfo(self.id, -1, **on)[3])

    def _couple_fingers(self) -> None:
        # Uncoupled fingers drift sideways together by centimetres; a gear keeps them within half a millimetre.
        for hand in model.HANDS:
            a, b = (self.links[name.removesuffix("_joint")] for name in finger_joints(hand))
            gear = p.createConstraint(self.id, a, self.id, b, p.JOINT_GEAR, [0, 1, 0], [0, 0, 0], [0, 0, 0],
                                      physicsClientId=self.client)  # fmt: skip
            p.changeConstraint(gear, gearRatio=-1, maxForce=500, erp=0.2, relativePositionTarget=0,
                               physicsClientId=self.client)  # fmt: skip

    def reset(self) -> None:
        """Stand in the ready posture, grippers open, the base frame at the world's origin."""
        self.commanded_rad = ready_posture()
        self._grips = np.ones(len(model.HANDS))
        self._balance.reset()
        self._held = Command(self.commanded_rad[self._upper].copy(), self._grips.copy())
        for motor, value in zip(self._motors, self.targets(), strict=True):
            p.resetJointState(self.id, motor, value, 0.0, physicsClientId=self.client)
        self.model.update(self.commanded_rad)
        pelvis = self.model.pose_root_in_base
        # Half a millimetre into the floor: the soles press from the first step on.
        position = pelvis.translation + pelvis.rotation @ self._pelvis_offset - [0, 0, 0.0005]
        p.resetBasePositionAndOrientation(self.id, position, [0, 0, 0, 1], physicsClientId=self.client)
        p.resetBaseVelocity(self.id, [0, 0, 0], [0, 0, 0], physicsClientId=self.client)

    def targets(self) -> list[float]:
        """Position of each motor that the command in force asks for: 29 joints (rad), then four fingers (m)."""
        travel = Gripper.TRAVEL_CLOSED + self._grips * (Gripper.TRAVEL_OPEN - Gripper.TRAVEL_CLOSED)
        return [*self.commanded_rad.tolist(), *np.repeat(travel, 2).tolist()]

    def apply(self, command: Command) -> Command:
        """Set the motors for one control period; returns the command in force (the held one in HOLD mode)."""
        if command.mode is Mode.DAMP:
            self._damp()
            return command
        if command.mode is Mode.TRACK:
            self._held = command
        self.commanded_rad[self._upper] = self._held.joints_rad
        self._grips = np.asarray(self._held.grips)
        self._balance.update(self.commanded_rad, 1.0 / self.spec.control_rate_hz)
        self.drive(self.targets())
        return Command(self._held.joints_rad, self._held.grips, self._held.base_velocity, command.mode)

    def drive(self, targets: list[float]) -> None:
        """Hand positions for every motor (see `targets`) to the position control, until told otherwise."""
        p.setJointMotorControlArray(
            self.id, self._motors, p.POSITION_CONTROL, targetPositions=targets, forces=self._forces,
            positionGains=self._gains, velocityGains=self._ones, physicsClientId=self.client,
        )  # fmt: skip

    def _damp(self) -> None:
        zeros = [0.0] * len(self._motors)
        p.setJointMotorControlArray(self.id, self._motors, p.VELOCITY_CONTROL, targetVelocities=zeros,
                                    forces=[DAMP_NM_S] * len(zeros), physicsClientId=self.client)  # fmt: skip

    def state(self, time_s: float) -> RobotState:
        """Encoder readings now."""
        raw = p.getJointStates(self.id, self._motors, physicsClientId=self.client)
        values = np.array([r[0] for r in raw])
        n = len(model.JOINTS)
        span = Gripper.TRAVEL_OPEN - Gripper.TRAVEL_CLOSED
        grips = (values[n:].reshape(-1, 2).mean(axis=1) - Gripper.TRAVEL_CLOSED) / span
        speeds = np.array([r[1] for r in raw[:n]])
        return RobotState(time_s, values[:n], speeds, grips, self.commanded_rad.copy())

    def pose_camera_in_base(self, joints_rad: Array) -> Array:
        """[4, 4] optical frame of the head camera from joint angles [29], as the robot itself knows it."""
        self.model.update(joints_rad)
        return self.model.pose_link_in_base(self._camera).homogeneous @ OPTICAL_IN_LINK

    def link_poses_in_world(self, links: list[int]) -> Array:
        """[len(links), 4, 4] true frames of links (-1 = pelvis)."""
        poses = np.tile(np.eye(4), (len(links), 1, 1))
        moving = [link for link in links if link >= 0]
        states = p.getLinkStates(self.id, moving, computeForwardKinematics=1, physicsClientId=self.client)
        frames = {link: (state[4], state[5]) for link, state in zip(moving, states, strict=True)}
        for i, link in enumerate(links):
            position, quat = frames[link] if link >= 0 else self._pelvis_in_world()
            poses[i, :3, :3] = np.reshape(p.getMatrixFromQuaternion(quat), (3, 3))
            poses[i, :3, 3] = position
        return poses

    def _pelvis_in_world(self) -> tuple[Array, Array]:
        position, quat = p.getBasePositionAndOrientation(self.id, physicsClientId=self.client)
        rotation = np.reshape(p.getMatrixFromQuaternion(quat), (3, 3))
        return np.array(position) - rotation @ self._pelvis_offset, np.array(quat)

    @property
    def fallen(self) -> bool:
        """Whether the pelvis has come down."""
        return bool(self._pelvis_in_world()[0][2] < FALLEN_PELVIS_M)


# Camera link: x forward, z up. Optical frame: z forward, x right, y down.
OPTICAL_IN_LINK = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
