"""The G1: model data against the manufacturer's file, the body on its feet, the grippers."""

import xml.etree.ElementTree as ET

import numpy as np
import pybullet as p
import pytest

from robots.g1 import model
from robots.g1.body import G1Body, g1_spec
from robots.g1.model import Gripper, ready_posture
from robots.g1.urdf import _source_folder, g1_files
from vla_sim.errors import SpecMismatch
from vla_sim.types import Command, Mode


@pytest.fixture
def client():
    client = p.connect(p.DIRECT)
    p.setGravity(0, 0, -9.81, physicsClientId=client)
    p.setPhysicsEngineParameter(
        fixedTimeStep=1 / 500, numSolverIterations=50, deterministicOverlappingPairs=1, physicsClientId=client
    )
    floor = p.createMultiBody(0, p.createCollisionShape(p.GEOM_PLANE, physicsClientId=client), physicsClientId=client)
    p.changeDynamics(floor, -1, lateralFriction=0.9, physicsClientId=client)
    yield client
    p.disconnect(client)


@pytest.fixture
def body(client):
    return G1Body(client, g1_spec())


def run(body: G1Body, command: Command, ticks: int) -> None:
    for _ in range(ticks):
        body.apply(command)
        for _ in range(5):
            p.stepSimulation(physicsClientId=body.client)


def ready(grips: float = 1.0) -> Command:
    return Command(ready_posture()[12:], np.full(2, grips))


def source() -> ET.Element:
    return ET.parse(_source_folder() / "urdf/g1_29dof_rev_1_0.urdf").getroot()


def test_joint_data_is_the_manufacturers() -> None:
    joints = {j.get("name"): j for j in source().findall("joint") if j.get("type") == "revolute"}
    assert [j.name for j in model.JOINTS] == list(joints)
    for joint in model.JOINTS:
        limit = joints[joint.name].find("limit")
        assert limit is not None
        lower, upper, effort = (float(limit.get(k, "nan")) for k in ("lower", "upper", "effort"))
        assert (joint.lower_rad, joint.upper_rad, joint.effort_nm) == pytest.approx((lower, upper, effort), abs=1e-4)
        assert joint.lower_rad < joint.ready_rad < joint.upper_rad


def test_mass_is_the_manufacturers_with_grippers_for_hands(body: G1Body) -> None:
    links = source().findall("link")
    assert sum(float(m.get("value", 0)) for link in links for m in link.iter("mass")) == pytest.approx(
        model.TOTAL_MASS_KG, abs=0.01
    )
    bare = sum(
        float(m.get("value", 0))
        for link in links
        if "rubber_hand" not in link.get("name", "")
        for m in link.iter("mass")
    )
    count = p.getNumJoints(body.id, physicsClientId=body.client)
    total = sum(p.getDynamicsInfo(body.id, i, physicsClientId=body.client)[0] for i in range(-1, count))
    grippers = 2 * (Gripper.PALM_MASS_KG + 2 * Gripper.FINGER_MASS_KG)
    assert total == pytest.approx(bare + grippers, abs=0.01)


def test_every_link_has_inertia_in_the_generated_file() -> None:
    for link in ET.parse(g1_files().full).getroot().findall("link"):
        assert link.find("inertial") is not None, link.get("name")


def test_it_stands_for_ten_seconds(body: G1Body) -> None:
    run(body, ready(), 1000)
    assert not body.fallen
    pelvis, quat = body._pelvis_in_world()
    assert abs(pelvis[0]) < 0.03
    assert abs(pelvis[1]) < 0.005
    assert 2 * np.arccos(min(1.0, abs(quat[3]))) < np.radians(1)


def test_without_motors_it_falls(body: G1Body) -> None:
    run(body, Command(np.zeros(17), np.zeros(2), mode=Mode.DAMP), 300)
    assert body.fallen


def test_arms_follow_and_fingers_stay_coupled(body: G1Body) -> None:
    target = ready_posture()[12:].copy()
    elbow = model.UPPER_JOINTS.index("right_elbow_joint")
    target[elbow] += 0.3
    run(body, Command(target, np.array([0.0, 0.5])), 150)
    state = body.state(1.5)
    assert state.joints_rad[12 + elbow] == pytest.approx(target[elbow], abs=0.03)
    assert state.grips == pytest.approx([0.0, 0.5], abs=0.05)
    for hand in model.HANDS:
        a, b = (
            p.getJointState(body.id, body.links[name.removesuffix("_joint")], physicsClientId=body.client)[0]
            for name in model.finger_joints(hand)
        )
        assert abs(a - b) < 0.001


def test_hold_keeps_the_last_tracked_targets(body: G1Body) -> None:
    target = ready_posture()[12:].copy()
    target[-1] += 0.2
    body.apply(Command(target, np.ones(2)))
    sent = body.apply(Command(np.zeros(17), np.zeros(2), mode=Mode.HOLD))
    assert np.array_equal(sent.joints_rad, target)
    assert np.array_equal(sent.grips, np.ones(2))


def test_its_own_idea_of_the_camera_is_true(body: G1Body) -> None:
    run(body, ready(), 100)
    link = body.links[model.CAMERA_LINK]
    true = body.link_poses_in_world([link])[0]
    base = body.pose_camera_in_base(body.state(1.0).joints_rad)
    assert np.abs(true[:3, 3] - base[:3, 3]).max() < 0.004
    assert np.degrees(np.arccos((np.trace(true[:3, :3].T @ base[:3, [2, 0, 1]] * [[1, -1, -1]]) - 1) / 2)) < 180


def test_a_command_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(SpecMismatch, match="joints_rad"):
        g1_spec().check(Command(np.zeros(3), np.ones(2)))
