"""Doors and gaps hardly wider than the body, and people who shuttle through the room on the way."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.stages.navigation.plan_world import Box, Walker, World, box_of_walls, travel
from vla_sim.stages.navigation.config import NavigationConfig
from vla_sim.stages.navigation.dwa import Ground, free_way, gait_of, speed_left
from vla_sim.stages.navigation.navigator import Navigator
from vla_sim.stages.navigation.occupancy import from_segments
from vla_sim.stages.planar import wrap
from vla_sim.types import Array, SiteMap


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def at_start(site: SiteMap) -> Navigator:
    navigator = Navigator()
    navigator.reset(site)
    return navigator


def with_door(width_m: float) -> Array:
    """Two rooms of 4 x 5 m and a door of some width in the middle of the wall between."""
    half = 0.5 * width_m
    return np.concatenate([box_of_walls(0, 0, 8, 5), [[4.0, 0.0, 4.0, 2.5 - half], [4.0, 2.5 + half, 4.0, 5.0]]])


@pytest.mark.parametrize("aside_m", [0.0, 1.2])
def test_a_box_behind_a_door_does_not_make_it_stand_before_it(aside_m: float) -> None:
    walls = with_door(0.95)
    world = World(walls, [Box(5.2, 2.5, 0.4, 0.4, 0.8)])
    walker = Walker(np.array([2.8, 2.5 + aside_m, 0.0]))
    trip = travel(at_start(SiteMap(walls)), world, walker, np.array([6.5, 2.5, 0.0]), rng(), limit_s=40.0)
    assert trip.last.status == "arrived"
    assert min(trip.room_m) > 0.0
    assert len(trip.answers) < 300


def test_a_short_pause_on_the_way_makes_it_take_no_long_way_round() -> None:
    """Two doors; somebody shuttles through the near one and pauses there."""
    walls = np.concatenate([box_of_walls(0, 0, 8, 9), [[4, 0, 4, 1.5], [4, 2.5, 4, 7.5], [4, 8.5, 4, 9]]]).astype(float)

    def shuttles(time_s: float) -> tuple[float, float]:
        phase = time_s % 16.0
        way = np.interp(phase, [0, 6, 8, 14, 16], [2.4, 5.4, 5.4, 2.4, 2.4])
        return float(way), 2.0

    world = World(walls, [], [shuttles])
    walker = Walker(np.array([1.0, 2.0, 0.0]))
    trip = travel(at_start(SiteMap(walls)), world, walker, np.array([7.0, 3.5, 0.0]), rng(), limit_s=60.0)
    assert trip.last.status == "arrived"
    assert max(pose[1] for pose in trip.poses) < 5.0  # never off to the far door
    turned = np.abs([wrap(b[2] - a[2]) for a, b in zip(trip.poses, trip.poses[1:], strict=False)]).sum()
    assert turned < 4.0 * math.pi


def test_it_waits_at_a_distance_from_what_bars_the_door_and_then_goes_round() -> None:
    """Two doors; what bars the near one is hidden by its post until the robot is there."""
    walls = np.concatenate([box_of_walls(0, 0, 8, 9), [[4, 0, 4, 1.5], [4, 2.5, 4, 7.5], [4, 8.5, 4, 9]]]).astype(float)
    world = World(walls, [Box(4.3, 2.35, 0.4, 0.5, 0.8)])
    walker = Walker(np.array([3.0, 4.5, -1.5]))
    trip = travel(at_start(SiteMap(walls)), world, walker, np.array([7.0, 2.0, 0.0]), rng(), limit_s=80.0)
    assert trip.last.status == "arrived"
    assert min(pose[1] for pose in trip.poses) < 3.3  # it came to see
    assert max(pose[1] for pose in trip.poses) > 7.5
    assert min(trip.room_m) > 0.05
    before = [room for room, pose in zip(trip.room_m, trip.poses, strict=True) if pose[1] < 4.0 and pose[0] < 4.0]
    assert min(before) > 0.1


def ground(walls: Array) -> Ground:
    xs, ys = (np.arange(0.025, size, 0.05) for size in (8.0, 5.0))
    return Ground(from_segments(walls, xs, ys, 0.0, 1.2), 0.0, 0.0, 0.05)


def test_distance_to_walls_is_exact() -> None:
    field = ground(with_door(1.0)).distance_m
    assert field[50, 60] == pytest.approx(math.hypot(4.0 - 3.025, 2.525 - 3.0), abs=1e-5)  # of the door's post
    assert field[20, 70] == pytest.approx(4.0 - 3.525, abs=1e-5)


def test_safety_is_foreseen_before_a_wall_and_along_it() -> None:
    room, body = ground(with_door(1.0)), gait_of(NavigationConfig())
    assert free_way(3.3, 1.0, 0.0, 0.7, room, body) == pytest.approx(0.4, abs=0.1)
    assert free_way(3.6, 0.6, 0.5 * math.pi, 0.4, room, body) > 1.0
    ahead = np.array([0.5, 0.0, 0.0])
    assert speed_left(np.array([3.6, 1.0, 0.0]), ahead, room, body) == 0.0
    assert speed_left(np.array([3.6, 1.0, math.pi]), ahead, room, body) > 0.5
