"""The G1 as a PyBullet body."""

from __future__ import annotations

from robots.articulated import OPTICAL_IN_LINK, Articulated, Design, Mount, camera_mount
from robots.body import Actuation
from robots.g1 import model
from robots.g1.dex3 import Dex3
from robots.g1.legs import WalkingLegs
from robots.g1.urdf import hand_design, hand_files
from robots.g1.walking import SensorNoise, WalkerConfig
from robots.gripper import ParallelGripper
from vla_sim.spec import RobotSpec

# Position control gains act once a physics step: they belong to the physics rate of the world.
ARM_GAIN, LEG_GAIN = 0.12, 0.2
FALLEN_PELVIS_M = 0.45


def g1_body(
    client: int, spec: RobotSpec, physics_rate_hz: float, actuation: Actuation,
    walking: WalkerConfig, sensors: SensorNoise, hand: str = "gripper",
) -> Articulated:  # fmt: skip
    """A G1 in the PyBullet client with hands of that name; `reset` it next."""
    own = hand_design(hand)
    wrists = {
        f"{side}_wrist": camera_mount(f"{side}_palm", model.WRIST_CAMERA_AT_M, model.WRIST_CAMERA_DOWN_RAD)
        for side in model.HANDS
    }
    design = Design(
        urdf=hand_files(own).full,
        root="pelvis",
        efforts={joint.name: joint.effort_nm for joint in model.JOINTS} | finger_efforts(own),
        gains={name: LEG_GAIN if name in model.LEG_JOINTS else ARM_GAIN for name in model.JOINT_NAMES},
        hand=own,
        ready_rad=model.ready_posture(),
        cameras={"head": Mount(model.CAMERA_LINK, OPTICAL_IN_LINK), **wrists},
        fallen_root_m=FALLEN_PELVIS_M,
        self_collision=True,
    )
    legs = WalkingLegs(walking, sensors)
    return Articulated(client, spec, design, legs, physics_rate_hz, actuation)


def finger_efforts(hand: ParallelGripper | Dex3) -> dict[str, float]:
    """N m by finger joint where they differ from `hand.force`."""
    if isinstance(hand, ParallelGripper):
        return {}
    return {name: effort for side in model.HANDS for name, effort in hand.efforts(side).items()}
