"""Distances and routes against slower methods, and what a route keeps away from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import distance_transform_edt

from vla_sim.errors import ConfigError
from vla_sim.stages.navigation.config import NavigationConfig
from vla_sim.stages.navigation.distance import at, distances
from vla_sim.stages.navigation.route import astar, prices, resampled, straightened
from vla_sim.types import Array

SIDE = 9
grids = hnp.arrays(np.uint8, (SIDE, SIDE), elements=st.sampled_from([0, 0, 1]))
costs = hnp.arrays(np.float32, (SIDE, SIDE), elements=st.sampled_from([1.0, 1.0, 1.5, 4.0, np.inf]))
places = st.tuples(st.integers(0, SIDE - 1), st.integers(0, SIDE - 1))


def cheapest(price: Array, start: tuple[int, int], goal: tuple[int, int]) -> float:
    """Bellman and Ford: every step again and again until nothing changes."""
    cost = np.full(price.shape, np.inf)
    cost[start] = 0.0
    steps = [(dr, dc) for dr in (-1, 0, 1) for dc in (-1, 0, 1) if dr or dc]
    for _ in range(price.size):
        before = cost.copy()
        for r, c in np.ndindex(price.shape):
            for dr, dc in steps:
                i, j = r + dr, c + dc
                if not (0 <= i < SIDE and 0 <= j < SIDE) or np.isinf(price[i, j]) or np.isinf(before[r, c]):
                    continue
                leaves = price[r, c] if np.isfinite(price[r, c]) else price[i, j]
                cost[i, j] = min(cost[i, j], before[r, c] + np.hypot(dr, dc) * 0.5 * float(leaves + price[i, j]))
        if (cost == before).all():
            break
    return float(cost[goal])


@given(blocked=grids)
def test_distances_are_those_of_scipy(blocked: Array) -> None:
    mine = distances(np.asarray(blocked, np.uint8), 0.05, 0.3)
    other = distance_transform_edt(blocked == 0) * 0.05 if blocked.any() else np.full(blocked.shape, np.inf)
    assert mine == pytest.approx(np.minimum(other, 0.3), abs=1e-6)


def test_between_cells_distances_are_interpolated_and_outside_there_is_no_room() -> None:
    blocked = np.zeros((20, 20), np.uint8)
    blocked[:, 0] = 1
    field = distances(blocked, 0.1, 5.0)
    assert at(field, 1.0, 2.0, 0.1, 1.0 + 0.73, 3.0) == pytest.approx(0.68, abs=1e-6)
    assert at(field, 1.0, 2.0, 0.1, 0.9, 3.0) == 0.0
    assert at(field, 1.0, 2.0, 0.1, np.nan, 3.0) == 0.0


@settings(max_examples=40)
@given(price=costs, start=places, goal=places)
def test_a_route_is_as_cheap_as_any(price: Array, start: tuple[int, int], goal: tuple[int, int]) -> None:
    path, reached, cost = astar(np.asarray(price, np.float32), start, goal)
    expected = cheapest(price, start, goal)
    assert reached == np.isfinite(expected)
    assert tuple(path[0]) == start
    assert (np.abs(np.diff(path, axis=0)).max(axis=1, initial=0) <= 1).all()
    assert np.isfinite(price[tuple(path[1:].T)]).all()
    if reached:
        assert tuple(path[-1]) == goal
        assert cost == pytest.approx(expected, rel=1e-6)
    else:
        ends = [(r, c) for r, c in np.ndindex(price.shape) if np.isfinite(cheapest(price, start, (r, c)))]
        nearest = min(np.hypot(r - goal[0], c - goal[1]) for r, c in ends)
        assert np.hypot(*(path[-1] - goal)) == pytest.approx(nearest)


def test_in_the_open_a_route_is_straight() -> None:
    price = np.ones((60, 60), np.float32)
    path, reached, _ = astar(price, (3, 5), (50, 27))
    assert reached
    assert straightened(price, path).tolist() == [[3, 5], [50, 27]]


def test_a_straightened_route_is_never_dearer_and_never_blocked() -> None:
    draw = np.random.Generator(np.random.PCG64(3))
    for _ in range(20):
        blocked = (draw.random((50, 50)) < 0.02).astype(np.uint8)
        field = distances(blocked, 0.05, 1.2)
        config = NavigationConfig(radius_m=0.1, soft_m=0.3)
        price = prices(field, np.zeros(field.shape, bool), (0, 0), 0.05, config)
        path, reached, _ = astar(price, (0, 0), (49, 49))
        if not reached or field[0, 0] < config.least_m:
            continue
        corners = straightened(price, path)
        line = resampled(corners.astype(float), 0.1)
        rooms = [field[round(r), round(c)] for r, c in line[1:-1]]
        assert min(rooms) > config.least_m - 0.036  # half a cell's diagonal
        assert len(corners) <= len(path)


def test_a_route_keeps_its_distance_where_there_is_room() -> None:
    blocked = np.zeros((60, 80), np.uint8)
    blocked[20:40, 40] = 1
    field = distances(blocked, 0.05, 1.2)
    config = NavigationConfig()
    path, reached, _ = astar(prices(field, np.zeros(field.shape, bool), (30, 10), 0.05, config), (30, 10), (30, 70))
    assert reached
    assert min(field[r, c] for r, c in path) >= config.keep_m


def test_what_was_never_seen_is_gone_round_at_a_price() -> None:
    field, config = np.full((40, 40), 1.2, np.float32), NavigationConfig()
    unseen = np.zeros(field.shape, bool)
    unseen[15:25, :38] = True
    path, reached, _ = astar(prices(field, unseen, (5, 20), 0.05, config), (5, 20), (35, 20))
    assert reached
    assert unseen[tuple(path.T)].sum() <= 11  # straight through, as the way round is longer
    wide = np.zeros(field.shape, bool)
    wide[5:35, 18:23] = True
    path, _, _ = astar(prices(field, wide, (2, 20), 0.05, config), (2, 20), (38, 20))
    assert wide[tuple(path.T)].sum() == 0


def test_a_robot_that_stands_too_near_may_leave() -> None:
    blocked = np.zeros((40, 40), np.uint8)
    blocked[:, 0] = 1
    field = distances(blocked, 0.05, 1.2)
    price = prices(field, np.zeros(field.shape, bool), (20, 3), 0.05, NavigationConfig())
    _, reached, _ = astar(price, (20, 3), (20, 30))
    assert reached
    assert np.isinf(price[2, 3])  # not a way for those who come from elsewhere


def test_resampled_keeps_both_ends() -> None:
    line = resampled(np.array([[0.0, 0.0], [0.5, 0.0], [0.5, 0.32]]), 0.1)
    assert line[0].tolist() == [0.0, 0.0]
    assert line[-1].tolist() == [0.5, 0.32]
    assert np.hypot(*np.diff(line, axis=0).T).max() <= 0.1 + 1e-9


@pytest.mark.parametrize(
    ("changes", "key"),
    [({"radius_m": 0.0}, "radius_m"), ({"follow_m": 0.5}, "follow_least_m"), ({"soft_m": 0.3}, "soft_m")],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, float], key: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        NavigationConfig(**changes)
    assert refusal.value.key == key
