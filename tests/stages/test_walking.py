"""The skills' view of where the robot is, and the answers it walks by."""

from dataclasses import replace

import numpy as np
import pytest

from robots.mock import mock_spec
from vla_sim.errors import Refused
from vla_sim.stages import planar
from vla_sim.stages.walking import VALID_S, Goal, Walk
from vla_sim.types import Array, NavigationAnswer, RobotState

SPEC = replace(mock_spec(), base_velocity_max=(0.5, 0.2, 0.7))


def state(base: Array, heading: Array | None = None) -> RobotState:
    pose = np.eye(4)
    cos, sin = np.cos(base[2]), np.sin(base[2])
    pose[:2, :2], pose[:2, 3] = [[cos, -sin], [sin, cos]], base[:2]
    joints = np.zeros(3)
    return RobotState(0.0, joints, joints, np.ones(1), joints, pose, base if heading is None else heading)


def answer(time_s: float, odom: Array | None = None, status: str = "moving") -> NavigationAnswer:
    where = np.zeros(3) if odom is None else odom
    return NavigationAnswer(time_s, np.array([0.3, 0, 0.1]), status, np.zeros((0, 2)), where, 1.0)


def walk_at(base: Array) -> Walk:
    walk = Walk(SPEC)
    walk.reset(state(base), None)
    return walk


def test_it_walks_by_an_answer_for_a_while_only() -> None:
    walk = walk_at(np.zeros(3))
    walk.go(Goal(np.ones(3)), 1.0)
    walk.answer(answer(1.1), 1.2)
    assert walk.velocity(1.2 + VALID_S).tolist() == [0.3, 0.0, 0.1]
    assert not walk.velocity(1.2 + VALID_S + 0.01).any()


def test_an_answer_to_an_older_goal_moves_nothing() -> None:
    walk = walk_at(np.zeros(3))
    walk.go(Goal(np.ones(3)), 1.0)
    walk.answer(answer(0.9, status="arrived"), 1.1)
    assert walk.status == "moving"
    assert not walk.velocity(1.1).any()


def test_after_a_stop_no_late_answer_sets_it_going() -> None:
    walk = walk_at(np.zeros(3))
    walk.go(Goal(np.ones(3)), 1.0)
    walk.stop()
    walk.answer(answer(1.1), 1.2)
    assert not walk.velocity(1.2).any()


def test_recognised_walls_correct_where_it_is() -> None:
    walk = walk_at(np.zeros(3))
    walk.answer(answer(0.5, odom=np.array([0.1, 0.0, 0.02])), 0.5)
    expected = planar.compose(np.array([0.1, 0.0, 0.02]), np.array([2.0, 1.0, 0.5]))
    np.testing.assert_allclose(walk.base_in_site(state(np.array([2.0, 1.0, 0.5]))), expected)


def test_the_trunk_is_sent_where_the_feet_will_be_right() -> None:
    base = np.array([1.0, 2.0, 0.3])
    heading = planar.compose(base, np.array([0.03, -0.01, 0.02]))
    walk = walk_at(base)
    goal = walk.goal_of_heading(np.array([4.0, 0.0, 1.0]), state(base, heading))
    back = planar.compose(goal, planar.inverse(np.array([0.03, -0.01, 0.0])))
    np.testing.assert_allclose(back, [4.0, 0.0, 1.0], atol=1e-9)


def test_a_robot_that_stands_refuses_to_walk() -> None:
    Walk(SPEC).require()
    with pytest.raises(Refused, match="cannot walk"):
        Walk(mock_spec()).require()
