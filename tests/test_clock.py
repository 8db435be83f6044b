from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_sim.clock import Stopwatch, VirtualClock, period_ns, to_ns


def never() -> bool:
    return False


@given(st.lists(st.integers(0, 20), max_size=40))
def test_events_run_in_the_order_of_time_and_equal_times_in_the_order_given(times_ns: list[int]) -> None:
    clock, seen = VirtualClock(), list[tuple[int, int]]()
    for i, when_ns in enumerate(times_ns):
        clock.call_at_ns(when_ns, lambda i=i: seen.append((clock.now_ns, i)))  # type: ignore[misc]
    clock.run(never)
    assert seen == sorted((when_ns, i) for i, when_ns in enumerate(times_ns))


def test_an_event_may_add_one_at_its_own_instant_which_runs_after_those_already_there() -> None:
    clock, seen = VirtualClock(), list[str]()

    def first() -> None:
        seen.append("first")
        clock.call_in(0.0, lambda: seen.append("added"))

    clock.call_at_ns(5, first)
    clock.call_at_ns(5, lambda: seen.append("second"))
    clock.run(never)
    assert seen == ["first", "second", "added"]
    assert clock.now_ns == 5


def test_ticks_of_different_rates_meet_exactly() -> None:
    control, camera = period_ns(100), period_ns(20)
    assert 15 * control == 3 * camera == to_ns(0.15)


def test_run_stops_when_told_and_goes_on_later() -> None:
    clock, seen = VirtualClock(), list[float]()
    for delay_s in (0.1, 0.2, 0.3):
        clock.call_in(delay_s, lambda: seen.append(clock.now_s))
    clock.run(lambda: len(seen) == 2)
    assert seen == [0.1, 0.2]
    clock.run(lambda: True)
    assert seen == [0.1, 0.2]
    clock.run(never)
    assert seen == [0.1, 0.2, 0.3]
    assert clock.now_s == 0.3


def test_the_past_is_closed() -> None:
    clock = VirtualClock()
    clock.call_in(1.0, lambda: None)
    clock.run(never)
    with pytest.raises(ValueError, match="lies before now"):
        clock.call_at_ns(to_ns(1.0) - 1, lambda: None)
    with pytest.raises(ValueError, match="lies before now"):
        clock.call_in(-1e-9, lambda: None)


@pytest.mark.parametrize(("rate_hz", "expected_ns"), [(100, 10_000_000), (500, 2_000_000), (0.5, 2_000_000_000)])
def test_period(rate_hz: float, expected_ns: int) -> None:
    assert period_ns(rate_hz) == expected_ns


@pytest.mark.parametrize("rate_hz", [0, -1, float("nan"), 30, 60, 3, 1e9])
def test_a_rate_without_an_exact_period_is_an_error(rate_hz: float) -> None:
    with pytest.raises(ValueError, match=r"rate|period"):
        period_ns(rate_hz)


@given(st.integers(0, 10**15))
def test_seconds_and_nanoseconds_convert_without_loss_over_days(when_ns: int) -> None:
    assert to_ns(when_ns / 1e9) == when_ns


def test_a_stopwatch_never_runs_back() -> None:
    watch = Stopwatch()
    first = watch.elapsed_s
    assert 0 <= first <= watch.elapsed_s
