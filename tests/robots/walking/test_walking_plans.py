"""The pendulum in closed form, footholds, and what the walker says about its support."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robots.g1.walking import SensorNoise, WalkerConfig
from robots.g1.walking.config import as_record
from robots.g1.walking.lipm import frequency, nominal_offset, transition
from robots.g1.walking.navigation import inside_hull
from robots.g1.walking.rotations import compiled
from robots.g1.walking.steps import best_step
from vla_sim.errors import ConfigError
from vla_sim.types import Array

CONFIG = WalkerConfig()
RECORD = as_record(CONFIG)
W = frequency(CONFIG.com_height_m)


@compiled
def plan(c, w, foot, stance, yaw, t, dcm, before, swing, vx, vy, now, closes=0.0):
    usual = c[0].close_time_s if closes > 0 else c[0].step_time_s
    return best_step(c[0], w, foot, stance, yaw, yaw, t, dcm, before, swing, vx, vy, now, usual, closes)


@compiled
def offset(c, w, stance, vx, vy):
    return nominal_offset(c[0], w, stance, vx, vy)


def integrate(dcm: float, before: float, foot: float, t: float, end: float, steps: int = 20000) -> float:
    """The DCM by small Euler steps, midpoint pressure."""
    dt = (end - t) / steps
    for k in range(steps):
        part = min((t + (k + 0.5) * dt) / CONFIG.double_support_s, 1.0)
        cop = before + (foot - before) * part
        dcm = cop + (dcm - cop) * math.exp(W * dt)
    return dcm


@pytest.mark.parametrize("t", [0.0, 0.012, 0.03, 0.2])
def test_a_steps_end_in_closed_form_is_what_integration_gives(t: float) -> None:
    a, b = transition(W, 0.4, CONFIG.double_support_s, t)
    dcm, before, foot = 0.04, -0.1, 0.1
    assert a * dcm + b * before + (1 - a - b) * foot == pytest.approx(integrate(dcm, before, foot, t, 0.4), abs=1e-6)


@pytest.mark.parametrize(("vx", "vy"), [(0.0, 0.0), (0.5, 0.0), (-0.2, 0.1)])
def test_the_nominal_gait_repeats_itself(vx: float, vy: float) -> None:
    """From the nominal offset on the right foot, one step later the DCM has the nominal offset on the left one."""
    a, b = transition(W, CONFIG.step_time_s, CONFIG.double_support_s, 0.0)
    step = np.array([vx * CONFIG.step_time_s, CONFIG.step_width_m + vy * CONFIG.step_time_s])
    before = -np.array([vx * CONFIG.step_time_s, -CONFIG.step_width_m + vy * CONFIG.step_time_s])
    end = a * np.array(offset(RECORD, W, 1, vx, vy)) + b * before
    assert end - step == pytest.approx(np.array(offset(RECORD, W, 0, vx, vy)), abs=1e-12)


def feet() -> Array:
    return np.array([[0.0, 0.1, 0.0], [0.0, -0.1, 0.0]])


def on_course(stance: int, vx: float, vy: float) -> tuple[Array, Array]:
    """(DCM, where the weight comes from) of the nominal gait at the start of a step on `stance`."""
    foot, side = feet()[stance, :2], 1.0 if stance == 1 else -1.0
    before = foot - [vx * CONFIG.step_time_s, -side * CONFIG.step_width_m + vy * CONFIG.step_time_s]
    return foot + offset(RECORD, W, stance, vx, vy), before


@pytest.mark.parametrize("stance", [0, 1])
@pytest.mark.parametrize(("vx", "vy"), [(0.0, 0.0), (0.4, 0.0), (0.2, -0.1)])
def test_on_course_the_nominal_step_costs_nothing(stance: int, vx: float, vy: float) -> None:
    dcm, before = on_course(stance, vx, vy)
    foot, side = feet(), 1.0 if stance == 1 else -1.0
    when, x, y, cost = plan(
        RECORD, W, foot, stance, 0.0, 0.0, dcm, before, foot[1 - stance], vx, vy, CONFIG.step_time_s
    )
    assert when == CONFIG.step_time_s
    goal = foot[stance, :2] + [vx * CONFIG.step_time_s, side * CONFIG.step_width_m + vy * CONFIG.step_time_s]
    assert (x, y) == pytest.approx(tuple(goal), abs=1e-9)
    assert cost == pytest.approx(-(CONFIG.keep_m**2), abs=1e-12)


@given(
    stance=st.integers(0, 1), yaw=st.floats(-3, 3), t=st.floats(0, 0.35), dx=st.floats(-0.5, 0.5),
    dy=st.floats(-0.5, 0.5), vx=st.floats(-0.3, 0.6), vy=st.floats(-0.25, 0.25),
)  # fmt: skip
def test_footholds_and_times_stay_within_their_limits(
    stance: int, yaw: float, t: float, dx: float, dy: float, vx: float, vy: float
) -> None:
    foot = feet()
    dcm, before = foot[stance, :2] + [dx, dy], foot[1 - stance, :2]
    side = 1.0 if stance == 1 else -1.0
    turn = np.array([[math.cos(yaw), math.sin(yaw)], [-math.sin(yaw), math.cos(yaw)]])
    swing = np.append(foot[stance, :2] + turn.T @ [0.0, 0.2 * side], 0.0)
    when, x, y, _ = plan(RECORD, W, foot, stance, yaw, t, dcm, before, swing, vx, vy, CONFIG.step_time_s)
    ahead, aside = turn @ (np.array([x, y]) - foot[stance, :2])
    assert CONFIG.step_time_min_s <= when <= CONFIG.step_time_max_s
    assert abs(ahead) <= CONFIG.foothold_ahead_max_m + 1e-9
    assert CONFIG.foothold_aside_min_m - 1e-9 <= side * aside <= CONFIG.foothold_aside_max_m + 1e-9
    reach = CONFIG.swing_speed_max_m_s * max(when - t, 0.02)
    assert math.hypot(x - swing[0], y - swing[1]) <= reach + CONFIG.foothold_aside_min_m + 1e-9


@given(st.floats(0.05, 0.4), st.floats(-3, 3))
def test_a_push_forward_is_answered_by_a_foot_farther_ahead(push: float, yaw: float) -> None:
    foot = feet()
    dcm, before = on_course(1, 0.0, 0.0)
    heading = np.array([math.cos(yaw), math.sin(yaw)])
    turn = np.array([[heading[0], -heading[1]], [heading[1], heading[0]]])
    dcm = foot[1, :2] + turn @ (dcm - foot[1, :2])
    before = foot[1, :2] + turn @ (before - foot[1, :2])
    swing = np.append(foot[1, :2] + turn @ [0.0, 0.2], 0.0)
    calm = plan(RECORD, W, foot, 1, yaw, 0.0, dcm, before, swing, 0.0, 0.0, CONFIG.step_time_s)
    pushed = plan(RECORD, W, foot, 1, yaw, 0.0, dcm + push * heading, before, swing, 0.0, 0.0, CONFIG.step_time_s)
    assert (np.array(pushed[1:3]) - calm[1:3]) @ heading > 0.5 * push


@given(
    stance=st.integers(0, 1), yaw=st.floats(-3, 3), ahead=st.floats(-0.03, 0.03), inside=st.floats(0.02, 0.045)
)  # fmt: skip
def test_the_last_step_of_a_stop_brings_the_dcm_between_the_feet(
    stance: int, yaw: float, ahead: float, inside: float
) -> None:
    side = 1.0 if stance == 1 else -1.0
    turn = np.array([[math.cos(yaw), -math.sin(yaw)], [math.sin(yaw), math.cos(yaw)]])
    foot = feet()
    swing = np.append(foot[stance, :2] + turn @ [0.0, side * CONFIG.step_width_m], 0.0)
    dcm = foot[stance, :2] + turn @ [ahead, side * inside]
    before = foot[stance, :2]
    when, x, y, _ = plan(RECORD, W, foot, stance, yaw, 0.0, dcm, before, swing, 0.0, 0.0, CONFIG.close_time_s, 1.0)
    assert when >= CONFIG.close_time_min_s
    a, _ = transition(W, when, CONFIG.double_support_s, 0.0)
    landed = turn.T @ (np.array([x, y]) - foot[stance, :2])
    end = a * np.array([ahead, side * inside])
    assert abs(end[0] - 0.5 * landed[0]) < CONFIG.close_error_m
    assert abs(end[1] - 0.5 * landed[1]) < CONFIG.close_error_m


def test_margin_is_the_distance_to_the_hulls_edge() -> None:
    points = np.array([[1.0, 1], [-1, 1], [1, -1], [-1, -1], [0.2, 0.1], [1, 1]])
    assert inside_hull(points, 0.0, 0.0) == pytest.approx(1.0)
    assert inside_hull(points, 0.7, 0.2) == pytest.approx(0.3)
    assert inside_hull(points, 0.0, 1.5) == pytest.approx(-0.5)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"step_time_s": 1.0}, "step_time_s"),
        ({"com_height_m": 0.9}, "com_height_m"),
        ({"step_width_m": 0.05}, "step_width_m"),
        ({"foot_follow_per_tick": 1.5}, "foot_follow_per_tick"),
        ({"ik_iterations": 0}, "ik_iterations"),
        ({"contact_n": 0.0}, "contact_n"),
    ],
)
def test_a_value_that_cannot_work_is_refused(change: dict[str, float], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        WalkerConfig(**change)  # type: ignore[arg-type]


def test_negative_noise_is_refused() -> None:
    with pytest.raises(ConfigError, match="gyro_rad_s"):
        SensorNoise(gyro_rad_s=-1.0)
    assert set(vars(SensorNoise.none()).values()) == {0.0}
