"""The Unitree G1 (29 joints, revision 1.0) as data, in one place. Angles rad, lengths m, torques N m, speeds rad/s.

Limits and efforts are those of the manufacturer's URDF (`g1_29dof_rev_1_0`, BSD-3-Clause).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from robots.gripper import ParallelGripper
from vla_sim.types import Array


class Joint(NamedTuple):
    """One revolute joint."""

    name: str
    lower_rad: float
    upper_rad: float
    effort_nm: float
    ready_rad: float  # posture in which the robot stands and waits, tools beside the table


# The order is the manufacturer's motor order.
JOINTS: tuple[Joint, ...] = (
    Joint("left_hip_pitch_joint", -2.5307, 2.8798, 88, -0.3),
    Joint("left_hip_roll_joint", -0.5236, 2.9671, 139, 0.0),
    Joint("left_hip_yaw_joint", -2.7576, 2.7576, 88, 0.0),
    Joint("left_knee_joint", -0.087267, 2.8798, 139, 0.6),
    Joint("left_ankle_pitch_joint", -0.87267, 0.5236, 35, -0.3),
    Joint("left_ankle_roll_joint", -0.2618, 0.2618, 35, 0.0),
    Joint("right_hip_pitch_joint", -2.5307, 2.8798, 88, -0.3),
    Joint("right_hip_roll_joint", -2.9671, 0.5236, 139, 0.0),
    Joint("right_hip_yaw_joint", -2.7576, 2.7576, 88, 0.0),
    Joint("right_knee_joint", -0.087267, 2.8798, 139, 0.6),
    Joint("right_ankle_pitch_joint", -0.87267, 0.5236, 35, -0.3),
    Joint("right_ankle_roll_joint", -0.2618, 0.2618, 35, 0.0),
    Joint("waist_yaw_joint", -2.618, 2.618, 88, 0.0),
    Joint("waist_roll_joint", -0.52, 0.52, 35, 0.0),
    Joint("waist_pitch_joint", -0.52, 0.52, 35, 0.0),
    Joint("left_shoulder_pitch_joint", -3.0892, 2.6704, 25, 0.8842),
    Joint("left_shoulder_roll_joint", -1.5882, 2.2515, 25, 0.6197),
    Joint("left_shoulder_yaw_joint", -2.618, 2.618, 25, 0.6572),
    Joint("left_elbow_joint", -1.0472, 2.0944, 25, -0.84),
    Joint("left_wrist_roll_joint", -1.972222054, 1.972222054, 25, -0.8859),
    Joint("left_wrist_pitch_joint", -1.614429558, 1.614429558, 5, 0.8493),
    Joint("left_wrist_yaw_joint", -1.614429558, 1.614429558, 5, 0.028),
    Joint("right_shoulder_pitch_joint", -3.0892, 2.6704, 25, 0.8842),
    Joint("right_shoulder_roll_joint", -2.2515, 1.5882, 25, -0.6197),
    Joint("right_shoulder_yaw_joint", -2.618, 2.618, 25, -0.6572),
    Joint("right_elbow_joint", -1.0472, 2.0944, 25, -0.84),
    Joint("right_wrist_roll_joint", -1.972222054, 1.972222054, 25, 0.8859),
    Joint("right_wrist_pitch_joint", -1.614429558, 1.614429558, 5, 0.8493),
    Joint("right_wrist_yaw_joint", -1.614429558, 1.614429558, 5, -0.028),
)
JOINT_NAMES = tuple(joint.name for joint in JOINTS)
LEG_JOINTS = JOINT_NAMES[:12]
UPPER_JOINTS = JOINT_NAMES[12:]
WAIST_JOINTS = ("waist_yaw_joint", "waist_pitch_joint")
HANDS = ("left", "right")
FOOT_LINKS = ("left_ankle_roll_link", "right_ankle_roll_link")
SOLE_M = 0.035  # ankle frame above the sole
FOOT_MIDDLE_M = 0.035  # the sole's middle ahead of the ankle
TOTAL_MASS_KG = 33.34

# Operating speed of the upper body: far below the motors' 22-37 rad/s, so that a slip of the stack stays survivable.
ARM_SPEED_RAD_S = 4.0
WAIST_SPEED_RAD_S = 4.0

BASE_VELOCITY_MAX = (0.6, 0.25, 0.7)  # m/s ahead, m/s aside, rad/s
PAYLOAD_KG = 2.0  # of one hand, at which it still walks (experiments/walking)
LIDAR_LINK = "mid360_link"
CAMERA_LINK = "d435_link"
WRIST_CAMERA_AT_M, WRIST_CAMERA_DOWN_RAD = (0.02, 0.0, 0.08), 0.5517  # in the palm; it looks past the grasp point
WRIST_CAMERA_WIDTH, WRIST_CAMERA_HEIGHT, WRIST_CAMERA_FOV_Y_DEG = 320, 240, 75.0
CAMERA_WIDTH, CAMERA_HEIGHT, CAMERA_FOV_Y_DEG = 320, 240, 71.0


GRIPPER = ParallelGripper()
PALM_AT_WRIST = 0.045  # m ahead of the wrist


def arm_joints(hand: str) -> tuple[str, ...]:
    """The seven joints of one arm, shoulder to wrist."""
    return tuple(n for n in JOINT_NAMES if n.startswith(hand) and any(k in n for k in ("shoulder", "elbow", "wrist")))


# Forearms level before the chest, elbows at the sides: the arms stay within 0.27 m of the middle, so that the robot can
# turn in a doorway; in the ready posture they reach 0.39 m.
TUCKED_RAD = {"shoulder_pitch": 0.9, "shoulder_roll": 0.22, "shoulder_yaw": -0.2, "elbow": -0.95}
ELBOW_OUT_RAD = 0.2  # least roll of a shoulder at work: below it the elbow meets the torso
SIDED = ("roll", "yaw")  # joints whose sign differs between left and right


def tucked_posture() -> Array:
    """[29] the posture to walk in, rad."""
    posture = ready_posture()
    for i, joint in enumerate(JOINTS):
        side, _, part = joint.name.removesuffix("_joint").partition("_")
        if side in HANDS and any(k in part for k in ("shoulder", "elbow", "wrist")):
            sign = -1.0 if side == "right" and part.endswith(SIDED) else 1.0
            posture[i] = sign * TUCKED_RAD.get(part, 0.0)
    return posture


def ready_posture() -> Array:
    """[29] the posture to stand and wait in, rad."""
    return np.array([joint.ready_rad for joint in JOINTS])
