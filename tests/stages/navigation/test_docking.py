"""Docking: the exact pose in front of a table, slowly, and never nearer to it than that."""

from __future__ import annotations

import math

import numpy as np

from tests.stages.navigation.plan_world import Box, Walker, World, as_surface, box_of_walls, table, travel, wrapped
from vla_sim.stages.navigation.config import NavigationConfig
from vla_sim.stages.navigation.navigator import Navigator
from vla_sim.types import Array, SiteMap

ROOM = box_of_walls(0, 0, 5, 4)
FRONT_X, REACH_M = 3.6, 0.27  # the table's front, and how far before it the robot is to stand


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def kitchen(known: bool = True) -> tuple[World, SiteMap]:
    world = World(ROOM, table(FRONT_X + 0.4, 2.0, 0.8, 1.6))
    return world, SiteMap(ROOM, (), (as_surface("table", FRONT_X + 0.4, 2.0, 0.8, 1.6),) if known else ())


def at_start(site: SiteMap) -> Navigator:
    navigator = Navigator()
    navigator.reset(site)
    return navigator


def start(world: World, draw: np.random.Generator) -> Array:
    while True:
        pose = draw.uniform([1.6, 0.6, -math.pi], [3.2, 3.4, math.pi])
        if world.room_m(pose, 0.0) > 0.1:
            return pose


def test_twenty_starts_of_twenty_end_within_a_centimetre_and_a_half() -> None:
    draw = rng(5)
    for _ in range(20):
        world, site = kitchen()
        goal = np.array([FRONT_X - REACH_M, 2.0 + draw.uniform(-0.5, 0.5), 0.0])
        walker = Walker(start(world, draw))
        trip = travel(at_start(site), world, walker, goal, draw, mode="dock")
        assert trip.last.status == "arrived"
        assert np.hypot(*(walker.pose - goal)[:2]) < 0.015 + 0.005  # its tolerance, and localisation
        assert abs(wrapped(walker.pose[2] - goal[2])) < math.radians(2.0)
        assert max(pose[0] for pose in trip.poses) < goal[0] + 0.005


def test_near_the_table_it_is_slow_and_does_not_chatter() -> None:
    world, site = kitchen()
    goal = np.array([FRONT_X - REACH_M, 2.0, 0.0])
    trip = travel(at_start(site), world, Walker(np.array([1.5, 1.4, 0.3])), goal, rng(), mode="dock")
    near = [a.velocity for a, pose in zip(trip.answers, trip.poses, strict=True) if goal[0] - pose[0] < 0.35]
    assert max(np.abs(v[:2]).max() for v in near) < NavigationConfig().dock_m_s + 0.05
    signs = np.sign([v[1] for v in near if abs(v[1]) > 0.01])
    assert (np.diff(signs) != 0).sum() <= 2


def test_from_the_side_it_steps_sideways() -> None:
    world, site = kitchen()
    goal = np.array([FRONT_X - REACH_M, 2.0, 0.0])
    walker = Walker(goal + [-0.1, 0.25, 0.0])
    trip = travel(at_start(site), world, walker, goal, rng(), mode="dock")
    assert trip.last.status == "arrived"
    assert max(abs(wrapped(pose[2])) for pose in trip.poses) < 0.15
    assert min(a.velocity[1] for a in trip.answers) < -0.08


def test_pushed_away_it_docks_again() -> None:
    world, site = kitchen()
    goal = np.array([FRONT_X - REACH_M, 2.0, 0.0])
    walker, navigator = Walker(goal + [-0.4, 0.0, 0.0]), at_start(site)
    travel(navigator, world, walker, goal, rng(), mode="dock")
    travel(navigator, world, walker, goal, rng(), mode="dock", limit_s=1.0, until=lambda answer: False)
    walker.pose = walker.pose + [-0.05, 0.03, 0.05]
    walker.odometry = walker.odometry + [-0.05, 0.03, 0.05]
    first = travel(navigator, world, walker, goal, rng(1), mode="dock", limit_s=0.4, until=lambda answer: False)
    assert first.last.status == "moving"
    trip = travel(navigator, world, walker, goal, rng(2), mode="dock")
    assert trip.last.status == "arrived"
    assert np.hypot(*(walker.pose - goal)[:2]) < 0.02


def test_a_table_the_map_does_not_know_is_docked_at_too() -> None:
    world, site = kitchen(known=False)
    goal = np.array([FRONT_X - REACH_M, 2.2, 0.0])
    walker = Walker(np.array([1.5, 1.4, 0.3]))
    trip = travel(at_start(site), world, walker, goal, rng(), mode="dock")
    assert trip.last.status == "arrived"
    assert np.hypot(*(walker.pose - goal)[:2]) < 0.02


def test_what_is_not_the_table_still_stops_it() -> None:
    world, site = kitchen()
    goal = np.array([FRONT_X - REACH_M, 2.0, 0.0])
    world.boxes.append(Box(goal[0] - 0.05, 2.0, 0.3, 0.3, 0.6))
    trip = travel(at_start(site), world, Walker(np.array([1.5, 2.0, 0.0])), goal, rng(), mode="dock", limit_s=40.0)
    assert trip.last.status == "no_way"
    assert min(trip.room_m) > 0.0
