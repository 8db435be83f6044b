"""The safety filter: whatever comes in, what goes out is finite, within limits and not too fast."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vla_sim.errors import ConfigError, SpecMismatch
from vla_sim.mapping import read
from vla_sim.spec import RobotSpec
from vla_sim.stages.safety import RULES, Intervention, Rule, SafetyConfig, SafetyFilter
from vla_sim.types import Array, Command, Mode, RobotState

JOINTS = ("hip", "shoulder", "elbow", "wrist")
LOWER, UPPER = np.array([-1.0, -2.0, -0.5]), np.array([1.0, 0.5, 0.5])
SPEED = np.array([1.0, 2.0, 4.0])
BASE_MAX = (0.5, 0.2, 1.0)
SPEC = RobotSpec("toy", 100.0, JOINTS, JOINTS[1:], ("left", "right"), LOWER, UPPER, SPEED, {}, None, BASE_MAX)
STATE = RobotState(0.0, np.array([9.0, 0.1, 0.2, 0.3]), np.zeros(4), np.ones(2), np.zeros(4))
NO_POINTS = np.empty((0, 3))
REST = Command(np.zeros(3), np.array([1.0, 0.5]))
STEP = SPEED / 100.0


def command(
    joints: Any = (0.0, 0.0, 0.0), grips: Any = (1.0, 0.5), base: Any = (0, 0, 0), mode: Mode = Mode.TRACK
) -> Command:
    return Command(np.array(joints, float), np.array(grips, float), np.array(base, float), mode)


def through(
    wanted: Command,
    previous: Command = REST,
    age_s: float | None = None,
    points: Any = NO_POINTS,
    safety: SafetyFilter | None = None,
) -> tuple[Command, tuple[Intervention, ...]]:
    return (safety or SafetyFilter(SPEC)).filter(wanted, previous, STATE, age_s, np.asarray(points, float))


def same(a: Command, b: Command) -> bool:
    pairs = ((a.joints_rad, b.joints_rad), (a.grips, b.grips), (a.base_velocity, b.base_velocity))
    return a.mode is b.mode and all(np.array_equal(x, y) for x, y in pairs)


def tools(state: RobotState, joints_rad: Array) -> Array:
    """One tool whose height is the shoulder angle: a toy with exact kinematics."""
    return np.array([[0.3, 0.0, 1.0 + joints_rad[0]]])


# Each rule


def test_a_clean_command_is_returned_itself() -> None:
    wanted = command((0.01, -0.02, 0.04), base=(0.5, -0.2, 1.0))
    safe, changes = through(wanted, age_s=0.01, points=[[0.3, 0.2, 0.9], [0.3, -0.2, 0.9]])
    assert safe is wanted
    assert changes == ()


def test_joint_limits_clamp() -> None:
    at_limit = command((1.0, 0.5, -0.5))
    safe, changes = through(command((1.005, 0.4, -0.51)), previous=at_limit)
    np.testing.assert_allclose(safe.joints_rad, [1.0, 0.48, -0.5])
    assert changes[:2] == (
        Intervention("joint_limit", "shoulder", 1.005, 1.0),
        Intervention("joint_limit", "wrist", -0.51, -0.5),
    )
    assert [(c.rule, c.joint, c.limit) for c in changes[2:]] == [("velocity_limit", "elbow", 2.0)]
    assert changes[2].value == pytest.approx(-10.0)


def test_velocity_limits_clamp() -> None:
    safe, changes = through(command((0.5, -0.01, 0.0)))
    np.testing.assert_allclose(safe.joints_rad, [0.01, -0.01, 0.0])
    assert [(c.rule, c.joint, c.limit) for c in changes] == [("velocity_limit", "shoulder", 1.0)]
    assert changes[0].value == pytest.approx(50.0)


def test_rounding_is_corrected_but_no_intervention() -> None:
    safe, changes = through(command((0.01 + 1e-12, 0.0, 0.0), grips=(1.0 + 1e-15, 0.5)))
    assert safe.joints_rad[0] <= 0.01
    assert safe.grips[0] == 1.0
    assert changes == ()


def test_grips_and_base_clamp() -> None:
    safe, changes = through(command(grips=(1.5, -0.25), base=(-0.75, 0.1, 2.0)))
    np.testing.assert_array_equal(safe.grips, [1.0, 0.0])
    np.testing.assert_array_equal(safe.base_velocity, [-0.5, 0.1, 1.0])
    assert changes == (
        Intervention("grip", "left", 1.5, 1.0),
        Intervention("grip", "right", -0.25, 0.0),
        Intervention("base_velocity", "x", -0.75, -0.5),
        Intervention("base_velocity", "yaw", 2.0, 1.0),
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("field", ["joints_rad", "grips", "base_velocity", "points_in_base"])
def test_numbers_that_are_none_are_refused(bad: float, field: str) -> None:
    wanted, points = command((0.01, 0, 0), base=(0.1, 0, 0)), np.array([[0.3, 0.0, 0.9]])
    values = points if field == "points_in_base" else getattr(wanted, field)
    values[..., -1] = bad
    safe, changes = through(wanted, points=points)
    assert same(safe, command(REST.joints_rad, REST.grips, mode=Mode.HOLD))
    assert [(c.rule, c.joint) for c in changes] == [("non_finite", field)]


def test_a_broken_past_is_replaced_by_what_is_measured() -> None:
    previous = command((np.nan, 0.2, np.inf), grips=(np.nan, 0.5))
    safe, changes = through(command(), previous=previous)
    assert same(safe, command((0.1, 0.2, 0.3), (0.0, 0.5), mode=Mode.HOLD))
    assert [(c.rule, c.joint) for c in changes] == [("non_finite", "previous")]


@pytest.mark.parametrize(
    ("point", "axis", "limit"),
    [
        ((0.3, 0.0, 0.04), "z", 0.05),
        ((0.66, 0.0, 0.9), "x", 0.65),
        ((-0.5, 0.0, 0.9), "x", -0.3),
        ((0.3, -1.0, 0.9), "y", -0.7),
        ((0.3, 0.0, 1e308), "z", 1.55),
    ],
)
def test_tools_outside_the_workspace_are_refused(point: tuple[float, ...], axis: str, limit: float) -> None:
    safe, changes = through(command((0.01, 0, 0), base=(0.1, 0, 0)), points=[(0.3, 0.0, 0.9), point])
    assert same(safe, command(REST.joints_rad, REST.grips, mode=Mode.HOLD))
    assert changes == (Intervention("workspace", axis, point["xyz".index(axis)], limit),)


def test_the_edge_of_the_workspace_is_inside() -> None:
    wanted = command((0.01, 0, 0))
    assert through(wanted, points=[(-0.30, -0.70, 0.05), (0.65, 0.70, 1.55)])[0] is wanted


@pytest.mark.parametrize("age_s", [0.6, np.inf, np.nan])
def test_a_stale_command_is_refused(age_s: float) -> None:
    safe, changes = through(command((0.01, 0, 0)), age_s=age_s)
    assert same(safe, command(REST.joints_rad, REST.grips, mode=Mode.HOLD))
    assert [(c.rule, c.limit) for c in changes] == [("stale", 0.5)]


@pytest.mark.parametrize("age_s", [None, 0.0, 0.5, -0.1])
def test_a_fresh_command_is_not(age_s: float | None) -> None:
    wanted = command((0.01, 0, 0))
    assert through(wanted, age_s=age_s)[0] is wanted


def test_several_rules_are_told_in_order() -> None:
    wanted = command((2.0, 0.0, 0.0), grips=(2.0, 0.5), base=(1.0, 0.0, 0.0))
    _, changes = through(wanted, age_s=9.0, points=[(5.0, 0.0, 0.9)])
    assert [c.rule for c in changes] == list(RULES[1:7])


# Modes


@pytest.mark.parametrize("mode", [Mode.HOLD, Mode.DAMP])
def test_a_mode_that_asks_for_no_motion_is_kept(mode: Mode) -> None:
    wanted = command(mode=mode)
    assert through(wanted, age_s=9.0, points=[(5.0, 0.0, 0.9)]) == (wanted, ())


def test_giving_way_stays_giving_way() -> None:
    safe, _ = through(command((np.nan, 0, 0), mode=Mode.DAMP))
    assert safe.mode is Mode.DAMP
    assert np.isfinite(safe.joints_rad).all()


# With its own kinematics


def test_a_slowed_command_is_judged_by_where_it_now_leads() -> None:
    floor = SafetyConfig(floor_m=0.995)
    down = command((-0.5, 0.0, 0.0))  # slowed to -0.01 rad: the tool comes to 0.99 m
    inside = [(0.3, 0.0, 1.2)]  # what the caller believed
    assert [c.rule for c in through(down, points=inside, safety=SafetyFilter(SPEC, floor))[1]] == ["velocity_limit"]
    safe, changes = through(down, points=inside, safety=SafetyFilter(SPEC, floor, tools))
    assert [c.rule for c in changes] == ["velocity_limit", "workspace"]
    assert changes[1].value == pytest.approx(0.99)
    assert safe.mode is Mode.HOLD


def test_a_tool_outside_may_come_back_but_not_go_further() -> None:
    safety = SafetyFilter(SPEC, SafetyConfig(floor_m=1.1), tools)
    up, down = command((0.01, 0.0, 0.0)), command((-0.01, 0.0, 0.0))
    assert through(up, safety=safety) == (up, ())
    safe, changes = through(down, safety=safety)
    assert safe.mode is Mode.HOLD
    assert changes == (Intervention("workspace", "z", 0.99, 1.1),)


# Properties

wild = st.one_of(
    st.floats(-1.5, 1.5), st.floats(), st.sampled_from([np.nan, np.inf, -np.inf, 1e308, -1e308, 1.7976931348623157e308])
)


def wild_array(*shape: int) -> st.SearchStrategy[Array]:
    return hnp.arrays(np.float64, shape, elements=wild)


def inside(lower: Array, upper: Array) -> st.SearchStrategy[Array]:
    return st.tuples(*(st.floats(a, b) for a, b in zip(lower, upper, strict=True))).map(np.array)


previous_commands = st.builds(Command, inside(LOWER, UPPER), inside(np.zeros(2), np.ones(2)))
commands = st.builds(Command, wild_array(3), wild_array(2), wild_array(3), st.sampled_from(Mode))
points = st.integers(0, 3).flatmap(lambda k: wild_array(k, 3))
ages = st.none() | wild


@given(commands, previous_commands, ages, points, st.sampled_from([None, tools]))
@settings(max_examples=300)
def test_what_goes_out_is_finite_inside_and_slow(
    wanted: Command, previous: Command, age_s: float | None, points_in_base: Array, kinematics: Any
) -> None:
    safety = SafetyFilter(SPEC, kinematics=kinematics)
    safe, changes = safety.filter(wanted, previous, STATE, age_s, points_in_base)
    SPEC.check(safe)
    assert np.all((safe.joints_rad >= LOWER) & (safe.joints_rad <= UPPER))
    assert np.all(np.abs(safe.joints_rad - previous.joints_rad) <= STEP + 1e-12)
    assert np.all((safe.grips >= 0) & (safe.grips <= 1))
    assert np.all(np.abs(safe.base_velocity) <= np.array(BASE_MAX))
    assert all(change.rule in RULES for change in changes)
    if changes == ():
        for got, asked in ((safe.joints_rad, wanted.joints_rad), (safe.grips, wanted.grips)):
            np.testing.assert_allclose(got, asked, atol=2e-9)
        assert safe.mode is wanted.mode
    again, _ = safety.filter(safe, previous, STATE, None, NO_POINTS)
    assert same(again, safe) or kinematics is not None


@given(commands, hnp.arrays(np.float64, 3, elements=st.floats(-10, 10)))
def test_a_joint_outside_its_limits_comes_back_slowly(wanted: Command, joints_rad: Array) -> None:
    safe, _ = through(wanted, previous=Command(joints_rad, np.ones(2)))
    assert np.all(np.abs(safe.joints_rad - joints_rad) <= STEP + 1e-12)


@given(hnp.arrays(np.float64, 3, elements=st.floats(-3, 3)))
def test_a_goal_inside_is_reached_in_the_time_it_takes(goal: Array) -> None:
    now, ticks = REST, 0
    allowed = np.clip(goal, LOWER, UPPER)
    needed = int(np.ceil(np.max(np.abs(allowed) / STEP) - 1e-9))
    while not np.allclose(now.joints_rad, allowed, atol=1e-12):
        now, _ = through(command(goal), previous=now)
        ticks += 1
        assert ticks <= needed
    assert ticks == needed


# Shapes and settings


@pytest.mark.parametrize("wanted", [command((0.0, 0.0)), command(grips=(1.0,)), command(base=(0.0, 0.0, 0.0, 0.0))])
def test_wrong_shapes_are_mismatches(wanted: Command) -> None:
    with pytest.raises(SpecMismatch):
        through(wanted)


@pytest.mark.parametrize("shape", [(3,), (2, 2), (0,)])
def test_wrong_points_are_mismatches(shape: tuple[int, ...]) -> None:
    with pytest.raises(SpecMismatch, match="points_in_base"):
        through(command(), points=np.zeros(shape))


@pytest.mark.parametrize(
    ("settings_", "key"),
    [
        ({"workspace_lower_m": (0.0, 0.0)}, "workspace_lower_m"),
        ({"workspace_upper_m": (1.0, -1.0, 1.0)}, "workspace_upper_m"),
        ({"workspace_upper_m": (1.0, 1.0, float("nan"))}, "workspace_upper_m"),
        ({"floor_m": 2.0}, "floor_m"),
        ({"max_command_age_s": 0.0}, "max_command_age_s"),
        ({"self_distance_m": -0.01}, "self_distance_m"),
        ({"braking": {"deceleration_m_s2": 0.0}}, "braking.deceleration_m_s2"),
        ({"obstacles": {"highest_m": 0.01}}, "obstacles.highest_m"),
        ({"obstacles": {"docking_radius_m": 0.5}}, "obstacles.docking_radius_m"),
        ({"zones": {"clearance_m": float("inf")}}, "zones.clearance_m"),
        ({"tip_over": {"margin_m": -1.0}}, "tip_over.margin_m"),
        ({"separation": {"arm_least": 0.1}}, "separation.arm_least"),
    ],
)
def test_impossible_settings_are_configuration_errors(settings_: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(SafetyConfig, settings_, "safety")
    assert caught.value.key == f"safety.{key}"


def test_settings_are_read_as_deep_as_they_go() -> None:
    config = read(
        SafetyConfig, {"self_distance_m": 0.03, "obstacles": {"margin_m": 0.2}, "tip_over": {"margin_m": 0.01}}
    )
    assert (config.self_distance_m, config.obstacles.margin_m, config.tip_over.margin_m) == (0.03, 0.2, 0.01)
    assert config.zones == SafetyConfig().zones


def test_every_rule_is_listed_once() -> None:
    assert get_args(Rule) == RULES
