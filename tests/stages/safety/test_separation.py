"""People: the protective separation distance of ISO/TS 15066, and arms that slow down beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stages.safety.scenes import (
    DECELERATION,
    RADIUS_M,
    REACTION_S,
    STEP,
    around,
    command,
    rules,
    through,
    velocities,
)
from vla_sim.errors import ConfigError
from vla_sim.stages.safety import SeparationConfig, Surroundings
from vla_sim.types import Array

PERSON_M, INTRUSION_M = 0.25, 0.15


def people(*positions: Any, velocity: Any = None) -> Surroundings:
    at = np.array(positions, float).reshape(-1, 2)
    moving = np.zeros_like(at) if velocity is None else np.array(velocity, float).reshape(-1, 2)
    return around(people_in_base=at, people_velocity=moving)


def protective_m(robot: float, person: float) -> float:
    """The standard's formula, as it is printed: S_h + S_r + S_s + C."""
    stop_s = robot / DECELERATION
    return person * (REACTION_S + stop_s) + robot * REACTION_S + robot**2 / (2 * DECELERATION) + INTRUSION_M


def test_nobody_and_somebody_far_away_change_nothing() -> None:
    wanted = command((0.6, 0.0, 0.3), joints=(0.01, -0.02))
    for known in (people(), people((4.0, 0.0)), people((-0.8, 0.0)), people((3.0, 2.0), velocity=(-0.2, 0.0))):
        got = through(wanted, known)
        assert [c for c in got[1] if c.joint == "base_velocity"] == []
        np.testing.assert_array_equal(got[0].base_velocity, wanted.base_velocity)


@pytest.mark.parametrize("walking", [0.0, 0.3, 1.0])
def test_the_speed_left_is_that_of_the_standard(walking: float) -> None:
    distance = protective_m(0.35, walking)
    known = people((distance + RADIUS_M + PERSON_M, 0.0), velocity=(-walking, 0.0))
    safe, changes = through(command((0.6, 0.0, 0.2)), known)
    assert safe.base_velocity[0] == pytest.approx(0.35)
    assert safe.base_velocity[2] == pytest.approx(0.2 * 0.35 / 0.6)
    assert [(c.rule, c.joint, c.value) for c in changes] == [("separation", "base_velocity", 0.6)]
    assert changes[0].limit == pytest.approx(0.35)


def test_nearer_it_stops_and_may_still_go_away() -> None:
    close = people((RADIUS_M + PERSON_M + INTRUSION_M - 0.01, 0.0))
    safe, changes = through(command((0.2, 0.2, 0.4)), close)
    np.testing.assert_array_equal(safe.base_velocity, np.zeros(3))
    assert changes[0].limit == 0.0
    away = command((-0.3, 0.0, 0.0))
    assert through(away, close)[0] is away


def test_with_somebody_in_the_same_place_nothing_moves() -> None:
    np.testing.assert_array_equal(through(command((-0.3, 0.1, 0.2)), people((0.0, 0.0)))[0].base_velocity, np.zeros(3))


def test_a_person_who_walks_away_or_past_is_no_reason_to_slow_down() -> None:
    wanted = command((0.3, 0.0, 0.0))
    at = (1.2, 0.0)
    assert through(wanted, people(at, velocity=(0.5, 0.0)))[0] is wanted
    assert through(wanted, people(at, velocity=(0.0, 1.0)))[0] is wanted
    assert rules(through(wanted, people(at, velocity=(-1.0, 0.0)))[1]) == ["separation"]


def test_a_velocity_nobody_measured_is_that_of_a_walking_person() -> None:
    at = np.array([[2.5, 0.0]])
    unknown, _ = through(command((0.6, 0.0, 0.0)), around(people_in_base=at))
    walking, _ = through(command((0.6, 0.0, 0.0)), people(at, velocity=(-1.6, 0.0)))
    np.testing.assert_array_equal(unknown.base_velocity, walking.base_velocity)
    assert unknown.base_velocity[0] < 0.6


@pytest.mark.parametrize(("distance", "share"), [(1.2, 1.0), (1.0, 1.0), (0.75, 0.5), (0.5, 0.1), (0.1, 0.1)])
def test_arms_turn_slower_beside_people(distance: float, share: float) -> None:
    wanted = command(joints=STEP)
    safe, changes = through(wanted, people((0.0, distance)))
    np.testing.assert_allclose(safe.joints_rad, share * STEP)
    assert rules(changes) == ([] if share == 1.0 else ["separation"])
    if changes:
        assert changes[0].joint == "joints_rad"
        assert changes[0].value == pytest.approx(1.0)
        assert changes[0].limit == pytest.approx(share)
    slow = command(joints=0.09 * STEP)
    assert through(slow, people((0.0, distance)))[0] is slow


def test_a_slowed_arm_keeps_its_direction() -> None:
    safe, _ = through(command(joints=(0.01, -0.005)), people((0.6, 0.0)))
    assert safe.joints_rad[1] / safe.joints_rad[0] == pytest.approx(-0.5)


def test_a_person_nobody_can_place_slows_the_arms_most() -> None:
    safe, _ = through(command(joints=STEP), around(people_in_base=np.array([[3.0, 0.0], [np.nan, 0.0]])))
    np.testing.assert_allclose(safe.joints_rad, 0.1 * STEP)


crowds = st.lists(st.tuples(*[st.floats(-3, 3)] * 4), max_size=3)


@given(velocities, crowds)
@settings(max_examples=300)
def test_the_protective_distance_is_kept_by_the_speed_that_is_left(
    velocity: Array, crowd: list[tuple[float, ...]]
) -> None:
    rows = np.array(crowd, float).reshape(-1, 4)
    known = people(rows[:, :2], velocity=rows[:, 2:])
    safe, _ = through(command(velocity), known)
    assert np.all(np.abs(safe.base_velocity) <= np.abs(velocity))
    for x, y, vx, vy in rows:
        distance = np.hypot(x, y)
        if distance < 1e-6:
            continue
        towards = (safe.base_velocity[0] * x + safe.base_velocity[1] * y) / distance
        coming = max(0.0, -(vx * x + vy * y) / distance)
        if towards > 1e-6:
            assert distance - RADIUS_M - PERSON_M >= protective_m(towards, coming) - 1e-6


@given(velocities, st.floats(0.0, 3.0), st.floats(0, 2 * np.pi), st.floats(0.0, 1.0), st.floats(0.1, 1.0))
def test_a_nearer_or_faster_person_never_leaves_more(
    velocity: Array, distance: float, angle: float, coming: float, share: float
) -> None:
    way = np.array([np.cos(angle), np.sin(angle)])

    def left(apart: float, speed: float) -> float:
        safe, _ = through(command(velocity), people(apart * way, velocity=-speed * way))
        return float(np.hypot(*safe.base_velocity[:2]))

    there = left(distance, coming)
    assert left(distance, coming + 0.3) <= there + 1e-9
    if velocity[:2] @ way > 0:
        assert left(distance * share, coming) <= there + 1e-9


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ({"arms_least": 1.5}, "arms_least"),
        ({"arms_slow_m": 0.4}, "arms_slow_m"),
        ({"intrusion_m": -0.1}, "intrusion_m"),
        ({"assumed_speed_m_s": float("inf")}, "assumed_speed_m_s"),
    ],
)
def test_impossible_settings_are_configuration_errors(wrong: dict[str, float], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SeparationConfig(**wrong)
    assert caught.value.key == key
