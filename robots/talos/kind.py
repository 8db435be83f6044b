"""The Talos as a choice of configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from robots.articulated import Articulated
from robots.body import Actuation, ReachZone
from robots.capsules import body_capsules
from robots.talos import model
from robots.talos.body import talos_body
from robots.talos.urdf import hand_design, hand_files, talos_files
from vla_sim.spec import ArmSpec, CameraSpec, HandSpace, KinematicsSpec, LinkCapsule, RobotSpec
from vla_sim.types import Intrinsics

# Nearer to its middle a waiting forearm would touch the wide chest.
HAND_SPACE = HandSpace(reach_y_m=0.36, intercept_y_m=0.18, wait_xy_m=(0.26, 0.27), aside_xy_m=(0.22, 0.34))
LOWER_LEGS = ("leg_left_4", "leg_right_4", "leg_left_6", "leg_right_6")
FOREARM_M = 0.42  # of hand and forearm behind the tool


@dataclass(frozen=True)
class Talos:
    """A Talos with a hand on each wrist. It stands and does not walk."""

    hand: str = "gripper"
    name: str = field(default="talos", init=False)

    @property
    def looks(self) -> Path:
        return talos_files(self.hand).full

    def reach_zone(self) -> ReachZone:
        """Measured: what the hands reach at a table of this height without leaning on it."""
        return ReachZone(
            table_top_m=0.80, table_edge_x=0.28, object_x=(0.35, 0.50), object_y=(0.18, 0.36), eye_xz=(0.20, 1.54)
        )

    def build(
        self, client: int, spec: RobotSpec, physics_rate_hz: float, actuation: Actuation | None = None
    ) -> Articulated:
        """A Talos in a PyBullet client; `reset` it next."""
        return talos_body(client, spec, physics_rate_hz, actuation or Actuation(), self.hand)

    def spec(self, control_rate_hz: float = 100.0) -> RobotSpec:
        """What a Talos promises to the stack."""
        return talos_spec(control_rate_hz, self.hand)


def talos_spec(control_rate_hz: float = 100.0, hand: str = "gripper") -> RobotSpec:
    """What a Talos with hands of that name promises to the stack; ConfigError when there are none."""
    own = hand_design(hand)
    upper = [joint for joint in model.JOINTS if joint.name in model.UPPER_JOINTS]
    intrinsics = Intrinsics.from_fov(model.CAMERA_WIDTH, model.CAMERA_HEIGHT, np.radians(model.CAMERA_FOV_Y_DEG))
    cameras = {"head": CameraSpec("head", intrinsics, depth=True, link=model.CAMERA_LINK)}
    arms = {
        side: ArmSpec(f"{side}_tool", model.arm_joints(side), own.opening_m, own.speed_m_s, length_m=FOREARM_M)
        for side in model.HANDS
    }
    kinematics = KinematicsSpec(
        hand_files(own).kinematics, model.FOOT_LINKS, model.SOLE_M, model.WAIST_JOINTS, (-1.2, -0.15), (1.2, 0.38),
        arms, model.ready_posture(), capsules=_capsules(hand_files(own).full), space=HAND_SPACE,
    )  # fmt: skip
    return RobotSpec(
        "talos", control_rate_hz, model.JOINT_NAMES, model.UPPER_JOINTS, model.HANDS,
        np.array([j.lower_rad for j in upper]), np.array([j.upper_rad for j in upper]),
        np.array([j.speed_rad_s for j in upper]), cameras, kinematics,
    )  # fmt: skip


def _capsules(urdf: Path) -> tuple[LinkCapsule, ...]:
    """Its body for distances between links, without shins and feet: no hand of a standing Talos comes to them."""
    return tuple(capsule for capsule in body_capsules(urdf) if not capsule.link.startswith(LOWER_LEGS))
