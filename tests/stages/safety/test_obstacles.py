"""Things the lidar shows: the base can always stop before them, and nothing else slows it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.stages.safety.scenes import (
    BASE_MAX,
    DECELERATION,
    MARGIN_M,
    PERIOD_S,
    RADIUS_M,
    REACTION_S,
    SPEC,
    around,
    command,
    pose,
    rules,
    same,
    scan,
    state,
    stopping_m,
    through,
    velocities,
    wall,
)
from vla_sim.clock import Stopwatch
from vla_sim.errors import SpecMismatch
from vla_sim.rng import stream
from vla_sim.stages.safety import ObstacleConfig, SafetyConfig, SafetyFilter
from vla_sim.stages.safety.braking import speed_within, stopping_distance
from vla_sim.stages.safety.obstacles import speed_along, things_in_odom
from vla_sim.stages.safety.separation import share_of_speed
from vla_sim.types import Array, Scan


def test_a_free_way_is_left_alone() -> None:
    wanted = command((0.6, 0.0, 0.3))
    for points in ((), wall(3.0), wall(-0.5), [[1.0, 0.31, 0.8]], [[0.7, 0, 0.02]], [[0.7, 0, 1.6]]):
        assert through(wanted, around(scan=scan(points))) == (wanted, ())


def test_a_wall_ahead_leaves_the_speed_that_stops_before_it() -> None:
    safe, changes = through(command((0.6, 0.0, 0.0)), around(scan=scan(wall(0.8))))
    assert rules(changes) == ["obstacle"]
    speed = safe.base_velocity[0]
    assert stopping_m(speed) == pytest.approx(0.8 - RADIUS_M - MARGIN_M, abs=1e-6)
    assert changes[0].value == 0.6
    assert changes[0].limit == pytest.approx(speed)


@pytest.mark.parametrize("distance", [0.05, 0.2, 0.35, 0.39])
def test_right_before_a_wall_there_is_no_way_on_but_every_way_back(distance: float) -> None:
    near = around(scan=scan(wall(distance)))
    safe, _ = through(command((0.3, 0.1, 0.5)), near)
    np.testing.assert_array_equal(safe.base_velocity, [0.0, 0.0, 0.5])  # it may turn away
    for wanted in (command((-0.3, 0.0, 0.0)), command((0.0, 0.0, -0.7))):
        assert through(wanted, near)[0] is wanted


def test_low_things_count_and_the_floor_does_not() -> None:
    wanted = command((0.6, 0.0, 0.0))
    low, floor = ([[0.7, 0.0, z]] for z in (0.06, 0.04))
    assert rules(through(wanted, around(scan=scan(low, at=pose(z=0.001))))[1]) == ["obstacle"]
    assert through(wanted, around(scan=scan(floor)))[0] is wanted


def test_heights_are_above_the_floor_and_not_above_a_tilted_base() -> None:
    tilted = np.eye(4)  # 3 degrees up: a point of the floor 2 m ahead lies 10 cm above the base's plane
    cos, sin = np.cos(0.05), np.sin(0.05)
    tilted[0, 0], tilted[0, 2], tilted[2, 0], tilted[2, 2] = cos, sin, -sin, cos
    on_floor = (np.array([[0.9, 0.0, 0.0]]) @ tilted[:3, :3]).astype(np.float32)
    assert on_floor[0, 2] > 0.04
    wanted = command((0.6, 0.0, 0.0))
    config = SafetyConfig(obstacles=ObstacleConfig(lowest_m=0.03))
    assert through(wanted, around(scan=scan(on_floor, at=tilted)), safety=SafetyFilter(SPEC, config))[0] is wanted


def test_a_ray_that_met_nothing_is_no_thing() -> None:
    missed = replace(scan(wall(0.6)), hit=np.zeros(81, bool))
    wanted = command((0.6, 0.0, 0.0))
    assert through(wanted, around(scan=missed))[0] is wanted


@pytest.mark.parametrize("standing", [True, False])
def test_an_older_scan_is_moved_by_what_the_robot_has_gone_since(standing: bool) -> None:
    seen = around(scan=scan(wall(1.0), at=pose(2.0, 1.0, np.pi / 2)))
    wanted = command((0.6, 0.0, 0.0))
    here = state(2.0, 1.3, np.pi / 2, time_s=0.1, standing=standing)
    safe, _ = through(wanted, seen, here)
    direct, _ = through(wanted, around(scan=scan(wall(0.7))))
    np.testing.assert_allclose(safe.base_velocity, direct.base_velocity, atol=1e-6)
    assert through(wanted, seen, state(2.0, 1.3, -np.pi / 2, time_s=0.1, standing=standing))[0] is wanted


def test_turning_looks_where_it_will_have_turned_to() -> None:
    post = around(scan=scan([[0.55, 0.37, 0.8]]))
    wanted = command((0.6, 0.0, 0.0))
    assert through(wanted, post)[0] is wanted
    assert rules(through(command((0.6, 0.0, 0.7)), post)[1]) == ["obstacle"]
    assert through(command((0.6, 0.0, -0.7)), post)[1] == ()


def test_from_the_first_scan_with_something_new_to_less_speed_is_one_tick() -> None:
    safety, wanted = SafetyFilter(SPEC), command((0.6, 0.0, 0.0))
    clear, sudden = around(scan=scan(wall(3.0))), around(scan=scan(wall(0.6), time_s=0.1))
    for _ in range(3):
        assert through(wanted, clear, safety=safety)[0] is wanted
    safe, _ = through(wanted, sudden, state(time_s=0.1), safety=safety)
    assert safe.base_velocity[0] < 0.35
    assert through(wanted, clear, safety=safety)[0] is wanted  # nothing is remembered but the scan itself


def test_what_it_carries_is_its_own() -> None:
    held, wanted = [[0.45, 0.1, 0.9]], command((0.6, 0.0, 0.0))
    ball = np.array([[0.43, 0.1, 0.9, 0.06]])
    assert rules(through(wanted, around(scan=scan(held)))[1]) == ["obstacle"]
    assert through(wanted, around(scan=scan(held), carried_in_base=ball))[0] is wanted
    below = [[0.45, 0.1, 0.7]]
    assert rules(through(wanted, around(scan=scan(below), carried_in_base=ball))[1]) == ["obstacle"]


# Not blindly


@pytest.mark.parametrize(("seen", "age_s"), [(None, np.inf), (scan(time_s=-0.6), 0.6), (scan(time_s=np.nan), np.nan)])
def test_a_robot_with_a_lidar_does_not_walk_blindly(seen: object, age_s: float) -> None:
    wanted = command((0.3, 0.0, 0.2), joints=(0.01, 0.0))
    safe, changes = through(wanted, around(scan=seen))
    np.testing.assert_array_equal(safe.base_velocity, np.zeros(3))
    np.testing.assert_array_equal(safe.joints_rad, wanted.joints_rad)
    assert [(c.rule, c.joint, c.limit) for c in changes] == [("stale", "scan", 0.5)]
    np.testing.assert_equal(changes[0].value, age_s)
    without = SafetyFilter(replace(SPEC, lidar=None))
    assert through(wanted, around(scan=None), safety=without)[0] is wanted


@pytest.mark.parametrize("field", ["people_in_base", "pose_odom_in_site", "allowed_box_in_base", "carried_in_base"])
def test_numbers_that_are_none_stop_the_base(field: str) -> None:
    shapes = {"people_in_base": (1, 2), "pose_odom_in_site": (3,), "allowed_box_in_base": (2, 2)}
    broken = around(**{field: np.full(shapes.get(field, (1, 4)), np.nan)})
    safe, changes = through(command((0.3, 0.0, 0.2)), broken)
    np.testing.assert_array_equal(safe.base_velocity, np.zeros(3))
    assert [(c.rule, c.joint) for c in changes] == [("non_finite", field)]


def test_a_robot_that_does_not_know_where_it_is_stays() -> None:
    for here in (state(x=np.nan), state(yaw=np.nan), replace(state(), pose_base_in_odom=np.zeros((4, 4)))):
        assert rules(through(command((0.3, 0.0, 0.0)), around(), here)[1]) == ["non_finite"]
    lost = around(scan=scan(wall(3.0), at=np.full((4, 4), np.nan)))
    assert rules(through(command((0.3, 0.0, 0.0)), lost)[1]) == ["non_finite"]


def test_wrong_shapes_are_mismatches() -> None:
    bad = replace(scan(wall(1.0)), points_in_base=np.zeros((81, 2), np.float32))
    with pytest.raises(SpecMismatch, match="points_in_base"):
        through(command((0.3, 0.0, 0.0)), around(scan=bad))
    with pytest.raises(SpecMismatch, match="people_velocity"):
        around(people_in_base=np.zeros((2, 2)), people_velocity=np.zeros((1, 2)))


# Docking


@pytest.mark.parametrize("box", [None, np.array([[0.0, -1.0], [1.0, 1.0]])])
def test_docking_comes_within_19_cm_of_an_edge_and_no_faster_than_15_cm_s(box: Array | None) -> None:
    x, speeds = -0.8, []
    safety = SafetyFilter(SPEC)
    seen = scan(wall(0.0, z=0.70), at=np.eye(4))
    for _ in range(3000):
        near = around(scan=seen, docking=True, allowed_box_in_base=box)
        safe, _ = through(command((0.6, 0.0, 0.0)), near, state(x=x), safety=safety)
        x += safe.base_velocity[0] * PERIOD_S
        if x > -RADIUS_M - MARGIN_M:
            speeds.append(safe.base_velocity[0])
    assert max(speeds) == pytest.approx(0.15)
    assert -0.19 < x < -0.15


def test_docking_spares_only_the_allowed_box() -> None:
    wanted = command((0.1, 0.0, 0.0))
    box = np.array([[0.0, 0.2], [1.0, 1.0]])
    inside, outside = scan([[0.3, 0.25, 0.7]]), scan([[0.3, -0.25, 0.7]])
    for seen, rule in ((inside, []), (outside, ["obstacle"])):
        near = around(scan=seen, docking=True, allowed_box_in_base=box)
        assert rules(through(wanted, near)[1]) == rule
        assert rules(through(wanted, replace(near, docking=False))[1]) == ["obstacle"]


@given(st.floats(0.0, 2.0), st.floats(0.01, 0.6))
def test_docking_is_never_slower_than_not_docking(distance: float, speed: float) -> None:
    wanted, seen = command((speed, 0.0, 0.0)), scan(wall(distance))
    docked, _ = through(wanted, around(scan=seen, docking=True))
    free, _ = through(wanted, around(scan=seen))
    assert docked.base_velocity[0] >= free.base_velocity[0] - 1e-12


# Properties

clouds = st.lists(st.tuples(st.floats(-2, 2), st.floats(-2, 2), st.floats(0, 1.5)), max_size=12)


@given(velocities, clouds)
@settings(max_examples=300)
def test_never_faster_than_asked_the_same_way_and_once_is_enough(
    velocity: Array, cloud: list[tuple[float, ...]]
) -> None:
    safety, near = SafetyFilter(SPEC), around(scan=scan(cloud))
    safe, changes = through(command(velocity), near, safety=safety)
    share = safe.base_velocity[:2] @ velocity[:2] / max(float(velocity[:2] @ velocity[:2]), 1e-300)
    assert 0.0 <= share <= 1.0 + 1e-12
    np.testing.assert_allclose(safe.base_velocity, [*(share * velocity[:2]), velocity[2]], atol=1e-12)
    again, _ = through(safe, near, safety=safety)
    np.testing.assert_allclose(again.base_velocity, safe.base_velocity, atol=1e-9)
    assert (changes == ()) == same(safe, command(velocity))


@given(velocities, st.floats(0.1, 2), st.floats(-np.pi, np.pi), st.floats(0.05, 1.0))
@settings(max_examples=300)
def test_a_nearer_thing_never_leaves_more_speed(velocity: Array, far: float, angle: float, share: float) -> None:
    point = far * np.array([np.cos(angle), np.sin(angle), 0.0]) + [0, 0, 0.8]
    nearer = point * [share, share, 1.0]
    speeds = [
        np.hypot(*through(command(velocity), around(scan=scan([p])))[0].base_velocity[:2]) for p in (point, nearer)
    ]
    assume(np.hypot(*nearer[:2]) > 1e-3)
    behind = nearer[:2] @ velocity[:2] <= 1e-6
    assert behind or speeds[1] <= speeds[0] + 1e-6  # points are single precision


@given(st.floats(0.05, 0.6), st.floats(0.45, 3.0), st.floats(0.0, REACTION_S), st.floats(-0.4, 0.4))
@settings(max_examples=30, deadline=None)
def test_a_robot_that_lags_and_brakes_never_reaches_the_wall(
    speed: float, distance: float, lag_s: float, slant: float
) -> None:
    """A point robot follows commands late and with limited deceleration; what it never crosses is the radius."""
    safety = SafetyFilter(SPEC)
    seen = scan(wall(distance, 4.0, n=161) + np.column_stack((np.linspace(-4, 4, 161) * slant, np.zeros((161, 2)))))
    x, v, pipe = 0.0, 0.0, [0.0] * round(lag_s / PERIOD_S)
    for tick in range(1500):
        safe, _ = through(command((speed, 0.0, 0.0)), around(scan=seen), state(x=x), safety=safety)
        pipe.append(float(safe.base_velocity[0]))
        v = max(pipe.pop(0), v - DECELERATION * PERIOD_S)
        x += v * PERIOD_S
        if tick > 200 and v < 1e-4:
            break
    points = seen.points_in_base[:, :2].astype(float) - [x, 0.0]
    assert np.hypot(*points.T).min() >= RADIUS_M + 0.02


@pytest.mark.parametrize("seed", range(6))
def test_a_robot_that_lags_brakes_and_turns_stays_clear_of_posts(seed: int) -> None:
    rng = stream(seed, 0, "posts")
    posts = rng.uniform(-3, 3, (25, 2))
    posts = posts[np.hypot(*posts.T) > 0.6]
    near = around(scan=scan(np.column_stack((posts, np.full(len(posts), 0.8)))))
    safety, here, v, wanted = SafetyFilter(SPEC), np.zeros(3), np.zeros(3), np.zeros(3)
    pipe, way, nearest = [np.zeros(3)] * int(rng.integers(0, 30)), 0.0, np.inf
    for tick in range(1200):
        if tick % 150 == 0:
            wanted = rng.uniform([0, -1, -1], 1) * BASE_MAX
        pipe.append(through(command(wanted), near, state(*here), safety=safety)[0].base_velocity)
        sent = pipe.pop(0)
        change = sent[:2] - v[:2]
        v[:2] += change * min(1.0, DECELERATION * PERIOD_S / max(float(np.hypot(*change)), 1e-12))
        v[2] = sent[2]
        here = here + np.array([*rotated(v[:2], here[2]), v[2]]) * PERIOD_S
        way += float(np.hypot(*v[:2])) * PERIOD_S
        nearest = min(nearest, float(np.hypot(*(posts - here[:2]).T).min()))
    assert nearest > RADIUS_M - 0.02
    assert way > 0.5


def rotated(vector: Array, angle: float) -> Array:
    return pose(yaw=angle)[:2, :2] @ vector


@given(st.floats(0.0, 1e6), st.floats(0.1, 5.0), st.floats(0.0, 2.0))
def test_speed_and_stopping_distance_are_each_others_inverse(way: float, deceleration: float, reaction: float) -> None:
    speed = speed_within(way, deceleration, reaction)
    assert stopping_distance(speed, deceleration, reaction) == pytest.approx(way, rel=1e-9, abs=1e-12)


@given(
    st.lists(st.tuples(*[st.floats(width=32)] * 3), max_size=4),
    st.tuples(*[st.floats()] * 3),
    st.lists(st.tuples(st.floats(), st.floats()), max_size=2),
    st.tuples(*[st.floats()] * 3),
)
@settings(max_examples=300)
def test_no_value_raises_and_what_goes_out_is_finite(
    cloud: list[tuple[float, ...]], here: tuple[float, ...], people: list[tuple[float, ...]], offset: tuple[float, ...]
) -> None:
    with np.errstate(all="ignore"):
        odom = state(*here) if np.isfinite(here[2]) else replace(state(), pose_base_in_odom=np.full((4, 4), here[0]))
        known = around(
            scan=scan(cloud), people_in_base=np.array(people, float).reshape(-1, 2), pose_odom_in_site=np.array(offset)
        )
    safe, _ = through(command((0.6, 0.2, 0.7)), known, odom)
    assert np.isfinite(safe.base_velocity).all()
    assert np.all(np.abs(safe.base_velocity) <= [0.6, 0.2, 0.7])


def test_a_thousand_points_take_no_time_to_speak_of() -> None:
    """Twenty times the budget of a quarter of a millisecond: a bound that a loaded machine keeps as well."""
    rng = np.random.default_rng(0)
    cloud = np.column_stack((rng.uniform(-6, 6, (1440, 2)), rng.uniform(0, 1.5, 1440)))
    near, safety, wanted = around(scan=scan(cloud)), SafetyFilter(SPEC), command((0.6, 0.1, 0.3))
    through(wanted, near, safety=safety)
    took_s = []
    for _ in range(50):
        watch = Stopwatch()
        through(wanted, near, safety=safety)
        took_s.append(watch.elapsed_s)
    assert min(took_s) < 5e-3


def test_no_tick_waits_for_a_compiler() -> None:
    """Views, arrays that may not be written and other number types are no new types to what is compiled."""
    safety = SafetyFilter(SPEC)
    before = len(things_in_odom.signatures), len(speed_along.signatures), len(share_of_speed.signatures)
    odd = np.zeros((9, 6))[::2, ::2]
    odd.flags.writeable = False
    seen = Scan(0.0, odd.astype(np.float64)[::2], np.ones(10, np.uint8)[:3] > 0, np.zeros(3), np.eye(4).T)  # type: ignore[arg-type]
    known = around(scan=seen, people_in_base=np.ones((4, 4), int)[::2, ::2], carried_in_base=np.ones((2, 8))[:, ::2])
    through(command((0.3, 0.0, 0.1)), known, safety=safety)
    assert (len(things_in_odom.signatures), len(speed_along.signatures), len(share_of_speed.signatures)) == before
