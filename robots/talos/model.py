"""The PAL Robotics Talos as data, in one place. Angles rad, lengths m, torques N m, speeds rad/s.

Limits, efforts and speeds are those of `talos_full_v2` in `example-robot-data` (PAL Robotics, Apache-2.0).
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
    speed_rad_s: float
    ready_rad: float  # posture in which the robot stands and waits


# Number, lower, upper, effort, speed, ready posture.
LEG = (  # of the left leg; half bent as in the manufacturer's posture `half_sitting`
    (1, -0.349066, 1.570796, 100, 3.87, 0.0),
    (2, -0.5236, 0.5236, 160, 5.8, 0.0),
    (3, -2.095, 0.7, 160, 5.8, -0.411354),
    (4, 0.0, 2.618, 300, 7.0, 0.859395),
    (5, -1.27, 0.68, 160, 5.8, -0.448041),
    (6, -0.5236, 0.5236, 100, 4.8, 0.0),
)
ARM = (  # of the left arm
    (1, -1.570796, 0.785398, 100, 2.7, 0.5641),
    (2, 0.008727, 2.871067, 100, 3.66, 0.9756),
    (3, -2.426008, 2.426008, 70, 4.58, -0.9178),
    (4, -2.234021, 0.003491, 70, 4.58, -1.9007),
    (5, -2.513274, 2.513274, 20, 1.95, 0.785),
    (6, -1.370083, 1.370083, 8, 1.76, 0.3675),
    (7, -0.680678, 0.680678, 8, 1.76, 0.1715),
)
LEG_TURNS, ARM_TURNS = (1, 2, 6), (1, 2, 3, 5, 6)  # joints whose sense is mirrored on the right


def _limb(limb: str, rows: tuple[tuple[int, float, float, float, float, float], ...], side: str) -> tuple[Joint, ...]:
    turns = LEG_TURNS if limb == "leg" else ARM_TURNS
    joints = []
    for number, lower, upper, effort, speed, ready in rows:
        if side == "right" and number in turns:
            lower, upper, ready = -upper, -lower, -ready
        joints.append(Joint(f"{limb}_{side}_{number}_joint", lower, upper, effort, speed, ready))
    return tuple(joints)


JOINTS: tuple[Joint, ...] = (
    *_limb("leg", LEG, "left"),
    *_limb("leg", LEG, "right"),
    Joint("torso_1_joint", -1.256637, 1.256637, 200, 5.4, 0.0),
    Joint("torso_2_joint", -0.226893, 0.733038, 200, 5.4, 0.0),
    *_limb("arm", ARM, "left"),
    *_limb("arm", ARM, "right"),
    Joint("head_1_joint", -0.209440, 0.785398, 8, 1.0, 0.6),  # looks down at the table
    Joint("head_2_joint", -1.308997, 1.308997, 4, 1.0, 0.0),
)
JOINT_NAMES = tuple(joint.name for joint in JOINTS)
LEG_JOINTS = JOINT_NAMES[:12]
UPPER_JOINTS = JOINT_NAMES[12:]
WAIST_JOINTS = ("torso_1_joint", "torso_2_joint")
HANDS = ("left", "right")
ROOT_LINK = "base_link"
FOOT_LINKS = ("leg_left_6_link", "leg_right_6_link")
SOLE_M = 0.107  # ankle frame above the sole
FOOT_MIDDLE_M = 0.0  # the sole's middle ahead of the ankle

CAMERA_LINK = "rgbd_link"
CAMERA_DOWN_RAD = 0.55  # in its mount: the neck stops at 45 degrees, and the table before its feet lies steeper
CAMERA_WIDTH, CAMERA_HEIGHT, CAMERA_FOV_Y_DEG = 320, 240, 49.5  # of an Orbbec Astra

GRIPPER = ParallelGripper()
PALM_BELOW_WRIST = 0.078  # m from the wrist's middle along the forearm


def arm_joints(hand: str) -> tuple[str, ...]:
    """The seven joints of one arm, shoulder to wrist."""
    return tuple(f"arm_{hand}_{number}_joint" for number in range(1, 8))


def ready_posture() -> Array:
    """[30] the posture to stand and wait in, rad."""
    return np.array([joint.ready_rad for joint in JOINTS])
