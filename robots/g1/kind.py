"""The G1 as a choice of configuration: which hand, which sensors, how it walks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from robots.articulated import Articulated
from robots.body import Actuation, ReachZone
from robots.capsules import body_capsules
from robots.g1 import model
from robots.g1.body import g1_body
from robots.g1.dex3 import Dex3
from robots.g1.model import ready_posture, tucked_posture
from robots.g1.urdf import g1_files, hand_design, hand_files
from robots.g1.walking import SensorNoise, WalkerConfig
from robots.gripper import ParallelGripper
from vla_sim.spec import ArmSpec, CameraSpec, KinematicsSpec, LidarSpec, RobotSpec
from vla_sim.types import Intrinsics

LIDAR_RINGS_RAD = tuple(np.radians([-50.0, -38.0, -28.0, -20.0, -13.0, -7.0, 0.0, 12.0]).tolist())


@dataclass(frozen=True)
class G1:
    """A Unitree G1 with a hand on each wrist."""

    hand: str = "gripper"
    walking: WalkerConfig = field(default_factory=WalkerConfig)
    sensors: SensorNoise = field(default_factory=SensorNoise)
    name: str = field(default="g1", init=False)

    @property
    def looks(self) -> Path:
        return g1_files(self.hand).full

    def reach_zone(self) -> ReachZone:
        """Measured: what the hands reach at a table of 0.70 m without leaning on it."""
        return ReachZone()

    def build(
        self, client: int, spec: RobotSpec, physics_rate_hz: float, actuation: Actuation | None = None
    ) -> Articulated:
        """A G1 in a PyBullet client; `reset` it next."""
        return g1_body(client, spec, physics_rate_hz, actuation or Actuation(), self.walking, self.sensors, self.hand)

    def spec(self, control_rate_hz: float = 100.0) -> RobotSpec:
        """What a G1 promises to the stack."""
        return g1_spec(control_rate_hz, self.hand)


def g1_spec(control_rate_hz: float = 100.0, hand: str = "gripper") -> RobotSpec:
    """What a G1 with hands of that name promises to the stack."""
    own = hand_design(hand)
    upper = [joint for joint in model.JOINTS if joint.name in model.UPPER_JOINTS]
    limits = np.array([(joint.lower_rad, joint.upper_rad) for joint in upper])
    speed = [model.WAIST_SPEED_RAD_S if "waist" in joint.name else model.ARM_SPEED_RAD_S for joint in upper]
    intrinsics = Intrinsics.from_fov(model.CAMERA_WIDTH, model.CAMERA_HEIGHT, np.radians(model.CAMERA_FOV_Y_DEG))
    cameras = {"head": CameraSpec("head", intrinsics, depth=True, link=model.CAMERA_LINK)}
    wrist = Intrinsics.from_fov(
        model.WRIST_CAMERA_WIDTH, model.WRIST_CAMERA_HEIGHT, np.radians(model.WRIST_CAMERA_FOV_Y_DEG)
    )
    cameras |= {f"{h}_wrist": CameraSpec(f"{h}_wrist", wrist, depth=True, link=f"{h}_palm") for h in model.HANDS}
    arms = {side: _arm(side, own) for side in model.HANDS}
    kinematics = KinematicsSpec(
        hand_files(own).kinematics, model.FOOT_LINKS, model.SOLE_M, model.WAIST_JOINTS, (-2.6, -0.15), (2.6, 0.38),
        arms, ready_posture(), tucked_posture(), body_capsules(hand_files(own).full),
    )  # fmt: skip
    return RobotSpec(
        "g1", control_rate_hz, model.JOINT_NAMES, model.UPPER_JOINTS, model.HANDS,
        limits[:, 0], limits[:, 1], np.array(speed), cameras, kinematics, model.BASE_VELOCITY_MAX,
        LidarSpec(model.LIDAR_LINK, 180, LIDAR_RINGS_RAD, 12.0, 50.0, parts=5), model.PAYLOAD_KG,
    )  # fmt: skip


def _arm(side: str, hand: ParallelGripper | Dex3) -> ArmSpec:
    least = model.ELBOW_OUT_RAD if isinstance(hand, ParallelGripper) else hand.elbow_out_rad
    out = (least, np.inf) if side == "left" else (-np.inf, -least)
    roll = ((f"{side}_shoulder_roll_joint", *out),)
    arm = ArmSpec(f"{side}_tool", model.arm_joints(side), hand.opening_m, hand.speed_m_s, working_rad=roll)
    if isinstance(hand, ParallelGripper):
        return arm
    return replace(arm, half_width_m=hand.half_width_m, tip_ahead_m=hand.tip_ahead_m, tip_below_m=hand.tip_below_m)
