"""Localisation: odometry's drift is taken out, where walls say so and only there."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest

from tests.stages.navigation.plan_world import Box, Walker, World, box_of_walls, two_rooms, wrapped
from vla_sim.stages.navigation.config import NavigationConfig
from vla_sim.stages.navigation.localise import Localiser
from vla_sim.stages.planar import compose, inverse, seen_from
from vla_sim.types import Array


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def standing(x: float, y: float, time_s: float) -> tuple[float, float]:
    return x, y


def tour(localiser: Localiser, world: World, walker: Walker, legs: list[tuple[Array, float]]) -> tuple[Array, Array]:
    """Walk velocities for so many seconds each; errors [k, 3] of the localised and of the bare pose."""
    draw = rng()
    errors: list[list[float]] = []
    bare: list[list[float]] = []
    for velocity, for_s in legs:
        for _ in range(round(for_s / 0.1)):
            walker.walk(velocity)
            believed = walker.believed()
            localiser.update(world.scan(walker.trunk(), believed, walker.time_s, draw))
            for found, place in ((errors, compose(localiser.pose, believed)), (bare, believed)):
                off = place - walker.trunk()
                found.append([off[0], off[1], wrapped(off[2])])
    return np.array(errors), np.array(bare)


def test_on_a_tour_of_20_m_the_error_stays_small_where_odometry_alone_is_lost() -> None:
    world, site = two_rooms()
    world.people.append(lambda t: (2.0 + math.sin(0.3 * t), 3.4))
    ahead, turn = np.array([0.5, 0.0, 0.0]), np.array([0.25, 0.0, 0.5])
    legs = [(ahead, 4.0), (turn, 2 * math.pi)] * 5
    walker = Walker(np.array([1.2, 2.4, 0.0]))
    errors, bare = tour(Localiser(site.walls, NavigationConfig()), world, walker, legs)
    assert np.hypot(*bare[-1, :2]) > 0.04
    assert np.abs(bare[-1, 2]) > math.radians(1.0)
    assert np.hypot(*errors[:, :2].T).max() < 0.04
    assert np.abs(errors[:, 2]).max() < math.radians(1.0)


def test_between_two_long_walls_only_the_way_along_is_left_to_odometry() -> None:
    walls = np.array([[-60.0, 0.0, 60.0, 0.0], [-60.0, 2.0, 60.0, 2.0]])
    walker = Walker(np.array([0.0, 1.0, 0.0]))
    errors, bare = tour(Localiser(walls, NavigationConfig()), World(walls), walker, [(np.array([0.5, 0.0, 0.0]), 20.0)])
    assert np.abs(errors[-1, 1]) < 0.01
    assert np.abs(errors[-1, 2]) < math.radians(0.3)
    assert errors[-1, 0] == pytest.approx(bare[-1, 0], abs=0.03)  # nothing invented
    assert np.abs(bare[-1, 1]) > 0.05


def test_without_walls_it_stays_where_it_was() -> None:
    localiser = Localiser(np.zeros((0, 4)), NavigationConfig())
    tour(localiser, World(np.zeros((0, 4)), [Box(2.0, 0.0, 0.5, 0.5, 1.0)]), Walker(np.zeros(3)), [(np.zeros(3), 0.5)])
    assert localiser.pose.tolist() == [0.0, 0.0, 0.0]


def test_a_room_full_of_people_and_cupboards_does_not_pull_it_off() -> None:
    walls = box_of_walls(0, 0, 6, 5)
    cupboards = [Box(0.25, 2.5, 0.5, 3.0, 2.2), Box(3.0, 4.8, 3.0, 0.4, 2.0)]
    world = World(walls, cupboards, [partial(standing, 4.0 + 0.5 * k, 1.0 + 0.4 * k) for k in range(4)])
    walker = Walker(np.array([2.5, 2.0, 0.5]), turn_drift_rad_s=0.0)
    errors, _ = tour(
        Localiser(walls, NavigationConfig()),
        world,
        walker,
        [(np.array([0.0, 0.0, 0.3]), 10.0)],
    )
    assert np.hypot(*errors[:, :2].T).max() < 0.03


def test_walls_with_a_thickness_are_seen_half_of_it_nearer() -> None:
    middle, faces = box_of_walls(-0.1, -0.1, 5.1, 4.1), box_of_walls(0, 0, 5, 4)
    config = NavigationConfig(wall_thickness_m=0.2)
    walker = Walker(np.array([2.0, 1.5, 0.3]), drift=0.0, turn_drift_rad_s=0.0)
    errors, _ = tour(Localiser(middle, config), World(faces), walker, [(np.zeros(3), 2.0)])
    assert np.abs(errors[-1, :2]).max() < 0.01


def test_of_the_two_faces_of_a_wall_the_one_seen_counts() -> None:
    inner = np.array([[0.0, 0.0, 5.0, 0.0], [0.0, 4.0, 0.0, 0.0]])
    outer = inner - 0.1
    localiser = Localiser(np.concatenate([inner, outer]), NavigationConfig())
    true = np.array([2.0, 1.5, 0.3])
    believed = true + [-0.08, -0.07, 0.01]
    for k in range(60):
        localiser.update(World(inner).scan(true, believed, 0.1 * k, rng(k)))
    assert compose(localiser.pose, believed) == pytest.approx(true, abs=0.01)


def test_one_scan_moves_the_estimate_but_a_little() -> None:
    walls = box_of_walls(0, 0, 5, 4)
    localiser = Localiser(walls, NavigationConfig())
    true = np.array([2.0, 1.5, 0.3])
    believed = true + [0.1, -0.05, 0.03]
    localiser.update(World(walls).scan(true, believed, 0.0, rng()))
    first = localiser.pose.copy()
    assert 0.0 < np.abs(first[:2]).max() < 0.2
    for k in range(60):
        localiser.update(World(walls).scan(true, believed, 0.1 * k, rng(k)))
    assert compose(localiser.pose, believed) == pytest.approx(true, abs=0.01)


def test_frames_are_undone_by_their_inverse() -> None:
    draw = rng(5)
    for _ in range(20):
        outer, inner = draw.uniform(-3, 3, 3), draw.uniform(-3, 3, 3)
        assert seen_from(outer, compose(outer, inner)) == pytest.approx(inner, abs=1e-12)
        assert compose(outer, inverse(outer)) == pytest.approx(np.zeros(3), abs=1e-12)
