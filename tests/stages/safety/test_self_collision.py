"""Distance of the arms to the rest of the body: geometry by brute force, rules on the G1."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pinocchio as pin
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from robots.capsules import body_capsules
from robots.g1.kind import g1_spec
from robots.g1.urdf import g1_files
from vla_sim.spec import KinematicsSpec, RobotSpec
from vla_sim.stages.safety import SafetyConfig, SafetyFilter
from vla_sim.stages.safety.capsules import segment_distance
from vla_sim.stages.safety.self_collision import SelfCollision
from vla_sim.types import Array, Command, Mode, RobotState

LEAST_M = 0.02
CALM = SafetyConfig(
    workspace_lower_m=(-9.0, -9.0, -9.0), workspace_upper_m=(9.0, 9.0, 9.0), floor_m=-9.0, self_distance_m=LEAST_M
)  # fmt: skip
NO_TOOLS = np.empty((0, 3))
coordinates = hnp.arrays(np.float64, 3, elements=st.floats(-1, 1))


@cache
def g1() -> tuple[RobotSpec, KinematicsSpec]:
    spec = g1_spec()
    assert spec.kinematics is not None
    kinematics = replace(spec.kinematics, capsules=body_capsules(g1_files().full))
    return replace(spec, kinematics=kinematics), kinematics


@cache
def body() -> SelfCollision:
    return SelfCollision(*g1(), LEAST_M)


def posture(**angles: float) -> Array:
    """[29] the ready posture with some joints elsewhere."""
    spec, kinematics = g1()
    joints = kinematics.ready_rad.copy()
    for name, angle in angles.items():
        joints[spec.joints.index(f"{name}_joint")] = angle
    return joints


def state(joints: Array) -> RobotState:
    return RobotState(0.0, joints, np.zeros(29), np.ones(2), joints)


def upper(joints: Array) -> Array:
    return joints[g1()[0].upper_index]


def through(wanted: Array, before: Array) -> tuple[Command, list[str]]:
    """Through the filter, step by step no faster than joints may turn, with legs as in `before` [29]."""
    safety = SafetyFilter(g1()[0], CALM)
    command = Command(upper(wanted), np.ones(2), np.array([0.3, 0.0, 0.1]))
    safe, changes = safety.filter(command, Command(upper(before), np.ones(2)), state(before), None, NO_TOOLS)
    return safe, [change.rule for change in changes]


def move(goal: Array, start: Array, ticks: int = 150) -> list[Array]:
    """[n_upper] each tick on the way from one posture to another, through the filter."""
    safety, way = SafetyFilter(g1()[0], CALM), [upper(start)]
    step = (upper(goal) - upper(start)) / ticks
    for tick in range(ticks):
        wanted = Command(upper(start) + (tick + 1) * step, np.ones(2))
        safe, _ = safety.filter(wanted, Command(way[-1], np.ones(2)), state(start), None, NO_TOOLS)
        way.append(safe.joints_rad)
    return way


# Geometry


@given(coordinates, coordinates, coordinates, coordinates)
@settings(max_examples=100)
def test_the_distance_of_segments_is_the_least_over_many_points(p: Array, q: Array, r: Array, s: Array) -> None:
    shares = np.linspace(0, 1, 101)[:, None]
    one, other = p + shares * (q - p), r + shares * (s - r)
    sampled = np.linalg.norm(one[:, None] - other[None], axis=2).min()
    found = segment_distance(p, q, r, s)
    spacing = (np.linalg.norm(q - p) + np.linalg.norm(s - r)) / 200
    assert sampled - spacing - 1e-9 <= found <= sampled + 1e-9
    assert segment_distance(r, s, q, p) == pytest.approx(found, abs=1e-7)


def test_segments_that_are_points_or_parallel_or_cross() -> None:
    o, x, y, z = np.zeros(3), *np.eye(3)
    assert segment_distance(o, o, x, x) == 1.0
    assert segment_distance(o, o, x - y, x + y) == 1.0
    assert segment_distance(x - y, x + y, o, o) == 1.0
    assert segment_distance(o, 3 * x, x + z, 2 * x + z) == 1.0
    assert segment_distance(-x, x, y - z, y + z) == 1.0
    assert segment_distance(-x, x, -y, y) == 0.0
    assert segment_distance(o, x, 3 * x, 5 * x) == 2.0


@given(hnp.arrays(np.float64, 29, elements=st.floats(-1.5, 1.5)))
@settings(max_examples=50)
def test_capsules_lie_where_pinocchio_says(joints: Array) -> None:
    spec, kinematics = g1()
    model = pin.buildModelFromUrdf(str(kinematics.urdf))
    data, q = model.createData(), pin.neutral(model)
    for name, angle in zip(spec.joints, joints, strict=True):
        q[model.joints[model.getJointId(name)].idx_q] = angle
    pin.framesForwardKinematics(model, data, q)
    found = body().distances(state(joints), upper(joints))
    for pair in range(0, len(found), 17):
        (a, b), ends = body().pairs[pair], []
        for capsule in (kinematics.capsules[a], kinematics.capsules[b]):
            frame = data.oMf[model.getFrameId(capsule.link)]
            ends += [frame.act(np.array(capsule.start_m)), frame.act(np.array(capsule.end_m))]
        radii = kinematics.capsules[a].radius_m + kinematics.capsules[b].radius_m
        assert found[pair] == pytest.approx(segment_distance(*ends) - radii, abs=1e-9)


# Which pairs


def test_pairs_are_those_that_an_arm_can_bring_together() -> None:
    names = {body().names(i) for i in range(len(body().pairs))}
    for met in (
        "torso_link/left_palm", "pelvis/right_palm", "left_hip_yaw_link/left_finger_a", "head_link/right_finger_b",
        "left_palm/right_palm", "left_elbow_link/right_elbow_link", "right_hip_yaw_link/left_palm",
    ):  # fmt: skip
        assert met in names
    for never in ("torso_link/left_shoulder_yaw_link", "pelvis/torso_link", "left_elbow_link/left_palm"):
        assert never not in names


def test_the_g1_has_a_capsule_wherever_it_can_be_touched() -> None:
    links = {capsule.link for capsule in g1()[1].capsules}
    assert {"pelvis", "torso_link", "head_link"} <= links
    parts = ("shoulder_roll_link", "shoulder_yaw_link", "elbow_link", "wrist_roll_link", "wrist_pitch_link", "palm")
    assert {f"{side}_{part}" for side in ("left", "right") for part in (*parts, "finger_a", "finger_b")} <= links
    assert not any("ankle" in link or "knee" in link for link in links)


def test_capsules_of_a_box_touch_its_faces_from_within() -> None:
    torso = [c for c in g1()[1].capsules if c.link == "torso_link"]
    low = np.min([np.minimum(c.start_m, c.end_m) - c.radius_m for c in torso], axis=0)
    high = np.max([np.maximum(c.start_m, c.end_m) + c.radius_m for c in torso], axis=0)
    np.testing.assert_allclose(high - low, [0.127838, 0.183065, 0.273059], atol=1e-6)


# The rule


def test_without_capsules_nothing_is_asked() -> None:
    spec = g1_spec()
    assert spec.kinematics is not None
    bare = replace(spec, kinematics=replace(spec.kinematics, capsules=()))
    before = posture(left_shoulder_roll=-0.4)
    wanted, previous = (Command(upper(before) + more, np.ones(2)) for more in (0.01, 0.0))
    safe, changes = SafetyFilter(bare, CALM).filter(wanted, previous, state(before), None, NO_TOOLS)
    assert safe is wanted
    assert changes == ()


def test_the_ready_posture_may_move_any_way() -> None:
    before = posture()
    for sign in (-1, 1):
        wanted = before + sign * 0.03
        safe, rules = through(wanted, before)
        assert rules == []
        np.testing.assert_array_equal(safe.joints_rad, upper(wanted))


def test_hands_that_come_together_stop_two_centimetres_apart() -> None:
    goal = posture(
        left_shoulder_roll=-0.5, right_shoulder_roll=0.5, left_shoulder_yaw=0.0, right_shoulder_yaw=0.0,
        left_shoulder_pitch=-0.5, right_shoulder_pitch=-0.5, left_elbow=0.8, right_elbow=0.8,
    )  # fmt: skip
    start = posture()
    assert body().distances(state(start), upper(goal)).min() < 0.0
    way = move(goal, start)
    nearest = [body().distances(state(start), joints).min() for joints in way]
    assert min(nearest) >= LEAST_M - 1e-9
    assert min(nearest) < 2 * LEAST_M


@given(hnp.arrays(np.float64, 17, elements=st.floats(-1, 1)), hnp.arrays(np.float64, 17, elements=st.floats(-1, 1)))
@settings(max_examples=60, deadline=None)
def test_no_pair_that_is_too_near_comes_nearer(place: Array, way: Array) -> None:
    spec, _ = g1()
    middle, half = (spec.lower_rad + spec.upper_rad) / 2, (spec.upper_rad - spec.lower_rad) / 2
    before = posture()
    before[spec.upper_index] = middle + place * half
    wanted = before.copy()
    wanted[spec.upper_index] = np.clip(upper(before) + 0.04 * way, spec.lower_rad, spec.upper_rad)
    safe, rules = through(wanted, before)
    now, then = (body().distances(state(before), joints) for joints in (upper(before), safe.joints_rad))
    assert np.all((then >= LEAST_M) | (then >= now - 1e-8))
    taken = safe.joints_rad != upper(wanted)
    np.testing.assert_array_equal(safe.joints_rad[taken], upper(before)[taken])
    assert rules == (["self_collision"] if taken.any() else [])
    again = SafetyFilter(spec, CALM).filter(safe, Command(upper(before), np.ones(2)), state(before), None, NO_TOOLS)
    assert again[0] is safe


def test_one_arm_stops_and_the_other_and_the_legs_go_on() -> None:
    before = near()
    wanted = before.copy()
    names = g1()[0].joints
    wanted[names.index("left_shoulder_roll_joint")] -= 0.02
    wanted[names.index("right_elbow_joint")] += 0.02
    wanted[names.index("waist_yaw_joint")] += 0.01
    safe, rules = through(wanted, before)
    assert rules == ["self_collision"]
    left = np.array(["left" in name for name in g1()[0].upper_joints])
    np.testing.assert_array_equal(safe.joints_rad[left], upper(before)[left])
    np.testing.assert_array_equal(safe.joints_rad[~left], upper(wanted)[~left])
    assert safe.mode is Mode.TRACK
    np.testing.assert_array_equal(safe.base_velocity, [0.3, 0.0, 0.1])


def test_what_is_too_near_may_come_apart() -> None:
    before = near()
    wanted = before.copy()
    wanted[g1()[0].joints.index("left_shoulder_roll_joint")] += 0.02
    safe, rules = through(wanted, before)
    assert rules == []
    np.testing.assert_array_equal(safe.joints_rad, upper(wanted))


@cache
def near() -> Array:
    """[29] a left elbow at the flank, just too near to come nearer."""
    for roll in np.linspace(0.6, -0.6, 241):
        joints = posture(left_shoulder_roll=float(roll), left_shoulder_yaw=0.0, left_shoulder_pitch=0.0)
        found = body().distances(state(joints), upper(joints))
        if found.min() < LEAST_M:
            assert body().names(int(found.argmin())).startswith("torso_link/left_")
            return joints
    raise AssertionError("the arm never came near")


def test_what_was_asked_and_what_it_takes_are_told() -> None:
    before = near()
    wanted = before.copy()
    wanted[g1()[0].joints.index("left_shoulder_roll_joint")] -= 0.02
    kept, changes = body().check(upper(wanted), upper(before), state(before))
    np.testing.assert_array_equal(kept, upper(before))
    assert changes[0].joint.startswith("torso_link/left_")
    assert changes[0].limit == LEAST_M
    assert changes[0].value == pytest.approx(body().distances(state(before), upper(wanted)).min())
