"""Zones of the site map: the base never walks into one, slides along it, and finds its way out of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stages.safety.scenes import (
    BASE_MAX,
    DECELERATION,
    PERIOD_S,
    SPEC,
    around,
    command,
    rules,
    site,
    state,
    stopping_m,
    through,
    velocities,
)
from vla_sim.errors import SpecMismatch
from vla_sim.stages.safety import SafetyFilter
from vla_sim.stages.safety.polygons import inside, signed_distance
from vla_sim.types import Array, Region, SiteMap, Surface

CLEARANCE_M = 0.15
SQUARE = np.array([[1.0, -1.0], [3.0, -1.0], [3.0, 1.0], [1.0, 1.0]])
NOTCHED = np.array([[1.0, -2.0], [3.0, -2.0], [3.0, 2.0], [1.0, 2.0], [1.0, 0.6], [2.0, 0.6], [2.0, -0.6], [1.0, -0.6]])
ROUND = np.column_stack((2 + np.cos(np.arange(12) * np.pi / 6), np.sin(np.arange(12) * np.pi / 6)))
POLYGONS = [SQUARE, SQUARE[::-1], NOTCHED, ROUND]


def walk(corners: Array, start: tuple[float, float], velocity: Array, ticks: int = 400) -> Array:
    """[n, 2] the way of a robot that brakes as it should, with the same velocity asked for all the time."""
    safety, known = SafetyFilter(SPEC), around(site=site(corners))
    at, v, way = np.array(start), np.zeros(2), []
    for _ in range(ticks):
        safe, _ = through(command(velocity), known, state(*at), safety=safety)
        change = safe.base_velocity[:2] - v
        most = DECELERATION * PERIOD_S
        v = v + change * min(1.0, most / max(float(np.hypot(*change)), 1e-12))
        at = at + v * PERIOD_S
        way.append(at)
    return np.array(way)


def test_a_free_way_is_left_alone() -> None:
    wanted = command((0.6, 0.0, 0.5))
    for known in (around(), around(site=SiteMap()), around(site=site(SQUARE + [1.0, 0.0])),
                  around(site=site(SQUARE, "room", "kitchen")), around(site=site(SQUARE - [4.0, 0.0]))):  # fmt: skip
        assert through(wanted, known) == (wanted, ())


def test_it_stops_before_a_zone() -> None:
    safe, changes = through(command((0.6, 0.0, 0.5)), around(site=site(SQUARE)), state(x=0.5))
    assert stopping_m(safe.base_velocity[0]) == pytest.approx(0.5 - CLEARANCE_M)
    assert safe.base_velocity[2] == 0.5
    assert [(c.rule, c.joint) for c in changes] == [("zone", "stairs")]
    assert changes[0].value == pytest.approx(0.6)
    assert changes[0].limit == pytest.approx(safe.base_velocity[0])


def test_only_the_part_towards_the_zone_is_taken() -> None:
    safe, changes = through(command((0.4, 0.2, 0.0)), around(site=site(SQUARE)), state(x=0.9))
    np.testing.assert_allclose(safe.base_velocity, [0.0, 0.2, 0.0], atol=1e-12)
    assert rules(changes) == ["zone"]
    away = command((-0.4, 0.2, 0.3))
    assert through(away, around(site=site(SQUARE)), state(x=0.9))[0] is away


def test_a_slide_is_no_faster_than_its_axis_may_be() -> None:
    safe, _ = through(command((0.6, 0.0, 0.0)), around(site=site(SQUARE)), state(0.9, 0.0, np.pi / 4))
    world = np.array([[1, -1], [1, 1]]) / np.sqrt(2) @ safe.base_velocity[:2]
    assert world[0] == pytest.approx(0.0, abs=1e-9)
    assert world[1] > 0
    assert np.all(np.abs(safe.base_velocity) <= np.array(BASE_MAX) + 1e-12)


def test_zones_lie_in_the_frame_of_the_site() -> None:
    known = around(site=site(SQUARE), pose_odom_in_site=np.array([0.5, 0.0, np.pi / 2]))
    assert through(command((0.0, 0.2, 0.0)), known)[1] == ()  # in the site: away from it
    safe, changes = through(command((0.0, -0.25, 0.0)), known, state(y=-0.35))
    assert rules(changes) == ["zone"]
    np.testing.assert_allclose(safe.base_velocity, 0.0, atol=1e-9)


def test_from_within_there_is_only_the_way_out() -> None:
    known, here = around(site=site(SQUARE)), state(x=1.2)
    out = command((-0.4, 0.0, 0.2))
    assert through(out, known, here)[0] is out
    slanted, changes = through(command((-0.2, 0.2, 0.0)), known, here)
    np.testing.assert_allclose(slanted.base_velocity, [-0.2, 0.0, 0.0], atol=1e-12)
    assert rules(changes) == ["zone"]
    np.testing.assert_allclose(through(command((0.4, 0.1, 0.0)), known, here)[0].base_velocity, 0.0, atol=1e-12)


def test_between_two_zones_it_stays_out_of_both() -> None:
    two = SiteMap(regions=(Region("a", "forbidden", SQUARE), Region("b", "hot", SQUARE + [-1.6, 2.3])))
    safe, changes = through(command((0.4, 0.2, 0.0)), around(site=two), state(0.9, 1.1))
    assert {c.joint for c in changes} == {"a", "b"}
    np.testing.assert_allclose(safe.base_velocity, 0.0, atol=0.02)


def test_corners_that_are_no_numbers_stop_the_base_and_wrong_shapes_are_mismatches() -> None:
    broken = around(site=site([[1, -1], [np.nan, 1], [3, 0]]))
    safe, changes = through(command((-0.3, 0.0, 0.2)), broken)
    np.testing.assert_array_equal(safe.base_velocity, np.zeros(3))
    assert [(c.rule, c.joint) for c in changes] == [("non_finite", "stairs")]
    with pytest.raises(SpecMismatch, match="stairs"):
        through(command((0.3, 0.0, 0.0)), around(site=site(np.zeros((3, 3)))))


def test_on_the_border_every_way_but_in_is_free() -> None:
    known, here = around(site=site(SQUARE)), state(x=1.0, y=0.3)
    for free in (command((-0.4, 0.0, 0.0)), command((0.0, 0.2, 0.0)), command((-0.3, -0.1, 0.4))):
        assert through(free, known, here)[0] is free
    np.testing.assert_allclose(through(command((0.4, 0.1, 0.0)), known, here)[0].base_velocity, [0, 0.1, 0], atol=1e-9)


# Geometry, by a second method


@given(st.sampled_from(POLYGONS), st.floats(-1, 4), st.floats(-3, 3))
def test_distance_to_a_polygon_is_that_to_the_nearest_of_many_points_on_it(corners: Array, x: float, y: float) -> None:
    shares = np.linspace(0, 1, 400)[:, None, None]
    border = (corners * (1 - shares) + np.roll(corners, 1, axis=0) * shares).reshape(-1, 2)
    nearest = np.hypot(*(border - [x, y]).T).min()
    found = signed_distance(np.ascontiguousarray(corners), x, y)
    assert abs(found) == pytest.approx(nearest, abs=0.01)
    turned = np.unwrap(np.arctan2(*(np.vstack((corners, corners[:1])) - [x, y]).T[::-1]))
    if nearest > 0.01:  # the winding number says who is inside
        assert inside(np.ascontiguousarray(corners), x, y) == (abs(turned[-1] - turned[0]) > 1.0)


# Properties

places = st.tuples(st.floats(-1, 4), st.floats(-3, 3), st.floats(-np.pi, np.pi))


@given(st.sampled_from(POLYGONS), places, velocities)
@settings(max_examples=250)
def test_never_a_velocity_into_a_zone(corners: Array, place: tuple[float, float, float], velocity: Array) -> None:
    x, y, yaw = place
    known, safety = around(site=site(corners)), SafetyFilter(SPEC)
    safe, changes = through(command(velocity), known, state(*place), safety=safety)
    assert np.hypot(*safe.base_velocity[:2]) <= np.hypot(*velocity[:2]) + 1e-12
    assert np.all(np.abs(safe.base_velocity) <= np.array(BASE_MAX) + 1e-12)
    turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
    there = turn @ safe.base_velocity[:2]
    speed = float(np.hypot(*there))
    polygon = np.ascontiguousarray(corners)
    before = signed_distance(polygon, x, y)
    stop = np.array([x, y]) + there / max(speed, 1e-12) * stopping_m(speed)
    after = signed_distance(polygon, *stop)
    if before > CLEARANCE_M:
        assert after >= CLEARANCE_M - 1e-4
    elif before < -1e-6 and speed > 1e-9:
        assert after > before  # it comes out
    elif speed > 1e-9:
        step = np.array([x, y]) + there * 1e-6
        assert signed_distance(polygon, *step) >= before - 1e-8
    again, _ = through(safe, known, state(*place), safety=safety)
    np.testing.assert_allclose(again.base_velocity, safe.base_velocity, atol=1e-7)
    assert changes != () or again is safe


@given(st.sampled_from(POLYGONS), st.floats(-2.5, 2.5), st.floats(-np.pi, np.pi), st.floats(0.05, 0.6))
@settings(max_examples=20, deadline=None)
def test_a_robot_that_brakes_as_it_should_never_enters(corners: Array, y: float, angle: float, speed: float) -> None:
    velocity = np.array([speed * np.cos(angle), 0.25 * np.sin(angle), 0.0])
    way = walk(corners, (0.4, y), velocity)
    polygon = np.ascontiguousarray(corners)
    assert min(signed_distance(polygon, *p) for p in way) > 0.05


# Hot zones


def test_no_tool_is_carried_to_something_hot() -> None:
    known = around(site=site(SQUARE, "hot", "stove"))
    low, high = np.array([[0.4, 0.0, 1.0]]), np.array([[0.4, 0.0, 1.45]])
    wanted = command((0.3, 0.0, 0.0))
    safe, changes = through(wanted, known, state(x=0.4), tools=low, safety=SafetyFilter(SPEC))
    assert stopping_m(safe.base_velocity[0]) == pytest.approx(0.2 - 0.05)
    assert [(c.rule, c.joint) for c in changes] == [("hot", "stove")]
    assert through(wanted, known, state(x=0.4), tools=high)[0] is wanted
    forbidden = around(site=site(SQUARE))
    assert through(wanted, forbidden, state(x=0.4), tools=low)[0] is wanted


def test_turning_carries_tools_too() -> None:
    known = around(site=site(SQUARE, "hot", "stove"))
    tool = np.array([[0.3, -0.6, 1.0]])
    wanted = command((0.0, 0.0, 0.7))
    near = state(x=0.6)
    safe, changes = through(wanted, known, near, tools=tool, safety=SafetyFilter(SPEC))
    assert rules(changes) == ["hot"]
    assert 0.0 < safe.base_velocity[2] < 0.7
    back = command((0.0, 0.0, -0.7))
    assert through(back, known, near, tools=tool)[0] is back


@pytest.mark.parametrize(
    ("tool", "rule"),
    [((0.54, 0.0, 1.2), []), ((0.56, 0.0, 1.2), ["hot"]), ((0.62, 0.0, 1.39), ["hot"]), ((0.6, 0.0, 1.41), [])],
)
def test_no_tool_goes_to_something_hot_by_itself(tool: tuple[float, ...], rule: list[str]) -> None:
    known = around(site=site(SQUARE, "hot", "stove"))
    wanted = command(joints=(0.01, 0.0))
    safe, changes = through(wanted, known, state(x=0.4), tools=np.array([tool]))
    assert rules(changes) == rule
    if rule:
        np.testing.assert_array_equal(safe.joints_rad, np.zeros(2))
        assert changes[0].limit == 0.05
    else:
        assert safe is wanted


def test_the_height_of_what_is_hot_is_that_of_the_surface_on_the_map() -> None:
    low = replace(site(SQUARE, "hot", "stove"), surfaces=(Surface("hob", "", np.array([2.0, 0, 0]), np.ones(2), 0.4),))
    tool = np.array([[0.6, 0.0, 1.0]])
    wanted = command(joints=(0.01, 0.0))
    assert through(wanted, around(site=low), state(x=0.4), tools=tool)[0] is wanted
    assert rules(through(wanted, around(site=site(SQUARE, "hot")), state(x=0.4), tools=tool)[1]) == ["hot"]


def test_a_tool_at_something_hot_may_come_back() -> None:
    def tools(_: object, joints_rad: Array) -> Array:
        return np.array([[0.58 + joints_rad[0], 0.0, 1.0]])

    safety, known = SafetyFilter(SPEC, kinematics=tools), around(site=site(SQUARE, "hot", "stove"))
    back, on = command(joints=(-0.01, 0.0)), command(joints=(0.01, 0.0))
    assert through(back, known, state(x=0.4), safety=safety) == (back, ())
    safe, changes = through(on, known, state(x=0.4), safety=safety)
    assert rules(changes) == ["hot"]
    np.testing.assert_array_equal(safe.joints_rad, np.zeros(2))
    assert through(on, known, state(x=0.4, yaw=np.pi), safety=safety)[0] is on
