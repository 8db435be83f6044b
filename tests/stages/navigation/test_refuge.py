"""Out of somebody's way: where to, by a map of which the free places are known."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stages.navigation.plan_world import Walker, World, box_of_walls, travel
from vla_sim.stages.navigation.config import NavigationConfig
from vla_sim.stages.navigation.distance import distances
from vla_sim.stages.navigation.dwa import Ground
from vla_sim.stages.navigation.navigator import Navigator
from vla_sim.stages.navigation.refuge import CLEAR_M, first_leg, off_line
from vla_sim.types import Array, SiteMap

CONFIG = NavigationConfig()
CELL_M = 0.05


def ground(*boxes: tuple[float, float, float, float]) -> Ground:
    """6 x 6 m of floor with things that fill x0, y0, x1, y1."""
    blocked = np.zeros((120, 120), np.uint8)
    blocked[[0, -1]] = blocked[:, [0, -1]] = 1
    for x0, y0, x1, y1 in boxes:
        blocked[round(y0 / CELL_M) : round(y1 / CELL_M), round(x0 / CELL_M) : round(x1 / CELL_M)] = 1
    return Ground(distances(blocked, CELL_M, 1.0), 0.0, 0.0, CELL_M)


def escape(start: Array, person: Array, course: Array, floor: Ground) -> Array:
    """[n, 2] corners of the way when each first leg is walked to its end."""
    way = [start[:2]]
    for _ in range(12):
        leg = first_leg(np.append(way[-1], start[2]), person, course, floor, CONFIG)
        if math.dist(leg, way[-1]) < 1e-9:
            break
        way.append(leg)
    return np.array(way)


@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(-math.pi, math.pi))
def test_the_distance_from_a_line_is_that_of_its_nearest_point(x: float, y: float, angle: float) -> None:
    person, course = np.array([0.3, -0.2]), np.array([math.cos(angle), math.sin(angle)])
    points = person + np.linspace(0.0, 8.0, 8001)[:, None] * course
    assert off_line(np.array([x, y]), person, course) == pytest.approx(np.hypot(*(points - [x, y]).T).min(), abs=1e-3)
    assert off_line(np.array([x, y]), person, np.zeros(2)) == pytest.approx(math.hypot(x - 0.3, y + 0.2))


@settings(max_examples=25, deadline=None)
@given(st.floats(-math.pi, math.pi), st.floats(0.75, 1.2), st.floats(-0.5, 0.5), st.floats(-math.pi, math.pi))
def test_in_the_open_it_gets_off_the_line_and_keeps_away_from_the_person(
    angle: float, apart: float, aim: float, yaw: float
) -> None:
    robot = np.array([3.0, 3.0, yaw])
    person = robot[:2] + apart * np.array([math.cos(angle), math.sin(angle)])
    course = -np.array([math.cos(angle + aim), math.sin(angle + aim)])
    way = escape(robot, person, course, ground())
    assert off_line(way[-1], person, course) >= CLEAR_M - 0.05
    points = np.concatenate([np.linspace(a, b, 50) for a, b in pairwise(way)] or [way])
    assert np.hypot(*(points - person).T).min() >= 0.55


def test_out_of_a_door_it_goes_back_and_then_aside() -> None:
    floor = ground((2.9, 0.0, 3.1, 2.5), (2.9, 3.5, 3.1, 6.0))
    robot, person, course = np.array([3.2, 3.0, math.pi]), np.array([2.3, 3.0]), np.array([1.0, 0.0])
    way = escape(robot, person, course, floor)
    assert way[1][0] > 3.3  # the jambs are beside it
    assert off_line(way[-1], person, course) >= CLEAR_M
    assert way[-1][0] > 3.1


def test_where_the_line_cannot_be_left_it_goes_away_and_in_a_corner_it_stays() -> None:
    corridor = ground((0.0, 0.0, 6.0, 2.55), (0.0, 3.45, 6.0, 6.0))
    person, course = np.array([2.0, 3.0]), np.array([1.0, 0.0])
    way = escape(np.array([2.9, 3.0, math.pi]), person, course, corridor)
    assert way[-1][0] > 3.3
    cell = ground((0.0, 0.0, 6.0, 2.6), (0.0, 3.4, 6.0, 6.0), (3.3, 0.0, 6.0, 6.0))
    assert len(escape(np.array([2.9, 3.0, math.pi]), person, course, cell)) == 1


class Leader:
    """Walks there and back at 0.4 m/s, and stands while the robot is within 0.75 m ahead, as people do."""

    def __init__(self, robot: Walker, corners: list[tuple[float, float]]) -> None:
        self.robot, self.corners = robot, np.array(corners)
        self.along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(self.corners, axis=0).T))])
        self.went_m, self.time_s = 0.0, 1.0

    def _at(self, went_m: float) -> Array:
        return np.array([np.interp(went_m, self.along, self.corners[:, k]) for k in (0, 1)])

    def __call__(self, time_s: float) -> tuple[float, float]:
        while self.time_s < time_s:
            self.time_s += 0.02
            here, onward = self._at(self.went_m), self._at(self.went_m + 0.1)
            way = self.robot.pose[:2] - here
            ahead = math.hypot(*way) < 0.75 and way @ (onward - here) > 0.5 * math.hypot(*way) * 0.1
            self.went_m += 0.0 if ahead else 0.4 * 0.02
        x, y = self._at(self.went_m)
        return float(x), float(y)


@pytest.mark.parametrize("y", [1.0, 2.0])
def test_a_leader_who_turns_round_is_let_by_without_touching(y: float) -> None:
    walls = box_of_walls(0, 0, 8, 4)
    robot = Walker(np.array([1.0, y, 0.0]))
    leader = Leader(robot, [(2.5, y), (5.0, y), (0.6, y)])
    navigator = Navigator()
    navigator.reset(SiteMap(walls))
    rng = np.random.Generator(np.random.PCG64(1))
    trip = travel(
        navigator, World(walls, [], [leader]), robot, np.zeros(3), rng,
        mode="follow", limit_s=34.0, until=lambda answer: False,
    )  # fmt: skip
    assert min(trip.room_m) > 0.0
    assert leader.went_m >= leader.along[-1]
    assert math.dist(leader(34.0), robot.pose[:2]) < 1.8
    assert trip.last.status == "arrived"
