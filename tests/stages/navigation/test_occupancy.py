"""The map: what stands is seen at once, what goes is gone soon, and the floor is no obstacle."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.stages.navigation.plan_world import Box, World, as_surface, box_of_walls, table
from vla_sim.stages.navigation.config import NavigationConfig
from vla_sim.stages.navigation.occupancy import OccupancyGrid, corners_of, extent_of, inside
from vla_sim.types import Array, Region, SiteMap

WALLS = box_of_walls(0, 0, 8, 6)
HERE = np.array([2.0, 3.0, 0.0])
CONFIG = NavigationConfig()


def empty_map(site: SiteMap | None = None) -> OccupancyGrid:
    site = site or SiteMap(WALLS)
    return OccupancyGrid(site, extent_of(site, HERE[None, :2], CONFIG.cell_m), CONFIG)


def look(grid: OccupancyGrid, world: World, scans: int = 1, pose: Array = HERE, seed: int = 0) -> None:
    draw = np.random.Generator(np.random.PCG64(seed))
    for _ in range(scans):
        scan = world.scan(pose, pose, 0.0, draw)
        c, s = np.cos(pose[2]), np.sin(pose[2])
        points = scan.points_in_base.astype(float)
        points[:, :2] = pose[:2] + points[:, :2] @ np.array([[c, s], [-s, c]])
        grid.integrate(points, scan.hit, scan.hit, np.array([pose[0], pose[1], 1.2]))


def blocked(grid: OccupancyGrid) -> NDArray[np.uint8]:
    return grid.blocked_in(np.s_[:, :])


def seen_near(grid: OccupancyGrid, x: float, y: float, within_m: float) -> int:
    xs, ys = grid.extent.middles()
    near = np.hypot(xs[None, :] - x, ys[:, None] - y) < within_m
    return int((blocked(grid) - grid.plan)[near].sum())


def test_an_empty_room_stays_empty() -> None:
    grid = empty_map()
    look(grid, World(WALLS), 20)
    assert (blocked(grid) == grid.plan).all()


def test_walls_are_known_before_anything_is_seen() -> None:
    grid = empty_map()
    _, ys = grid.extent.middles()
    row, col = grid.extent.cell(np.array([4.0, 0.0]))
    assert grid.wall_m[row, col] < grid.extent.cell_m
    row, col = grid.extent.cell(np.array([4.0, 0.3]))
    assert grid.wall_m[row, col] == pytest.approx(ys[row], abs=1e-5)  # exact, whatever the cells


@pytest.mark.parametrize("top_m", [0.15, 0.45, 1.0, 1.9])
def test_a_thing_is_seen_in_the_first_scan_and_forgotten_within_a_second(top_m: float) -> None:
    grid = empty_map()
    look(grid, World(WALLS), 20)
    look(grid, World(WALLS, [Box(3.2, 3.0, 0.4, 0.6, top_m)]), 1)
    assert seen_near(grid, 3.2, 3.0, 0.5) > 0
    look(grid, World(WALLS, [Box(3.2, 3.0, 0.4, 0.6, top_m)]), 20)
    look(grid, World(WALLS), 10, seed=1)
    assert seen_near(grid, 3.2, 3.0, 0.6) == 0


def test_a_low_thing_is_kept_while_it_is_too_near_to_be_seen() -> None:
    world = World(WALLS, [Box(3.2, 3.0, 0.3, 0.6, 0.3)])
    grid = empty_map()
    look(grid, world, 10)
    seen = seen_near(grid, 3.2, 3.0, 0.5)
    assert seen > 0
    near = np.array([2.6, 3.0, 0.0])
    look(grid, world, 20, pose=near)
    assert seen_near(grid, 3.2, 3.0, 0.5) >= 0.7 * seen


def test_a_plate_on_legs_is_not_looked_away_by_rays_below_it() -> None:
    world = World(WALLS, table(4.0, 3.0, 1.2, 0.8))
    grid = empty_map()
    for k in range(30):
        look(grid, world, 1, pose=np.array([2.0 + 0.03 * k, 3.0, 0.0]), seed=k)
    assert seen_near(grid, 3.6, 3.0, 0.25) > 20


def test_a_far_floor_under_a_tilted_lidar_is_no_obstacle() -> None:
    grid = empty_map()
    draw = np.random.Generator(np.random.PCG64(0))
    for _ in range(20):
        scan = World(WALLS).scan(HERE, HERE, 0.0, draw)
        points = scan.points_in_base.astype(float)
        points[:, 2] += 0.013 * np.abs(points[:, 0])
        points[:, :2] += HERE[:2]
        grid.integrate(points, scan.hit, scan.hit, np.array([2.0, 3.0, 1.2]))
    assert (blocked(grid) == grid.plan).all()


def test_forbidden_and_hot_floor_is_no_floor_and_rooms_are() -> None:
    square = np.array([[5.0, 1.0], [6.0, 1.0], [6.0, 2.0], [5.0, 2.0]])
    for kind, lethal in (("forbidden", True), ("hot", True), ("room", False)):
        grid = empty_map(SiteMap(WALLS, (Region("there", kind, square),)))
        assert bool(grid.plan[grid.extent.cell(np.array([5.5, 1.5]))]) == lethal


def test_a_surface_is_known_where_it_stands_however_it_is_turned() -> None:
    surface = as_surface("table", 5.0, 3.0, 0.8, 1.4, 0.6)
    grid = empty_map(SiteMap(WALLS, (), (surface,)))
    edge = np.array([5.0, 3.0]) + 0.6 * np.array([-np.sin(0.6), np.cos(0.6)])
    assert grid.plan[grid.extent.cell(edge)]
    assert not grid.plan[grid.extent.cell(np.array([5.0, 3.0]) + 0.6 * np.array([np.cos(0.6), np.sin(0.6)]))]
    assert np.hypot(*(corners_of(surface)[1] - corners_of(surface)[0])) == pytest.approx(0.8)


def test_inside_is_even_odd_of_a_polygon() -> None:
    shape = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [2.0, 1.0], [0.0, 4.0]])
    found = inside(shape, np.array([0.5, 2.0, 3.5]), np.array([0.5, 3.0]))
    assert found.tolist() == [[True, True, True], [True, False, True]]


def test_where_something_stands_for_a_while_is_settled() -> None:
    world = World(WALLS, [Box(3.5, 3.0, 0.4, 0.4, 1.5)])
    grid, front = empty_map(), np.array([[3.3, 3.0]])
    look(grid, world, 3)
    assert not grid.settled(front).any()
    look(grid, world, 15)
    assert grid.settled(front).all()
