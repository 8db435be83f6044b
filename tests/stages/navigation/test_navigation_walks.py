"""Whole walks: goals reached without touching, new things noticed, and what cannot be is said."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from tests.stages.navigation.plan_world import Box, Trip, Walker, World, box_of_walls, see, travel, two_rooms, wrapped
from vla_sim.errors import ConfigError
from vla_sim.stages.navigation.config import NavigationConfig
from vla_sim.stages.navigation.navigator import Navigator
from vla_sim.stages.planar import compose
from vla_sim.types import Array, NavigationAnswer, NavigationRequest, Region, SiteMap

HALL = box_of_walls(0, 0, 10, 6)
START, FAR_END = np.array([1.0, 3.0, 0.0]), np.array([9.0, 3.0, 0.0])


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def at_start(site: SiteMap, config: NavigationConfig | None = None) -> Navigator:
    navigator = Navigator(config)
    navigator.reset(site)
    return navigator


def off(pose: Array, goal: Array) -> tuple[float, float]:
    """Distance m and angle rad from a goal."""
    return float(np.hypot(*(pose - goal)[:2])), abs(wrapped(pose[2] - goal[2]))


def same(one: NavigationAnswer, other: NavigationAnswer) -> bool:
    pairs = zip(dataclasses.astuple(one), dataclasses.astuple(other), strict=True)
    return all(np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b for a, b in pairs)


def free_goal(world: World, draw: np.random.Generator) -> Array:
    while True:
        goal = draw.uniform([0.4, 0.4, -math.pi], [7.6, 4.6, math.pi])
        if world.room_m(goal, 0.0) > 0.12:
            return goal


def test_twenty_goals_of_twenty_are_reached_without_touching() -> None:
    world, site = two_rooms()
    navigator, walker, draw = at_start(site), Walker(np.array([1.0, 2.5, 0.0])), rng(11)
    for _ in range(20):
        goal = free_goal(world, draw)
        trip = travel(navigator, world, walker, goal, draw)
        assert trip.last.status == "arrived"
        assert min(trip.room_m) > 0.0
        off_m, off_rad = off(walker.pose, goal)
        assert off_m < 0.13  # its tolerance, and localisation
        assert off_rad < math.radians(8.0)


def test_answers_that_come_late_still_lead_there() -> None:
    world, site = two_rooms()
    walker = Walker(np.array([1.0, 2.5, 0.0]))
    trip = travel(at_start(site), world, walker, np.array([6.2, 2.4, 0.5]), rng(), late=3)
    assert trip.last.status == "arrived"
    assert min(trip.room_m) > 0.0


def test_a_goal_is_not_overshot() -> None:
    trip = travel(at_start(SiteMap(HALL)), World(HALL), Walker(START.copy()), np.array([5.0, 3.0, 0.0]), rng())
    assert trip.last.status == "arrived"
    assert max(pose[0] for pose in trip.poses) < 5.0 + NavigationConfig().arrive_m
    assert len(trip.answers) < 150  # 4 m at 0.6 m/s and time to start and stop


def test_what_lies_behind_is_turned_to_first() -> None:
    walker = Walker(np.array([5.0, 3.0, math.pi - 0.3]))
    trip = travel(at_start(SiteMap(HALL)), World(HALL), walker, FAR_END, rng())
    turning = [pose for pose in trip.poses if abs(wrapped(pose[2])) > 1.0]
    assert trip.last.status == "arrived"
    assert np.ptp([pose[0] for pose in turning]) < 0.15


def test_having_arrived_it_stays_arrived_and_stands() -> None:
    world, walker, navigator = World(HALL), Walker(START.copy()), at_start(SiteMap(HALL))
    goal = np.array([3.0, 3.5, 1.0])
    travel(navigator, world, walker, goal, rng())
    trip = travel(navigator, world, walker, goal, rng(1), limit_s=4.0, until=lambda answer: False)
    assert {answer.status for answer in trip.answers} == {"arrived"}
    assert not trip.last.velocity.any()
    assert off(walker.pose, goal)[0] < 0.1


def test_the_same_goal_after_a_pause_is_a_new_errand() -> None:
    world, walker, navigator = World(HALL), Walker(START.copy()), at_start(SiteMap(HALL))
    goal = np.array([3.0, 3.0, 0.0])
    travel(navigator, world, walker, goal, rng())
    walker.walk(np.array([-0.25, 0.0, 0.0]), 6.0)
    trip = travel(navigator, world, walker, goal, rng(1))
    assert trip.last.status == "arrived"
    assert trip.answers[0].status == "moving"


def walking_ahead() -> tuple[Navigator, World, Walker]:
    """In the middle of the hall, at full speed."""
    world, walker, navigator = World(HALL), Walker(START.copy()), at_start(SiteMap(HALL))
    trip = travel(navigator, world, walker, FAR_END, rng(), limit_s=5.0)
    assert trip.last.velocity[0] > 0.55
    return navigator, world, walker


@pytest.mark.parametrize("top_m", [0.3, 0.8, 1.8])
def test_the_first_scan_that_shows_something_new_slows_or_steers(top_m: float) -> None:
    navigator, world, walker = walking_ahead()
    world.boxes.append(Box(walker.pose[0] + 1.1, 3.0, 0.3, 0.6, top_m))
    answer = navigator(see(world, walker, rng(1), FAR_END))
    assert answer.velocity[0] < 0.53 or abs(answer.velocity[2]) > 0.07
    assert answer.clearance_m < 0.8
    walker.walk(answer.velocity)
    trip = travel(navigator, world, walker, FAR_END, rng(2))
    assert trip.last.status == "arrived"
    assert min(trip.room_m) > 0.0


def test_nothing_new_changes_nothing() -> None:
    navigator, world, walker = walking_ahead()
    answer = navigator(see(world, walker, rng(1), FAR_END))
    assert answer.velocity[0] > 0.55
    assert abs(answer.velocity[2]) < 0.07


@pytest.mark.parametrize("speed_m_s", [0.5, 0.8, 1.2])
def test_somebody_who_crosses_is_not_hit(speed_m_s: float) -> None:
    start_y = 3.0 - speed_m_s * 7.0  # would meet the robot half-way
    world = World(HALL, [], [lambda t: (5.0, min(max(start_y + speed_m_s * t, 0.4), 5.6))])
    trip = travel(at_start(SiteMap(HALL)), world, Walker(START.copy()), FAR_END, rng())
    assert trip.last.status == "arrived"
    assert min(trip.room_m) > 0.1


def test_somebody_in_the_door_is_waited_for() -> None:
    world, site = two_rooms()
    world.people.append(lambda t: (4.0, 2.45) if t < 8.0 else (4.0 + min(0.5 * (t - 8.0), 2.5), 2.45))
    walker = Walker(np.array([2.5, 2.5, 0.0]))
    trip = travel(at_start(site), world, walker, np.array([5.0, 1.5, -1.0]), rng())
    assert trip.last.status == "arrived"
    assert "blocked" in {answer.status for answer in trip.answers}
    assert min(trip.room_m) > 0.0


def test_a_forbidden_floor_is_never_entered() -> None:
    corners = np.array([[4.0, 1.5], [6.0, 1.5], [6.0, 4.5], [4.0, 4.5]])
    site = SiteMap(HALL, (Region("wet floor", "forbidden", corners),))
    trip = travel(at_start(site), World(HALL), Walker(START.copy()), FAR_END, rng())
    assert trip.last.status == "arrived"
    inside = [(4.0 < x < 6.0) and (1.5 < y < 4.5) for x, y, _ in trip.poses]
    assert not any(inside)
    assert max(abs(pose[1] - 3.0) for pose in trip.poses) > 1.5  # it went round


@pytest.mark.parametrize("kind", ["forbidden", "hot", "walled"])
def test_a_goal_that_cannot_be_reached_is_said_to_be_so(kind: str) -> None:
    corners = np.array([[7.0, 2.0], [9.0, 2.0], [9.0, 4.0], [7.0, 4.0]])
    walls = np.concatenate([HALL, np.column_stack([corners, np.roll(corners, -1, axis=0)])])
    site = SiteMap(walls) if kind == "walled" else SiteMap(HALL, (Region("stove", kind, corners),))
    walker = Walker(START.copy())
    trip = travel(at_start(site), World(site.walls), walker, np.array([8.0, 3.0, 0.0]), rng(), limit_s=5.0)
    assert trip.last.status == "no_way"
    assert not trip.last.velocity.any()
    assert walker.pose == pytest.approx(START, abs=1e-9)


def test_a_way_that_is_barred_for_good_is_given_up() -> None:
    world, site = two_rooms()
    world.boxes.append(Box(4.0, 2.45, 0.4, 0.9, 1.2))
    walker = Walker(np.array([2.5, 2.5, 0.0]))
    trip = travel(at_start(site), world, walker, np.array([5.0, 1.5, -1.0]), rng(), limit_s=40.0)
    assert trip.last.status == "no_way"
    assert "blocked" in {answer.status for answer in trip.answers}
    assert min(trip.room_m) > 0.0


def test_a_place_without_a_map_is_walked_too() -> None:
    nowhere = np.zeros((0, 4))
    world = World(nowhere, [Box(2.0, 0.0, 0.5, 1.5, 0.7)])
    walker = Walker(np.zeros(3), drift=0.0, turn_drift_rad_s=0.0)
    trip = travel(at_start(SiteMap()), world, walker, np.array([4.0, 0.0, 0.0]), rng())
    assert trip.last.status == "arrived"
    assert min(trip.room_m) > 0.0
    assert trip.last.pose_odom_in_site.tolist() == [0.0, 0.0, 0.0]


def first_steps(navigator: Navigator, world: World, site: SiteMap, count: int) -> Trip:
    walker = Walker(np.array([1.0, 2.5, 0.0]))
    return travel(navigator, world, walker, np.array([6.2, 2.4, 0.5]), rng(4), limit_s=0.1 * count)


def test_the_same_scans_give_the_same_answers_whoever_else_is_asked() -> None:
    world, site = two_rooms()
    alone = first_steps(at_start(site), world, site, 40)
    other = at_start(SiteMap(HALL))
    mine, elsewhere = at_start(site), Walker(START.copy())

    class Both:
        def __call__(self, request: NavigationRequest) -> NavigationAnswer:
            other(see(World(HALL), elsewhere, rng(9), FAR_END))
            return mine(request)

    walker = Walker(np.array([1.0, 2.5, 0.0]))
    mixed = travel(Both(), world, walker, np.array([6.2, 2.4, 0.5]), rng(4), limit_s=4.0)
    assert all(same(a, b) for a, b in zip(alone.answers, mixed.answers, strict=True))


def test_reset_forgets() -> None:
    world, site = two_rooms()
    fresh = first_steps(at_start(site), world, site, 20)
    used = at_start(SiteMap(HALL))
    travel(used, World(HALL, [Box(3.0, 3.0, 1.0, 1.0, 1.0)]), Walker(START.copy()), FAR_END, rng(8), limit_s=5.0)
    used.reset(site)
    again = first_steps(used, world, site, 20)
    assert all(same(a, b) for a, b in zip(fresh.answers, again.answers, strict=True))


def test_a_scan_that_comes_after_a_newer_one_changes_no_map() -> None:
    navigator, _, walker = walking_ahead()
    late = see(World(HALL, [Box(walker.pose[0] + 0.8, 3.0, 0.4, 0.8, 1.0)]), walker, rng(2), FAR_END)
    late = dataclasses.replace(late, scan=dataclasses.replace(late.scan, time_s=walker.time_s - 1.0))
    answer = navigator(late)
    assert answer.clearance_m > 0.5
    assert answer.velocity[0] > 0.5


def test_the_pose_of_odometry_is_that_of_the_walls() -> None:
    world, site = two_rooms()
    walker = Walker(np.array([1.0, 2.5, 0.0]))
    trip = travel(at_start(site), world, walker, np.array([6.2, 2.4, 0.5]), rng())
    place = compose(trip.last.pose_odom_in_site, walker.believed())
    assert np.hypot(*(place - walker.trunk())[:2]) < 0.02
    assert np.hypot(*(walker.believed() - walker.trunk())[:2]) > 0.05


def test_an_unknown_mode_is_refused() -> None:
    request = see(World(HALL), Walker(START.copy()), rng(), FAR_END, mode="docks")
    with pytest.raises(ConfigError, match="did you mean 'dock'"):
        at_start(SiteMap(HALL))(request)
