"""The emergency stop: while it is on, a robot at rest is all that passes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.stages.safety.scenes import around, command, rules, same, through
from vla_sim.stages.safety import EmergencyStop, Surroundings
from vla_sim.types import Array, Command, Mode

STOPPED = Surroundings(stop_latched=True)
BEFORE = command(joints=(0.3, -0.2))


def test_everything_that_moves_is_replaced_by_rest() -> None:
    for wanted in (command((0.4, 0.0, 0.2), (0.31, -0.2)), command((0.0, 0.0, 0.2), mode=Mode.HOLD)):
        safe, changes = through(wanted, STOPPED, previous=BEFORE)
        assert same(safe, command(joints=BEFORE.joints_rad, mode=Mode.HOLD))
        assert rules(changes) == ["e_stop"]
    _, changes = through(command((0.4, 0.0, 0.2)), STOPPED, previous=BEFORE)
    assert (changes[0].value, changes[0].limit) == (0.4, 0.0)


def test_even_a_command_to_stay_becomes_a_hold() -> None:
    assert through(BEFORE, STOPPED, previous=BEFORE)[0].mode is Mode.HOLD


@pytest.mark.parametrize("mode", [Mode.HOLD, Mode.DAMP])
def test_rest_passes(mode: Mode) -> None:
    wanted = command(joints=BEFORE.joints_rad, mode=mode)
    assert through(wanted, STOPPED, previous=BEFORE) == (wanted, ())


def test_a_robot_that_gives_way_is_stopped_but_not_stiffened() -> None:
    assert through(command((0.4, 0.0, 0.0), mode=Mode.DAMP), STOPPED, previous=BEFORE)[0].mode is Mode.DAMP


def test_off_it_changes_nothing() -> None:
    wanted = command((0.4, 0.0, 0.2))
    assert through(wanted, around())[0] is wanted


@given(
    hnp.arrays(np.float64, 2, elements=st.floats()),
    hnp.arrays(np.float64, 3, elements=st.floats()),
    hnp.arrays(np.float64, 2, elements=st.floats(-1, 1) | st.just(np.nan)),
    st.sampled_from(Mode),
)
def test_whatever_comes_in_nothing_moves(joints: Array, base: Array, before: Array, mode: Mode) -> None:
    wanted, previous = Command(joints, np.ones(1), base, mode), Command(before, np.ones(1))
    safe, _ = through(wanted, STOPPED, previous=previous)
    assert not safe.base_velocity.any()
    assert safe.mode is not Mode.TRACK
    known = np.isfinite(before)
    if mode is not Mode.HOLD and mode is not Mode.DAMP:
        np.testing.assert_array_equal(safe.joints_rad[known], before[known])
    assert np.isfinite(safe.joints_rad).all()


def test_only_a_reset_releases_it() -> None:
    stop = EmergencyStop()
    assert not stop.latched
    stop.latch("heard stop")
    stop.latch("something else")
    assert (stop.latched, stop.reason) == (True, "heard stop")
    stop.latch("")
    assert stop.reason == "heard stop"
    stop.reset()
    assert (stop.latched, stop.reason) == (False, "")
    stop.latch("")
    assert stop.latched
