"""Ways round a robot and back: they end where they should, and touch neither the robot nor what is seen."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pybullet as p
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.courtesy import PASSING_M, RETREAT_M, passes, sees_free, way_aside, way_back, way_round
from vla_sim.types import Array

NEAR = st.floats(-2.0, 2.0)


def anything(a: Array, b: Array) -> bool:
    return True


def nothing(a: Array, b: Array) -> bool:
    return False


def below(limit: float) -> Callable[[Array, Array], bool]:
    return lambda a, b: max(float(a[1]), float(b[1])) < limit


def least_m(way: list[Array], robot: Array) -> float:
    """By points along the way, not by the formula."""
    points = np.concatenate([np.linspace(a, b, 200) for a, b in pairwise(way)])
    return float(np.hypot(*(points - robot).T).min())


@given(NEAR, NEAR, st.floats(0.62, 0.75), st.floats(-1.0, 1.0), st.floats(-3.1, 3.1), st.floats(0.5, 4.0))
def test_a_way_round_passes_the_robot_and_ends_at_the_goal(
    x: float, y: float, apart: float, bearing: float, heading: float, length: float
) -> None:
    here = np.array([x, y])
    robot = here + apart * np.array([np.cos(heading + bearing), np.sin(heading + bearing)])
    goal = here + length * np.array([np.cos(heading), np.sin(heading)])
    way = way_round(here, goal, robot, anything)
    if np.hypot(*(goal - robot)) > 1.3 and length > 1.5:
        assert way
    if way:
        assert (way[0] == here).all()
        assert way[-1] == pytest.approx(goal, abs=0.05)
        assert least_m(way, robot) > min(PASSING_M, apart - 0.02) - 1e-3
    assert way_round(here, goal, robot, nothing) == []


@pytest.mark.parametrize("across", [0.3, 0.0, -0.3])
def test_the_side_that_is_free_is_taken(across: float) -> None:
    way = way_round(np.zeros(2), np.array([3.0, 0.0]), np.array([0.7, across]), below(0.1))
    assert way
    assert min(point[1] for point in way) < -0.4


def test_without_a_robot_before_the_goal_there_is_nothing_to_walk_round() -> None:
    here = np.array([1.0, 2.0])
    assert way_round(here, here, np.zeros(2), anything) == []
    assert way_round(np.zeros(2), np.array([1.0, 0.0]), np.array([0.8, 0.0]), anything) == []  # it stands on the goal


def test_he_goes_back_far_enough_but_not_through_the_robot() -> None:
    here, robot = np.array([0.3, 0.0]), np.array([1.0, 0.0])
    places = [np.array([0.0, 0.0]), np.array([0.0, 2.0]), np.array([5.0, 5.0])]
    way = way_back(here, places, robot, anything)
    assert [point.tolist() for point in way] == [[0.3, 0.0], [0.0, 0.0], [0.0, 2.0]]
    assert np.hypot(*(way[-1] - here)) >= RETREAT_M
    assert way_back(here, [np.array([2.0, 0.0])], robot, anything) == []
    assert way_back(here, [here], robot, anything) == []
    assert way_back(here, places, robot, nothing) == []


@pytest.mark.parametrize("limit", [9.0, 0.1])
def test_a_step_aside_leads_away_and_back(limit: float) -> None:
    here, robot = np.array([0.0, 0.0]), np.array([0.3, -0.6])
    way = way_aside(here, robot, below(limit))
    assert (way[0] == here).all()
    assert (way[2] == here).all()
    assert np.hypot(*(way[1] - robot)) > np.hypot(*robot) + 0.1
    assert np.hypot(*way[1]) == pytest.approx(RETREAT_M)
    assert way[1][1] < limit
    assert way_aside(here, robot, nothing) == []


def test_who_is_too_near_may_leave_but_not_come_nearer() -> None:
    robot = np.array([0.5, 0.0])
    assert passes([np.zeros(2), np.array([-1.0, 0.0])], robot, anything)
    assert not passes([np.zeros(2), np.array([0.2, 0.0])], robot, anything)


@pytest.fixture
def client() -> Iterator[int]:
    made = p.connect(p.DIRECT)
    yield made
    p.disconnect(made)


@pytest.mark.parametrize(("height", "aside", "free"), [(0.3, 0.0, False), (0.3, 0.4, False), (0.3, 0.7, True)])
def test_what_stands_there_is_seen(client: int, height: float, aside: float, free: bool) -> None:
    shape = p.createCollisionShape(p.GEOM_BOX, halfExtents=[0.2, 0.2, height], physicsClientId=client)
    body = p.createMultiBody(0, shape, -1, [1.0, aside, height], physicsClientId=client)
    assert sees_free(client, -1, np.zeros(2), np.array([2.0, 0.0])) is free
    assert sees_free(client, -1, np.zeros(2), np.array([0.3, 0.0]))
    assert sees_free(client, body, np.zeros(2), np.array([2.0, 0.0]))  # nobody sees himself
