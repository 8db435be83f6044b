"""The compiled tree and leg kinematics against Pinocchio."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest

from robots.g1.model import JOINT_NAMES, JOINTS, ready_posture
from robots.g1.urdf import g1_files
from robots.g1.walking.leg_ik import solve_leg
from robots.g1.walking.rotations import compiled
from robots.g1.walking.state import Records, work_dtype
from robots.g1.walking.tree import centre_of_mass, forward, read_tree, sole_velocity
from vla_sim.errors import ConfigError
from vla_sim.types import Array


@compiled
def run_forward(tree, q, dq, rotation, omega, work, com, com_v, feet_v):
    forward(tree[0], q, dq, rotation, omega, work[0], com, com_v)
    for side in range(2):
        feet_v[side] = sole_velocity(tree[0], work[0], side)


@compiled
def run_leg(tree, side, pelvis_r, pelvis_p, foot_r, foot_p, count, q):
    solve_leg(tree[0], side, pelvis_r, pelvis_p, foot_r, foot_p, count, q)


@compiled
def run_com(tree, q, rotation, work, com):
    centre_of_mass(tree[0], q, rotation, work[0], com)


@pytest.fixture(scope="module")
def tree() -> Records:
    return read_tree(g1_files().kinematics, JOINT_NAMES)


@pytest.fixture(scope="module")
def reference() -> pin.Model:
    whole = pin.buildModelFromUrdf(str(g1_files().kinematics), pin.JointModelFreeFlyer())
    locked = [whole.getJointId(n) for n in list(whole.names)[2:] if n not in JOINT_NAMES]
    return pin.buildReducedModel(whole, locked, pin.neutral(whole))


def postures(count: int) -> list[Array]:
    random = np.random.Generator(np.random.PCG64(5))
    low = np.array([joint.lower_rad for joint in JOINTS])
    high = np.array([joint.upper_rad for joint in JOINTS])
    return [random.uniform(low, high) for _ in range(count)]


def turned() -> Array:
    return np.asarray(pin.rpy.rpyToMatrix(0.1, -0.2, 0.7))


def test_bodies_and_centre_of_mass_move_as_in_pinocchio(tree: Records, reference: pin.Model) -> None:
    data = reference.createData()
    random = np.random.Generator(np.random.PCG64(1))
    work = np.zeros(1, work_dtype(29))
    com, com_v, com_alone, feet_v = np.zeros(3), np.zeros(3), np.zeros(3), np.zeros((2, 3))
    rotation = turned()
    for q in postures(5):
        dq, omega = random.normal(size=29), random.normal(size=3)
        run_forward(tree, q, dq, rotation, omega, work, com, com_v, feet_v)
        run_com(tree, q, rotation, np.zeros(1, work_dtype(29)), com_alone)
        full = np.concatenate([np.zeros(3), pin.Quaternion(rotation).coeffs(), q])
        velocity = np.concatenate([np.zeros(3), rotation.T @ omega, dq])
        pin.centerOfMass(reference, data, full, velocity)
        assert com == pytest.approx(data.com[0], abs=1e-12)
        assert com_alone == pytest.approx(data.com[0], abs=1e-12)
        assert com_v == pytest.approx(data.vcom[0], abs=1e-12)
        for body in range(30):
            assert work["position"][0, body] == pytest.approx(data.oMi[body + 1].translation, abs=1e-12)
            assert work["rotation"][0, body] == pytest.approx(data.oMi[body + 1].rotation, abs=1e-12)
        for side in range(2):
            joint = int(tree["foot"][0, side]) + 1
            motion = data.oMi[joint].act(data.v[joint])
            sole = data.oMi[joint].act(tree["sole"][0])
            assert feet_v[side] == pytest.approx(motion.linear + np.cross(motion.angular, sole), abs=1e-11)


@pytest.mark.parametrize("side", [0, 1])
def test_a_leg_reaches_the_pose_it_is_asked_for(tree: Records, reference: pin.Model, side: int) -> None:
    data, random = reference.createData(), np.random.Generator(np.random.PCG64(side))
    legs = tree["leg"][0, side]
    for _ in range(20):
        wanted = ready_posture()
        wanted[legs] += random.uniform(-0.25, 0.25, 6)
        wanted[legs] = np.clip(wanted[legs], tree["lower"][0][legs], tree["upper"][0][legs])
        full = np.concatenate([np.zeros(3), pin.Quaternion(turned()).coeffs(), wanted])
        pin.forwardKinematics(reference, data, full)
        goal = data.oMi[int(tree["foot"][0, side]) + 1]
        q = ready_posture()
        run_leg(tree, side, turned(), np.zeros(3), np.asarray(goal.rotation), np.asarray(goal.translation), 30, q)
        pin.forwardKinematics(reference, data, np.concatenate([full[:7], q]))
        found = data.oMi[int(tree["foot"][0, side]) + 1]
        assert np.linalg.norm(found.translation - goal.translation) < 1e-5
        assert np.linalg.norm(pin.log3(found.rotation.T @ goal.rotation)) < 1e-4
        others = np.setdiff1d(np.arange(29), legs)
        assert np.array_equal(q[others], ready_posture()[others])


def test_a_leg_never_leaves_its_limits(tree: Records) -> None:
    q = ready_posture()
    run_leg(tree, 0, np.eye(3), np.zeros(3), np.eye(3), np.array([0.0, 0.1, -3.0]), 100, q)
    assert np.all(q >= tree["lower"][0] - 1e-12)
    assert np.all(q <= tree["upper"][0] + 1e-12)


def test_a_joint_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match="left_tail_joint"):
        read_tree(g1_files().kinematics, (*JOINT_NAMES, "left_tail_joint"))
