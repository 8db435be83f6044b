"""The Talos as a PyBullet body."""

from __future__ import annotations

from robots.articulated import Articulated, Design, camera_mount
from robots.body import Actuation
from robots.standing import StandingLegs
from robots.talos import model
from robots.talos.urdf import hand_design, hand_files
from vla_sim.spec import RobotSpec

# Position control gains act once a physics step: they belong to the physics rate of the world.
ARM_GAIN, LEG_GAIN = 0.12, 0.2
COM_HEIGHT_M = 0.90
FALLEN_PELVIS_M = 0.70


def talos_body(
    client: int, spec: RobotSpec, physics_rate_hz: float, actuation: Actuation, hand: str = "gripper"
) -> Articulated:
    """A Talos in the PyBullet client with hands of that name; `reset` it next."""
    own = hand_design(hand)
    design = Design(
        urdf=hand_files(own).full,
        root=model.ROOT_LINK,
        efforts={joint.name: joint.effort_nm for joint in model.JOINTS},
        gains={name: LEG_GAIN if name in model.LEG_JOINTS else ARM_GAIN for name in model.JOINT_NAMES},
        hand=own,
        ready_rad=model.ready_posture(),
        cameras={"head": camera_mount(model.CAMERA_LINK, down_rad=model.CAMERA_DOWN_RAD)},
        fallen_root_m=FALLEN_PELVIS_M,
        self_collision=True,
    )
    ankles, hips = (tuple(f"leg_{side}_{n}_joint" for side in model.HANDS) for n in (5, 3))
    legs = StandingLegs(model.JOINT_NAMES, ankles, hips, COM_HEIGHT_M, model.FOOT_MIDDLE_M)
    return Articulated(client, spec, design, legs, physics_rate_hz, actuation)
