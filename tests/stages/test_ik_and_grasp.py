"""Reaching: inverse kinematics, the choice of a grasp, and the arm that follows a goal."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

import envs
from robots.g1.kind import g1_spec
from robots.mock import mock_spec
from vla_sim.spec import KinematicsSpec
from vla_sim.stages.grasp import GraspConfig, GraspPlanner, tool_rotation
from vla_sim.stages.ik import DAMPING, LIMIT_MARGIN_RAD, ArmIK, damped_step
from vla_sim.stages.servo import ArmServo, ServoConfig
from vla_sim.types import Array, Command, GraspRequest, Mode, RobotState

SPEC = g1_spec()
HANDS = ("left", "right")
PERIOD_S = 1 / SPEC.control_rate_hz


def kinematics() -> KinematicsSpec:
    assert SPEC.kinematics is not None
    return SPEC.kinematics


READY: Array = kinematics().ready_rad
SIDE = {"left": 1.0, "right": -1.0}
NONE = np.zeros((0, 4))


@pytest.fixture(scope="module")
def ik() -> ArmIK:
    return ArmIK(SPEC)


@pytest.fixture(scope="module")
def planner() -> GraspPlanner:
    return GraspPlanner(SPEC)


def limits(ik: ArmIK, hand: str) -> tuple[Array, Array]:
    """[chain] the arm's limits inside the safety margin, and the waist's own."""
    k = kinematics()
    upper = [SPEC.upper_joints.index(name) for name in k.arms[hand].joints]
    low = [*(SPEC.lower_rad[upper] + LIMIT_MARGIN_RAD), *k.waist_lower_rad]
    return np.array(low), np.array([*(SPEC.upper_rad[upper] - LIMIT_MARGIN_RAD), *k.waist_upper_rad])


def near_ready(ik: ArmIK, hand: str, rng: np.random.Generator, spread_rad: float = 0.3) -> Array:
    """A posture within the limits whose arm and waist differ from the ready posture."""
    q, chain = READY.copy(), ik.chain(hand)
    low, high = limits(ik, hand)
    q[chain] = np.clip(q[chain] + rng.uniform(-spread_rad, spread_rad, len(chain)), low, high)
    return q


def distance(rotation_a: Array, rotation_b: Array) -> float:
    return float(Rotation.from_matrix(rotation_a.T @ rotation_b).magnitude())


# Inverse kinematics


def test_the_tool_is_where_the_physics_engine_has_it(ik: ArmIK) -> None:
    env = envs.make("VlaSim/PickPlace-v0")
    env.restart(0)
    for _ in range(30):
        env.advance(Command(np.zeros(17), np.ones(2), mode=Mode.HOLD))
    robot, k = env.world.robot, kinematics()
    joints = env.robot_state().joints_rad
    feet, right, left = (
        robot.link_poses_in_world([robot.links[name]])[0]
        for name in (k.foot_links[0], k.arms["right"].tool_link, k.arms["left"].tool_link)
    )
    for hand, in_world in (("right", right), ("left", left)):
        ours = ik.tool_in_base(hand, joints)
        foot = ik.model.pose_link_in_base(ik.model.frame(k.foot_links[0])).homogeneous
        assert np.linalg.inv(foot) @ ours.homogeneous == pytest.approx(np.linalg.inv(feet) @ in_world, abs=1e-4)
    env.close()


@pytest.mark.parametrize("hand", HANDS)
def test_a_pose_the_arm_can_take_is_found(ik: ArmIK, hand: str) -> None:
    rng = np.random.default_rng(1)
    for _ in range(25):
        goal = ik.tool_in_base(hand, near_ready(ik, hand, rng)).copy()
        solved = ik.solve(hand, goal.translation, goal.rotation, READY, iterations=80)
        reached = ik.tool_in_base(hand, solved.joints_rad)
        assert solved.error_m < 2e-3
        assert solved.error_rad < 1e-2
        assert np.linalg.norm(reached.translation - goal.translation) == pytest.approx(solved.error_m, abs=1e-4)
        low, high = limits(ik, hand)
        assert np.all(solved.joints_rad[ik.chain(hand)] >= low - 1e-12)
        assert np.all(solved.joints_rad[ik.chain(hand)] <= high + 1e-12)


@pytest.mark.parametrize("hand", HANDS)
def test_only_the_arm_and_the_waist_move(ik: ArmIK, hand: str) -> None:
    before = READY.copy()
    solved = ik.solve(hand, np.array([0.35, SIDE[hand] * 0.2, 0.85]), tool_rotation(0.0, 0.6), READY, iterations=30)
    others = np.setdiff1d(np.arange(len(SPEC.joints)), ik.chain(hand))
    assert np.array_equal(solved.joints_rad[others], READY[others])
    assert np.array_equal(READY, before)


def test_the_waist_rests_when_it_is_told_to(ik: ArmIK) -> None:
    waist = ik.chain("left")[ik.arm_size["left"] :]
    goal = np.array([0.45, 0.1, 0.85]), tool_rotation(0.0, 0.6)
    assert np.array_equal(ik.solve("left", *goal, READY, iterations=30, waist=False).joints_rad[waist], READY[waist])
    assert not np.array_equal(ik.solve("left", *goal, READY, iterations=30).joints_rad[waist], READY[waist])


def test_out_of_reach_leaves_an_honest_error(ik: ArmIK) -> None:
    goal = np.array([1.5, 0.2, 0.8])
    solved = ik.solve("left", goal, tool_rotation(0.0, 0.6), READY, iterations=60)
    reached = ik.tool_in_base("left", solved.joints_rad).translation
    assert solved.error_m > 0.5
    assert np.all(np.isfinite(solved.joints_rad))
    assert np.linalg.norm(goal - reached) > 0.5


def test_a_preferred_posture_costs_the_tool_nothing(ik: ArmIK) -> None:
    rng = np.random.default_rng(2)
    wanted = near_ready(ik, "left", rng, 0.5)
    goal = ik.tool_in_base("left", wanted).copy()
    chain = ik.chain("left")
    free, drawn = (
        ik.solve("left", goal.translation, goal.rotation, READY, iterations=200, posture_rad=posture, tolerance=0.0)
        for posture in (None, wanted)
    )
    assert max(free.error_m, drawn.error_m) < 1e-3
    off = [np.abs(s.joints_rad[chain] - wanted[chain]).max() for s in (free, drawn)]
    assert off[1] < 0.5 * off[0]


def test_a_robot_without_a_model_is_an_error_that_names_it() -> None:
    with pytest.raises(ValueError, match="'mock' has no kinematic model"):
        ArmIK(mock_spec())


@given(st.integers(0, 10_000))
def test_a_step_is_the_damped_least_squares_one(seed: int) -> None:
    draw = np.random.default_rng(seed)
    jacobian = np.asfortranarray(draw.normal(size=(6, 20)))
    columns, weight = draw.permutation(20)[:10], draw.uniform(0.2, 1.0, 10)
    error, pull = draw.normal(size=6), draw.normal(size=10)
    step = damped_step(jacobian, columns, weight, error, pull)
    damping = np.sqrt(DAMPING)
    rows = np.vstack((jacobian[:, columns] * weight, damping * np.eye(10)))
    np.testing.assert_allclose(step, np.linalg.lstsq(rows, np.concatenate((error, damping * pull)))[0], atol=1e-9)


# Grasps


@pytest.mark.parametrize(("yaw", "pitch"), [(0.0, 0.0), (0.7, 0.6), (-1.0, 0.9)])
def test_the_tools_axes(yaw: float, pitch: float) -> None:
    r = tool_rotation(yaw, pitch)
    assert r.T @ r == pytest.approx(np.eye(3))
    assert np.linalg.det(r) == pytest.approx(1.0)
    along = [np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), -np.sin(pitch)]
    assert r[:, 0] == pytest.approx(along)
    assert r[2, 1] == pytest.approx(0.0)  # the fingers are level


def request(
    hand: str, x: float = 0.32, y: float = 0.24, obstacles: Array = NONE, yaws: tuple[float, ...] = (0.0, 0.3, -0.3)
) -> GraspRequest:
    point = np.array([x, SIDE[hand] * y, 0.74])
    return GraspRequest(hand, point, yaws, 0.12, READY.copy(), 0.70, obstacles)


@pytest.mark.parametrize("hand", HANDS)
@pytest.mark.parametrize(("x", "y"), [(0.26, 0.20), (0.26, 0.34), (0.38, 0.20), (0.38, 0.34)])
def test_objects_on_the_table_can_be_taken(planner: GraspPlanner, ik: ArmIK, hand: str, x: float, y: float) -> None:
    asked = request(hand, x, y)
    grasp = planner(asked)
    assert grasp.hand == hand
    assert grasp.yaw_rad in asked.yaws_rad
    assert grasp.error_m < 0.01
    tool = ik.tool_in_base(hand, grasp.posture_rad)
    assert np.linalg.norm(tool.translation - asked.point_in_base) <= grasp.error_m + 1e-9
    assert distance(tool.rotation, grasp.rotation_in_base) < 0.2
    want = tool_rotation(grasp.yaw_rad, np.radians(GraspConfig().pitch_deg))
    assert grasp.rotation_in_base == pytest.approx(want)


def test_left_and_right_mirror_each_other(planner: GraspPlanner) -> None:
    left, right = planner(request("left", yaws=(-0.3,))), planner(request("right", yaws=(0.3,)))
    assert left.error_m == pytest.approx(right.error_m, abs=1e-3)


def test_what_is_too_far_away_says_so_by_its_error(planner: GraspPlanner) -> None:
    assert planner(request("left", x=0.95)).error_m > 0.1


def test_an_obstacle_in_the_way_sends_the_hand_round_it(planner: GraspPlanner) -> None:
    free = request("left", yaws=(0.0, -0.6, 0.6))
    assert planner(free).yaw_rad == 0.0
    behind = free.point_in_base - [0.13, 0.0, 0.0]
    for aside, side in ((0.03, -1), (-0.03, 1)):
        tall = np.array([[behind[0], behind[1] + aside, 0.035, 0.90]])
        got = planner(request("left", yaws=(0.0, -0.6, 0.6), obstacles=tall)).yaw_rad
        # A hand that points towards +y comes from -y: away from an obstacle at +y, and the other way round.
        assert np.sign(got) == -side
    flat = np.array([[behind[0], behind[1], 0.035, 0.71]])
    assert planner(request("left", yaws=(0.0, -0.6, 0.6), obstacles=flat)).yaw_rad == 0.0


def test_no_direction_is_an_error(planner: GraspPlanner) -> None:
    with pytest.raises(ValueError, match="at least one direction"):
        planner(request("left", yaws=()))


def test_the_same_request_has_the_same_answer(planner: GraspPlanner) -> None:
    first, second = planner(request("left")), planner(request("left"))
    planner(request("right", x=0.9))
    third = planner(request("left"))
    for other in (second, third):
        assert np.array_equal(first.posture_rad, other.posture_rad)


# The servo


class Arm:
    """A left arm whose joints do what `body` makes of their targets."""

    def __init__(self, ik: ArmIK, body: Callable[[Array], Array] = lambda q: q) -> None:
        self.ik, self.body = ik, body
        self.targets = READY.copy()
        self.servo = ArmServo("left", SPEC, ik, self.state(), ServoConfig())

    def state(self) -> RobotState:
        return RobotState(0.0, self.body(self.targets.copy()), np.zeros(29), np.ones(2), self.targets.copy())

    def track(self, goal: Array, rotation: Array | None = None, **how: Any) -> Array:
        turn = self.servo.rotation if rotation is None else rotation
        return self.servo.track(self.state(), self.targets, goal, turn, **how)

    @property
    def tool(self) -> Array:
        return self.ik.tool_in_base("left", self.state().joints_rad).translation.copy()


GOAL = np.array([0.33, 0.22, 0.85])


@pytest.mark.parametrize("angle", [0.0, 1e-9, 0.01, 0.3, 1.5, np.pi - 1e-6])
def test_it_turns_the_shortest_way_at_its_own_pace(ik: ArmIK, angle: float) -> None:
    rng, period_s = np.random.default_rng(3), 1 / SPEC.control_rate_hz
    for _ in range(5):
        arm = Arm(ik)
        axis = rng.normal(size=3)
        turn = angle * axis / np.linalg.norm(axis)
        start = Rotation.from_matrix(arm.servo.rotation)
        arm.track(arm.tool, (Rotation.from_rotvec(turn) * start).as_matrix())
        share = min(ServoConfig().gain_per_s, ServoConfig().turn_rad_s / max(angle, 1e-9)) * period_s
        expected = (Rotation.from_rotvec(share * turn) * start).as_matrix()
        assert arm.servo.rotation == pytest.approx(expected, abs=1e-9)


def test_it_starts_where_the_tool_is(ik: ArmIK) -> None:
    arm = Arm(ik)
    assert arm.servo.position == pytest.approx(arm.tool)
    arm.track(arm.tool)
    assert np.abs(arm.targets - READY).max() < 1e-3


def test_it_reaches_a_goal_within_its_limits(ik: ArmIK) -> None:
    arm, c, want = Arm(ik), ServoConfig(), tool_rotation(-0.2, 0.66)
    chain, size = ik.chain("left"), ik.arm_size["left"]
    others = np.setdiff1d(np.arange(29), chain)
    velocity, speeds = np.zeros(3), []
    for _ in range(250):
        before = arm.targets.copy()
        arm.track(GOAL, want)
        moved = np.abs(arm.targets - before) / PERIOD_S
        assert moved[chain[:size]].max() <= c.joint_speed_rad_s + 1e-9
        assert moved[chain[size:]].max() <= c.waist_speed_rad_s + 1e-9
        assert moved[others].max() == 0.0
        assert np.linalg.norm(arm.servo.velocity - velocity) <= c.acceleration_m_s2 * PERIOD_S + 1e-9
        velocity = arm.servo.velocity
        speeds.append(np.linalg.norm(velocity))
    assert max(speeds) <= c.speed_m_s + 1e-9
    assert max(speeds) > 0.5 * c.speed_m_s
    assert arm.tool == pytest.approx(GOAL, abs=1e-3)
    assert distance(arm.servo.rotation, want) < 0.01


def test_a_slower_speed_is_kept(ik: ArmIK) -> None:
    arm = Arm(ik)
    for _ in range(60):
        arm.track(GOAL, speed_m_s=0.1)
        assert np.linalg.norm(arm.servo.velocity) <= 0.1 + 1e-9


def follow(arm: Arm, feed_forward: bool) -> float:
    """How far the reference lags behind a goal that has moved at 0.1 m/s for 2 s, m."""
    velocity, goal = np.array([0.0, -0.1, 0.0]), GOAL.copy()
    for _ in range(200):
        goal = goal + velocity * PERIOD_S
        arm.track(goal, feed_forward=velocity if feed_forward else None, settle=False)
    return float(np.linalg.norm(arm.servo.position - goal))


def test_feed_forward_takes_the_lag_away(ik: ArmIK) -> None:
    lag_m = 0.1 / ServoConfig().gain_per_s  # of a proportional law behind a ramp
    assert follow(Arm(ik), feed_forward=False) == pytest.approx(lag_m, rel=0.1)
    assert follow(Arm(ik), feed_forward=True) < 0.001


def sagging(ik: ArmIK, sag_rad: float) -> Callable[[Array], Array]:
    """Motors that leave an error under load: every joint of the arm stays behind its target."""
    chain = ik.chain("left")[: ik.arm_size["left"]]

    def body(q: Array) -> Array:
        q[chain] += sag_rad
        return q

    return body


def test_what_the_motors_leave_is_integrated_away_near_a_resting_goal(ik: ArmIK) -> None:
    settled, plain = Arm(ik, sagging(ik, 0.012)), Arm(ik, sagging(ik, 0.012))
    for _ in range(600):
        settled.track(GOAL)
        plain.track(GOAL, settle=False)
    left = float(np.linalg.norm(plain.tool - GOAL))
    assert left > 0.004
    assert float(np.linalg.norm(settled.tool - GOAL)) < 0.2 * left


def test_the_correction_is_bounded(ik: ArmIK) -> None:
    arm = Arm(ik, sagging(ik, 0.15))
    for _ in range(800):
        arm.track(GOAL)
    commanded = ik.tool_in_base("left", arm.targets).translation
    assert np.abs(commanded - GOAL).max() <= ServoConfig().offset_max_m + 0.002


def test_a_moving_goal_forgets_what_was_learnt_at_rest(ik: ArmIK) -> None:
    arm = Arm(ik, sagging(ik, 0.012))
    for _ in range(600):
        arm.track(GOAL)
    assert np.linalg.norm(ik.tool_in_base("left", arm.targets).translation - GOAL) > 0.004
    for _ in range(100):
        arm.track(GOAL, settle=False)
    assert np.linalg.norm(ik.tool_in_base("left", arm.targets).translation - GOAL) < 0.001
