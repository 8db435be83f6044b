"""Balance: little support slows the upper body, none holds it, and a walking robot is not asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stages.safety.scenes import SPEC, STEP, command, rules, state, through
from vla_sim.errors import ConfigError
from vla_sim.stages.safety import SafetyConfig, SafetyFilter, TipOverConfig
from vla_sim.types import Mode


@pytest.mark.parametrize("margin", [None, 0.015, 0.05, np.inf])
def test_enough_or_unknown_support_changes_nothing(margin: float | None) -> None:
    wanted = command(joints=STEP)
    assert through(wanted, None, state(support_margin_m=margin)) == (wanted, ())


@pytest.mark.parametrize(("margin", "share"), [(0.012, 0.8), (0.003, 0.2), (0.0, 0.0), (-0.02, 0.0), (np.nan, 0.0)])
def test_little_support_slows_the_upper_body_and_none_holds_it(margin: float, share: float) -> None:
    safe, changes = through(command((0.2, 0.0, 0.0), STEP), None, state(support_margin_m=margin))
    np.testing.assert_allclose(safe.joints_rad, share * STEP, atol=1e-12)
    assert safe.mode is Mode.TRACK
    np.testing.assert_array_equal(safe.base_velocity, [0.2, 0.0, 0.0])  # a step may be what helps
    assert [(c.rule, c.joint, c.limit) for c in changes] == [("tip_over", "joints_rad", 0.015)]
    np.testing.assert_equal(changes[0].value, margin)


def test_a_slow_arm_is_slow_enough() -> None:
    wanted = command(joints=0.5 * STEP)
    assert through(wanted, None, state(support_margin_m=0.01))[0] is wanted
    still = command()
    assert through(still, None, state(support_margin_m=-0.05))[0] is still


def test_while_walking_the_margin_says_nothing() -> None:
    wanted = command((0.3, 0.0, 0.0), STEP)
    assert through(wanted, None, state(support_margin_m=-0.05, standing=False))[0] is wanted


def test_a_mode_without_targets_is_left_alone() -> None:
    wanted = command(mode=Mode.HOLD)
    assert through(wanted, None, state(support_margin_m=-0.05)) == (wanted, ())


@given(st.floats(-0.01, 0.03), st.floats(0.0, 0.02), st.tuples(st.floats(-0.01, 0.01), st.floats(-0.02, 0.02)))
def test_less_support_never_leaves_more_speed(margin: float, less: float, step: tuple[float, float]) -> None:
    safes = [through(command(joints=step), None, state(support_margin_m=m))[0] for m in (margin, margin - less)]
    more, fewer = (np.abs(safe.joints_rad) for safe in safes)
    assert np.all(more <= np.abs(step) + 1e-15)
    assert np.all(fewer <= more + 1e-12)
    again, _ = through(safes[1], None, state(support_margin_m=margin - less))
    np.testing.assert_allclose(again.joints_rad, safes[1].joints_rad, atol=1e-12)


def test_the_threshold_is_a_setting() -> None:
    config = SafetyConfig(tip_over=TipOverConfig(margin_m=0.03))
    safety = SafetyFilter(SPEC, config)
    _, changes = through(command(joints=STEP), None, state(support_margin_m=0.02), safety=safety)
    assert rules(changes) == ["tip_over"]
    with pytest.raises(ConfigError):
        TipOverConfig(margin_m=0.0)
