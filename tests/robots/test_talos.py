"""The Talos: model data against the manufacturer's file, its reach, the body on its feet, and a pick."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pybullet as p
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import envs
from envs.actions import action_of
from robots.articulated import Articulated
from robots.body import Start
from robots.talos import Talos, model, urdf
from robots.talos.model import UPPER_JOINTS, ready_posture
from robots.urdf_parts import example_robot_data
from vla_sim.errors import ConfigError
from vla_sim.expert import Expert
from vla_sim.kinematics import BodyModel
from vla_sim.stages.grasp import GraspConfig, GraspPlanner, tool_rotation
from vla_sim.stages.ik import ArmIK
from vla_sim.stages.servo import ArmServo, ServoConfig
from vla_sim.types import Array, Command, GraspRequest, Mode, RobotState

RATE_HZ, TICKS_A_SECOND = 500.0, 100
N_LEGS, N_UPPER = 12, 18
SPEC, ZONE = Talos().spec(), Talos().reach_zone()
SIDES = {"left": 1.0, "right": -1.0}
hands = st.sampled_from(sorted(SIDES))


def world() -> int:
    client = int(p.connect(p.DIRECT))
    on = {"physicsClientId": client}
    p.setGravity(0, 0, -9.81, **on)
    p.setPhysicsEngineParameter(
        fixedTimeStep=1 / RATE_HZ, numSolverIterations=50, deterministicOverlappingPairs=1, **on
    )
    floor = p.createMultiBody(0, p.createCollisionShape(p.GEOM_PLANE, **on), **on)
    p.changeDynamics(floor, -1, lateralFriction=0.9, **on)
    return client


@pytest.fixture
def client() -> Iterator[int]:
    client = world()
    yield client
    p.disconnect(client)


def stand(client: int) -> Articulated:
    body = Talos().build(client, SPEC, RATE_HZ)
    body.reset(Start())
    return body


@pytest.fixture
def body(client: int) -> Articulated:
    return stand(client)


def step(body: Articulated, command: Command) -> None:
    body.apply(command)
    for _ in range(5):
        body.before_step()
        p.stepSimulation(physicsClientId=body.client)


def ready(grips: float = 1.0) -> Command:
    return Command(ready_posture()[N_LEGS:], np.full(2, grips))


def waving(time_s: float) -> Command:
    """Both arms swing forwards and out, the waist turns and bows."""
    joints = ready_posture()[N_LEGS:].copy()
    for side, sign in SIDES.items():
        joints[UPPER_JOINTS.index(f"arm_{side}_1_joint")] -= sign * 0.3 * (1 - np.cos(2.0 * time_s))
        joints[UPPER_JOINTS.index(f"arm_{side}_4_joint")] += 0.5 * (1 - np.cos(2.5 * time_s))
    joints[UPPER_JOINTS.index("torso_1_joint")] += 0.6 * np.sin(1.5 * time_s)
    joints[UPPER_JOINTS.index("torso_2_joint")] += 0.15 * (1 - np.cos(2.0 * time_s))
    return Command(joints, np.array([0.0, 1.0]))


@cache
def source() -> ET.Element:
    return ET.parse(example_robot_data(urdf.SOURCE, "talos") / urdf.FILE).getroot()


def masses_kg(links: list[ET.Element]) -> float:
    return sum(float(mass.get("value", 0)) for link in links for mass in link.iter("mass"))


def angle_deg(rotation: Array) -> float:
    return float(np.degrees(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1))))


# -- the model ------------------------------------------------------------------------------------------------------
def test_joint_data_is_the_manufacturers() -> None:
    joints = {j.get("name"): j for j in source().findall("joint") if j.get("type") == "revolute"}
    assert {j.name for j in model.JOINTS} == {n for n in joints if n and not n.startswith("gripper")}
    for joint in model.JOINTS:
        limit = joints[joint.name].find("limit")
        assert limit is not None
        told = [float(limit.get(key, "nan")) for key in ("lower", "upper", "effort", "velocity")]
        assert joint[1:5] == pytest.approx(told, abs=1e-5)
        assert joint.lower_rad <= joint.ready_rad <= joint.upper_rad


def test_mass_is_the_manufacturers_with_other_grippers(body: Articulated) -> None:
    links = source().findall("link")
    bare = masses_kg([link for link in links if not link.get("name", "").startswith("gripper")])
    count = p.getNumJoints(body.id, physicsClientId=body.client)
    total = sum(p.getDynamicsInfo(body.id, i, physicsClientId=body.client)[0] for i in range(-1, count))
    grippers = 2 * (model.GRIPPER.palm_mass_kg + 2 * model.GRIPPER.finger_mass_kg)
    assert total == pytest.approx(bare + grippers, abs=0.01)
    assert total > 90


def test_its_right_arm_mirrors_its_left() -> None:
    k = SPEC.kinematics
    assert k is not None
    body = BodyModel(k.urdf, SPEC.joints, k.foot_links, k.sole_m)
    body.update(k.ready_rad)
    left, right = (body.pose_link_in_base(body.frame(f"{hand}_tool")).translation for hand in ("left", "right"))
    assert right == pytest.approx(left * [1, -1, 1], abs=1e-6)


def test_the_model_is_generated_once_and_always_the_same(tmp_path: Path) -> None:
    made = urdf.talos_files()
    before = made.full.stat().st_mtime_ns
    urdf.hand_files.cache_clear()
    assert urdf.talos_files() == made
    assert made.full.stat().st_mtime_ns == before
    urdf.build(example_robot_data(urdf.SOURCE, "talos") / urdf.FILE, model.GRIPPER, tmp_path)
    kept = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert len(kept) > 30
    for path in kept:
        assert (made.full.parent / path).read_bytes() == (tmp_path / path).read_bytes(), path


def test_every_link_has_inertia_and_its_soles_are_flat() -> None:
    robot = ET.parse(urdf.talos_files().full).getroot()
    assert all(link.find("inertial/mass") is not None for link in robot.findall("link"))
    assert not robot.findall(".//collision/geometry/mesh")
    for name in model.FOOT_LINKS:
        box = robot.find(f"link[@name='{name}']/collision/geometry/box")
        assert box is not None


def test_a_hand_it_does_not_have_is_refused_with_those_it_has() -> None:
    with pytest.raises(ConfigError, match=r"the Talos has no hand 'dex3'; choose one of: gripper"):
        Talos(hand="dex3").spec()


def test_it_promises_to_stand() -> None:
    assert not any(SPEC.base_velocity_max)
    assert SPEC.lidar is None


# -- its reach ------------------------------------------------------------------------------------------------------
@cache
def arm_ik() -> ArmIK:
    return ArmIK(SPEC)


def error_m(hand: str, x: float, y: float, height_m: float) -> float:
    """How far from a place on the table the tool stays, coming in as the grasp planner has it, m."""
    config, start = GraspConfig(), ready_posture()
    rotation = tool_rotation(0.0, np.radians(config.pitch_deg))
    goal = np.array([x, SIDES[hand] * y, ZONE.table_top_m + height_m])
    solved = arm_ik().solve(hand, goal, rotation, start, iterations=config.iterations)
    assert solved.error_rad < 0.1
    return solved.error_m


@pytest.mark.parametrize("hand", sorted(SIDES))
def test_it_reaches_its_zone(hand: str) -> None:
    grid = [
        (x, y, z) for x in np.linspace(*ZONE.object_x, 6) for y in np.linspace(*ZONE.object_y, 6) for z in (0.03, 0.19)
    ]
    errors = np.array([error_m(hand, float(x), float(y), z) for x, y, z in grid])
    assert np.mean(errors < 0.005) >= 0.95


@given(hand=hands, x=st.floats(*ZONE.object_x), y=st.floats(*ZONE.object_y))
@settings(max_examples=25)
def test_it_reaches_any_object_in_its_zone(hand: str, x: float, y: float) -> None:
    assert error_m(hand, x, y, 0.05) < 0.02


@pytest.mark.parametrize("hand", sorted(SIDES))
def test_it_reaches_the_tray_and_not_the_far_end_of_the_table(hand: str) -> None:
    assert error_m(hand, ZONE.table_edge_x + 0.10, 0.03, 0.06) < 0.005
    assert error_m(hand, ZONE.table_edge_x + 0.60, 0.2, 0.06) > 0.05


def test_its_table_is_in_view() -> None:
    k, camera = SPEC.kinematics, SPEC.cameras["head"]
    assert k is not None
    client = world()
    try:
        pose = stand(client).pose_camera_in_base("head", k.ready_rad)
    finally:
        p.disconnect(client)
    corners = [
        (x, y) for x in (ZONE.table_edge_x + 0.02, ZONE.object_x[1]) for y in (-ZONE.object_y[1], ZONE.object_y[1])
    ]
    for x, y in corners:
        point = pose[:3, :3].T @ (np.array([x, y, ZONE.table_top_m]) - pose[:3, 3])
        i = camera.intrinsics
        u, v = i.fx * point[0] / point[2] + i.cx, i.fy * point[1] / point[2] + i.cy
        assert 0 < u < i.width
        assert 0 < v < i.height


# -- the body -------------------------------------------------------------------------------------------------------
def test_it_stands_while_its_arms_move(body: Articulated) -> None:
    for tick in range(3 * TICKS_A_SECOND):
        step(body, waving(tick / TICKS_A_SECOND))
    assert not body.fallen
    pose = body.pose_base_in_world()
    assert np.abs(pose[:3, 3]).max() < 0.01
    assert np.degrees(np.arccos(pose[2, 2])) < 0.3
    assert angle_deg(pose[:3, :3]) < 3.0  # the waist's turning twists the soles a little
    state = body.state(3.0)
    assert np.abs(state.joints_rad - state.commanded_rad).max() < 0.03
    assert state.grips == pytest.approx([0.0, 1.0], abs=0.07)


def test_without_motors_it_falls(body: Articulated) -> None:
    for _ in range(2 * TICKS_A_SECOND):
        step(body, Command(np.zeros(N_UPPER), np.zeros(2), mode=Mode.DAMP))
    assert body.fallen


def test_it_starts_where_it_is_put_and_touches_nothing_of_its_own(body: Articulated) -> None:
    body.reset(Start(1.0, -0.5, 0.7))
    pose = body.pose_base_in_world()
    assert pose[:3, 3] == pytest.approx([1.0, -0.5, 0.0], abs=0.002)
    assert np.arctan2(pose[1, 0], pose[0, 0]) == pytest.approx(0.7, abs=0.002)
    p.performCollisionDetection(physicsClientId=body.client)
    assert not p.getContactPoints(body.id, body.id, physicsClientId=body.client)


def test_its_state_has_the_shapes_it_promises(body: Articulated) -> None:
    step(body, ready())
    state = body.state(0.01)
    n = len(SPEC.joints)
    assert n == N_LEGS + N_UPPER
    assert state.joints_rad.shape == state.joints_rad_s.shape == state.commanded_rad.shape == (n,)
    assert state.grips.shape == (2,)
    assert len(body.targets()) == n + 4
    assert SPEC.lower_rad.shape == SPEC.upper_rad.shape == SPEC.velocity_rad_s.shape == (N_UPPER,)


def test_hold_keeps_the_last_tracked_targets(body: Articulated) -> None:
    told = waving(0.5)
    body.apply(told)
    sent = body.apply(Command(np.zeros(N_UPPER), np.zeros(2), mode=Mode.HOLD))
    assert np.array_equal(sent.joints_rad, told.joints_rad)
    assert np.array_equal(sent.grips, told.grips)


def test_its_own_idea_of_the_camera_is_true(body: Articulated) -> None:
    for _ in range(50):
        step(body, waving(0.5))
    true = np.linalg.inv(body.pose_base_in_world()) @ body.pose_camera_in_world("head")
    own = body.pose_camera_in_base("head", body.state(0.5).joints_rad)
    assert np.abs(true[:3, 3] - own[:3, 3]).max() < 0.002
    assert angle_deg(true[:3, :3].T @ own[:3, :3]) < 0.1


def test_two_of_them_in_turns_do_the_same_bit_by_bit() -> None:
    clients = world(), world()
    bodies = [stand(client) for client in clients]
    try:
        for tick in range(60):
            for body in bodies:
                step(body, waving(tick / TICKS_A_SECOND))
        first, second = (body.state(0.6) for body in bodies)
        assert np.array_equal(first.joints_rad, second.joints_rad)
        assert np.array_equal(first.joints_rad_s, second.joints_rad_s)
        assert np.array_equal(bodies[0].root_in_world()[0], bodies[1].root_in_world()[0])
    finally:
        for client in clients:
            p.disconnect(client)


# -- its numbers in the stack ---------------------------------------------------------------------------------------
def test_its_long_forearm_keeps_clear_of_what_stands_behind() -> None:
    k = SPEC.kinematics
    assert k is not None
    short = replace(SPEC, kinematics=replace(k, arms={h: replace(arm, length_m=0.30) for h, arm in k.arms.items()}))
    point = np.array([0.45, 0.30, ZONE.table_top_m + 0.05])
    post = np.array([[point[0] - 0.39, point[1], 0.03, ZONE.table_top_m + 0.6]])
    request = GraspRequest("left", point, (0.0, -0.5), 0.12, ready_posture(), ZONE.table_top_m, post)
    assert GraspPlanner(short)(request).yaw_rad == 0.0
    assert GraspPlanner(SPEC)(request).yaw_rad == -0.5


def test_no_joint_is_told_to_be_faster_than_it_can() -> None:
    ready_rad = ready_posture()
    state = RobotState(0.0, ready_rad, np.zeros_like(ready_rad), np.ones(2), ready_rad)
    servo = ArmServo("left", SPEC, arm_ik(), state, ServoConfig())
    targets, upper = ready_rad.copy(), SPEC.upper_index
    rotation = tool_rotation(1.2, 0.0)
    fastest = np.zeros(N_UPPER)
    for _ in range(60):
        before = targets.copy()
        servo.track(state, targets, np.array([0.50, 0.05, ZONE.table_top_m + 0.1]), rotation)
        fastest = np.maximum(fastest, np.abs(targets - before)[upper] * SPEC.control_rate_hz)
    assert np.all(fastest <= SPEC.velocity_rad_s + 1e-9)
    assert (fastest / SPEC.velocity_rad_s).max() > 0.999  # one of them was held back


# -- at work --------------------------------------------------------------------------------------------------------
def test_the_stacks_hands_pick_and_place_with_it() -> None:
    env = envs.make("VlaSim/PickPlace-v0", body=Talos())
    try:
        obs, info = env.reset(seed=3)
        expert = Expert(env.robot_spec)
        expert.reset(obs, info)
        done = False
        while not done:
            obs, _, ended, cut, info = env.step(action_of(expert.act(obs, info), env.robot_spec))
            done = ended or cut
        assert info["reason"] == "placed"
    finally:
        env.close()
