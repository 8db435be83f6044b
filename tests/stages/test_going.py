"""The skills of the legs, on a robot that glides to where it is asked to go."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from robots.g1.kind import g1_spec
from vla_sim.stages import anchoring, planar
from vla_sim.stages.going import DOCKED_M, Follow, GoTo, LegSkill, StepBack, StepUp, staging
from vla_sim.stages.skills import Arms, MotionConfig, Outcome, Tick
from vla_sim.stages.tracking import ObjectTracker
from vla_sim.stages.walking import Walk
from vla_sim.types import Array, Detection, Detections, NavigationAnswer, ObjectQuery, RobotState, Surface

SPEC, PERIOD_S = g1_spec(), 0.02
TABLE = Surface("kitchen table", "kitchen", np.array([3.0, 1.0, 0.5]), np.array([0.6, 1.4]), 0.7)
CUP = ObjectQuery("mug", "red")
TRUNK = np.array([0.03, 0.01, 0.0])  # of the trunk before the middle of the feet


@dataclass
class Glider:
    """Moves 0.4 m/s straight at its goal and says that it has arrived."""

    base: Array = field(default_factory=lambda: np.array([0.0, 0.0, 0.0]))
    misses_m: float = 0.0  # how far from the goal it ends the first time
    says: str = ""  # instead of moving
    grip: float = 0.5

    def __post_init__(self) -> None:
        self.arms = Arms(SPEC, MotionConfig())
        self.walk = Walk(SPEC)
        self.time_s, self.moving = 0.0, False
        self.walk.reset(self.state(), None)
        self.arms.reset(self.state())
        self.tracker = ObjectTracker(CUP)
        self.goals: list[str] = []

    def state(self) -> RobotState:
        pose, n = np.eye(4), len(SPEC.joints)
        cos, sin = np.cos(self.base[2]), np.sin(self.base[2])
        pose[:2, :2], pose[:2, 3] = [[cos, -sin], [sin, cos]], self.base[:2]
        zeros = np.zeros(n)
        velocity = np.array([0.3, 0, 0]) if self.moving else np.zeros(3)
        grips = np.full(2, self.grip)
        return RobotState(
            self.time_s, zeros, zeros, grips, zeros, pose, planar.compose(self.base, TRUNK), velocity, not self.moving
        )

    def glide(self) -> None:
        goal = self.walk.goal
        self.moving = False
        if goal is None:
            driven = self.walk.velocity(self.time_s)
            self.moving = bool(driven.any())
            self.base = planar.compose(self.base, driven * PERIOD_S)
            return
        if self.says:
            self._answer(self.says)
            return
        to = planar.compose(goal.pose_in_site, planar.inverse(TRUNK))
        to[0] += self.misses_m
        way = to[:2] - self.base[:2]
        if np.hypot(*way) < 0.01:
            self.base[2], self.misses_m = to[2], 0.0
            self.goals.append(goal.mode)
            self._answer("arrived")
            return
        self.moving = True
        self.base[:2] += way * min(1.0, 0.4 * PERIOD_S / np.hypot(*way))
        self._answer("moving")

    def _answer(self, status: str) -> None:
        answer = NavigationAnswer(self.time_s, np.zeros(3), status, np.zeros((0, 2)), np.zeros(3), 1.0)
        self.walk.answer(answer, self.time_s)

    def see(self, where: Array) -> None:
        """The cup at `where` [2] in the site, seen from here."""
        in_base = planar.apply(planar.inverse(self.base), where)
        item = Detection("mug", "red", np.array([*in_base, 0.745]), 0.0, 0.79, 1.0, 1.0)
        self.tracker.update(anchoring.detections_in_odom(Detections(self.time_s, (item,)), self.base))

    def play(self, skill: LegSkill, limit_s: float, cup: Array | None = None, visible_m: float = 2.0) -> Outcome | None:
        for _ in range(round(limit_s / PERIOD_S)):
            if cup is not None and not self.moving and skill.looks and np.hypot(*(cup - self.base[:2])) < visible_m:
                self.see(cup)
            estimate = self.tracker.estimate(self.time_s)
            seen = None if estimate is None else anchoring.estimate_in_base(estimate, self.base)
            skill.tick(Tick(self.time_s, self.state(), {str(CUP): seen}))
            if skill.outcome is not None:
                return skill.outcome
            self.glide()
            self.time_s += PERIOD_S
        return None


def test_it_goes_where_its_feet_should_stand() -> None:
    robot = Glider()
    outcome = robot.play(GoTo(robot.arms, robot.walk, np.array([2.0, -1.0, 1.2])), 20.0)
    assert outcome is not None
    assert outcome.success
    np.testing.assert_allclose(robot.base, [2.0, -1.0, 1.2], atol=0.011)
    assert robot.walk.goal is None


def test_where_there_is_no_way_it_gives_up_standing() -> None:
    robot = Glider(says="no_way")
    outcome = robot.play(GoTo(robot.arms, robot.walk, np.ones(3)), 5.0)
    assert outcome == Outcome(False, "no_way")
    assert robot.walk.goal is None


def test_a_hand_that_comes_up_empty_ends_the_walk() -> None:
    robot = Glider(grip=0.0)
    robot.arms.use("left", robot.state())
    robot.arms.holding = True
    outcome = robot.play(GoTo(robot.arms, robot.walk, np.ones(3)), 5.0)
    assert outcome == Outcome(False, "dropped")


@pytest.mark.parametrize("along", [-0.35, -0.1, 0.2, 0.35])
def test_it_steps_up_beside_what_it_is_to_take(along: float) -> None:
    """Feet 0.19 m before the edge, facing the table, the cup 0.25 m to one side."""
    robot = Glider(base=staging(TABLE, MotionConfig().staging_m))
    cup = planar.apply(TABLE.pose, np.array([-0.18, along]))
    outcome = robot.play(StepUp(robot.arms, robot.walk, CUP, TABLE, beside_hand=True), 20.0, cup)
    assert outcome is not None
    assert outcome.success
    in_base = planar.apply(planar.inverse(robot.base), cup)
    np.testing.assert_allclose(in_base[0], 0.19 + 0.12, atol=0.012)
    np.testing.assert_allclose(abs(in_base[1]), MotionConfig().hand_side_m, atol=0.012)
    assert abs(planar.wrap(robot.base[2] - TABLE.pose[2])) < 1e-6


def test_before_a_tray_it_stands_in_the_middle() -> None:
    robot = Glider(base=staging(TABLE, MotionConfig().staging_m))
    tray = planar.apply(TABLE.pose, np.array([-0.19, 0.3]))
    robot.play(StepUp(robot.arms, robot.walk, CUP, TABLE, beside_hand=False), 20.0, tray)
    np.testing.assert_allclose(planar.apply(planar.inverse(robot.base), tray)[1], 0.0, atol=0.012)


def test_without_a_table_it_comes_close_enough_to_reach() -> None:
    robot = Glider()
    robot.play(StepUp(robot.arms, robot.walk, CUP, None, beside_hand=False), 20.0, np.array([0.8, 0.3]))
    np.testing.assert_allclose(
        planar.apply(planar.inverse(robot.base), np.array([0.8, 0.3])), [MotionConfig().tray_x_m, 0.0], atol=0.012
    )


def test_it_steps_up_again_when_it_came_to_stand_off() -> None:
    robot = Glider(base=staging(TABLE, MotionConfig().staging_m), misses_m=2 * DOCKED_M)
    cup = planar.apply(TABLE.pose, np.array([-0.18, 0.2]))
    outcome = robot.play(StepUp(robot.arms, robot.walk, CUP, TABLE, beside_hand=True), 30.0, cup)
    assert outcome is not None
    assert outcome.success
    assert robot.goals == ["dock", "dock"]


def test_what_is_not_seen_is_looked_for_from_the_sides_before_it_gives_up() -> None:
    robot = Glider(base=staging(TABLE, MotionConfig().staging_m))
    outcome = robot.play(StepUp(robot.arms, robot.walk, CUP, TABLE, beside_hand=True), 60.0)
    assert outcome == Outcome(False, "not_seen")
    assert robot.goals == ["dock", "dock"]


def test_it_steps_back_from_a_table() -> None:
    robot = Glider(base=np.array([1.0, 1.0, np.pi / 2]))
    robot.play(StepBack(robot.arms, robot.walk), 10.0)
    np.testing.assert_allclose(robot.base, [1.0, 1.0 - MotionConfig().step_back_m, np.pi / 2], atol=0.03)


def test_following_has_no_end_of_its_own() -> None:
    robot = Glider(says="moving")
    assert robot.play(Follow(robot.arms, robot.walk), 5.0) is None
    assert robot.walk.goal is not None
    assert robot.walk.goal.mode == "follow"
