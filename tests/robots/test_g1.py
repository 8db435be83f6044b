"""The G1: model data against the manufacturer's file, the body on its feet, the grippers."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator

import numpy as np
import pybullet as p
import pytest

from robots.articulated import Articulated
from robots.body import Start
from robots.g1 import G1, model
from robots.g1.model import ready_posture
from robots.g1.urdf import DESIGNS, SOURCE, g1_files
from robots.urdf_parts import example_robot_data
from vla_sim.errors import ConfigError, SpecMismatch
from vla_sim.types import Array, Command, Mode

RATE_HZ = 500.0


@pytest.fixture
def client() -> Iterator[int]:
    client = p.connect(p.DIRECT)
    p.setGravity(0, 0, -9.81, physicsClientId=client)
    p.setPhysicsEngineParameter(
        fixedTimeStep=1 / RATE_HZ, numSolverIterations=50, deterministicOverlappingPairs=1, physicsClientId=client
    )
    floor = p.createMultiBody(0, p.createCollisionShape(p.GEOM_PLANE, physicsClientId=client), physicsClientId=client)
    p.changeDynamics(floor, -1, lateralFriction=0.9, physicsClientId=client)
    yield client
    p.disconnect(client)


@pytest.fixture
def body(client: int) -> Articulated:
    body = G1().build(client, G1().spec(), RATE_HZ)
    body.reset(Start())
    return body


def run(body: Articulated, command: Command, ticks: int) -> None:
    for _ in range(ticks):
        body.apply(command)
        for _ in range(5):
            body.before_step()
            p.stepSimulation(physicsClientId=body.client)


def ready(grips: float = 1.0) -> Command:
    return Command(ready_posture()[12:], np.full(2, grips))


def source() -> ET.Element:
    return ET.parse(example_robot_data(SOURCE, "g1") / "urdf/g1_29dof_rev_1_0.urdf").getroot()


def masses_kg(links: list[ET.Element]) -> float:
    return sum(float(mass.get("value", 0)) for link in links for mass in link.iter("mass"))


def angle_deg(rotation: Array) -> float:
    return float(np.degrees(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1))))


# -- the model ------------------------------------------------------------------------------------------------------
def test_joint_data_is_the_manufacturers() -> None:
    joints = {j.get("name"): j for j in source().findall("joint") if j.get("type") == "revolute"}
    assert [j.name for j in model.JOINTS] == list(joints)
    for joint in model.JOINTS:
        limit = joints[joint.name].find("limit")
        assert limit is not None
        lower, upper, effort = (float(limit.get(k, "nan")) for k in ("lower", "upper", "effort"))
        assert (joint.lower_rad, joint.upper_rad, joint.effort_nm) == pytest.approx((lower, upper, effort), abs=1e-4)
        assert joint.lower_rad < joint.ready_rad < joint.upper_rad


def test_mass_is_the_manufacturers_with_grippers_for_hands(body: Articulated) -> None:
    links = source().findall("link")
    assert masses_kg(links) == pytest.approx(model.TOTAL_MASS_KG, abs=0.01)
    bare = masses_kg([link for link in links if "rubber_hand" not in link.get("name", "")])
    count = p.getNumJoints(body.id, physicsClientId=body.client)
    total = sum(p.getDynamicsInfo(body.id, i, physicsClientId=body.client)[0] for i in range(-1, count))
    grippers = 2 * (model.GRIPPER.palm_mass_kg + 2 * model.GRIPPER.finger_mass_kg)
    assert total == pytest.approx(bare + grippers, abs=0.01)


@pytest.mark.parametrize("hand", sorted(DESIGNS))
def test_every_link_has_inertia_in_the_generated_file(hand: str) -> None:
    for link in ET.parse(g1_files(hand).full).getroot().findall("link"):
        assert link.find("inertial") is not None, link.get("name")


@pytest.mark.parametrize("hand", sorted(DESIGNS))
def test_the_body_joints_keep_name_and_order_whatever_the_hand(hand: str) -> None:
    joints = [j.get("name", "") for j in ET.parse(g1_files(hand).kinematics).getroot().findall("joint")]
    assert [name for name in joints if name in model.JOINT_NAMES] == list(model.JOINT_NAMES)


def test_a_hand_it_does_not_have_is_refused_with_those_it_has() -> None:
    with pytest.raises(ConfigError, match=r"no hand 'dex'; did you mean 'dex3'\? \(dex3, gripper\)"):
        G1(hand="dex").spec()


# -- the body -------------------------------------------------------------------------------------------------------
def test_it_stands_for_five_seconds(body: Articulated) -> None:
    run(body, ready(), 500)
    assert not body.fallen
    pelvis, quat = body.root_in_world()
    assert np.abs(pelvis[:2]).max() < 0.03
    assert 2 * np.arccos(min(1.0, abs(quat[3]))) < np.radians(2)


def test_without_motors_it_falls(body: Articulated) -> None:
    run(body, Command(np.zeros(17), np.zeros(2), mode=Mode.DAMP), 300)
    assert body.fallen


def test_it_starts_where_it_is_put(body: Articulated) -> None:
    body.reset(Start(1.0, -0.5, 0.7))
    pose = body.pose_base_in_world()
    assert pose[:3, 3] == pytest.approx([1.0, -0.5, 0.0], abs=0.002)
    assert np.arctan2(pose[1, 0], pose[0, 0]) == pytest.approx(0.7, abs=0.002)


def test_arms_follow_and_fingers_stay_coupled(body: Articulated) -> None:
    target = ready_posture()[12:].copy()
    elbow = model.UPPER_JOINTS.index("right_elbow_joint")
    target[elbow] += 0.3
    run(body, Command(target, np.array([0.0, 0.5])), 150)
    state = body.state(1.5)
    assert state.joints_rad[12 + elbow] == pytest.approx(target[elbow], abs=0.03)
    assert state.grips == pytest.approx([0.0, 0.5], abs=0.07)  # closed, the fingers meet before the joints do
    for hand in model.HANDS:
        a, b = (
            p.getJointState(body.id, body.links[name.removesuffix("_joint")], physicsClientId=body.client)[0]
            for name in model.GRIPPER.joints(hand)
        )
        assert abs(a - b) < 0.001


def test_hold_keeps_the_last_tracked_targets(body: Articulated) -> None:
    target = ready_posture()[12:].copy()
    target[-1] += 0.2
    body.apply(Command(target, np.ones(2)))
    sent = body.apply(Command(np.zeros(17), np.zeros(2), mode=Mode.HOLD))
    assert np.array_equal(sent.joints_rad, target)
    assert np.array_equal(sent.grips, np.ones(2))


def test_its_own_idea_of_the_camera_is_true(body: Articulated) -> None:
    run(body, ready(), 100)
    true = np.linalg.inv(body.pose_base_in_world()) @ body.pose_camera_in_world("head")
    own = body.pose_camera_in_base("head", body.state(1.0).joints_rad)
    assert np.abs(true[:3, 3] - own[:3, 3]).max() < 0.004
    assert angle_deg(true[:3, :3].T @ own[:3, :3]) < 0.5


def test_a_command_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(SpecMismatch, match="joints_rad"):
        G1().spec().check(Command(np.zeros(3), np.ones(2)))
