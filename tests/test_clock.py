from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vla_sim.clock import (
    NS,
    Stopwatch,
    VirtualClock,
    divides,
    exact_rate,
    nearest_divisor_hz,
    tick_ns,
    ticks_between,
    to_ns,
)


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
    assert tick_ns(15, 100) == tick_ns(3, 20) == to_ns(0.15)


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


# Rates

whole_rates = st.integers(1, 2000).map(float)
rates = st.one_of(whole_rates, st.integers(1, 10**6).map(lambda thousandths: thousandths / 1000))


@pytest.mark.parametrize(
    ("tick", "rate_hz", "expected_ns"),
    [
        (1, 100, 10_000_000), (7, 500, 14_000_000), (1, 0.5, 2_000_000_000), (0, 30, 0), (1, 30, 33_333_333),
        (2, 30, 66_666_667), (3, 30, 100_000_000), (15 * 3600, 15, 3600 * NS), (10, 33.3, 300_300_300),
    ],
)  # fmt: skip
def test_when_a_tick_is(tick: int, rate_hz: float, expected_ns: int) -> None:
    assert tick_ns(tick, rate_hz) == expected_ns


@given(st.integers(1, 500), st.integers(1, 200), st.integers(0, 10**7))
def test_every_camera_tick_is_a_control_tick(slow_hz: int, factor: int, tick: int) -> None:
    camera_hz, control_hz = float(slow_hz), float(slow_hz * factor)
    assert ticks_between(camera_hz, control_hz) == factor
    assert tick_ns(tick, camera_hz) == tick_ns(tick * factor, control_hz)


@given(rates, st.integers(0, 3600))
def test_whole_seconds_stay_whole_seconds_for_an_hour(rate_hz: float, second: int) -> None:
    """No drift: after as many ticks as 1,000 s have, 1,000 s have passed, however odd the rate."""
    per_1000_s = round(rate_hz * 1000)  # a whole number for rates with three decimals
    assert tick_ns(per_1000_s * second, rate_hz) == 1000 * NS * second


@given(rates, st.integers(0, 10**8))
def test_a_tick_is_within_half_a_nanosecond_of_its_time_and_periods_differ_by_one_at_most(
    rate_hz: float, tick: int
) -> None:
    exact = Fraction(tick * NS * 1000, round(rate_hz * 1000))
    assert abs(tick_ns(tick, rate_hz) - exact) <= Fraction(1, 2)
    first, second = (tick_ns(tick + i + 1, rate_hz) - tick_ns(tick + i, rate_hz) for i in (0, 1))
    assert abs(first - second) <= 1


@given(st.one_of(rates, st.just(4e5), st.just(8e5)), st.integers(0, 10**8))
def test_a_tick_is_its_exact_time_rounded_halves_to_even(rate_hz: float, tick: int) -> None:
    assert tick_ns(tick, rate_hz) == round(Fraction(tick * NS) / exact_rate(rate_hz))


def test_halves_go_both_ways() -> None:
    assert [tick_ns(tick, 256e3) for tick in (1, 2, 3)] == [3906, 7812, 11719]  # 3906.25, 7812.5, 11718.75
    assert tick_ns(6, 256e3) == 23438  # 23437.5


@given(st.integers(0, 10**6))
def test_rates_of_whole_periods_tick_as_they_always_did(tick: int) -> None:
    assert tick_ns(tick, 100.0) == tick * 10_000_000
    assert tick_ns(tick, 20) == tick * 50_000_000
    assert tick_ns(tick, 500.0) == tick * 2_000_000


@given(rates, st.integers(0, 10**6))
def test_a_tick_is_what_its_seconds_round_to(rate_hz: float, tick: int) -> None:
    """Who keeps the time as seconds gets the same instant back (an hour of them; a tie may fall either way)."""
    exact = Fraction(tick * NS * 1000, round(rate_hz * 1000))
    assume(exact < 3600 * NS)
    assume(abs(exact % 1 - Fraction(1, 2)) > Fraction(1, 500))
    assert to_ns(tick / rate_hz) == tick_ns(tick, rate_hz)


@pytest.mark.parametrize("rate_hz", [0, -1, float("nan"), float("inf"), 2e6])
def test_what_is_no_rate_is_an_error(rate_hz: float) -> None:
    for use in (exact_rate, lambda rate: tick_ns(1, rate), lambda rate: ticks_between(rate, 100.0)):
        with pytest.raises(ValueError, match=r"rate|faster"):
            use(rate_hz)
    assert not divides(rate_hz, 100.0)


@pytest.mark.parametrize(("slow_hz", "fast_hz"), [(30, 100), (200, 100), (33.3, 100), (100 / 3, 100), (70, 500)])
def test_rates_that_do_not_divide_are_an_error(slow_hz: float, fast_hz: float) -> None:
    with pytest.raises(ValueError, match="does not divide"):
        ticks_between(slow_hz, fast_hz)
    assert not divides(slow_hz, fast_hz)


@pytest.mark.parametrize(
    ("rate_hz", "fast_hz", "expected_hz"),
    [
        (30, 100, 25),
        (40, 100, 50),
        (200, 100, 100),
        (16, 100, 12.5),
        (22.5, 100, 25),
        (30, 150, 30),
        (1e-6, 1, 0.001),
    ],
)
def test_the_nearest_rate_that_divides(rate_hz: float, fast_hz: float, expected_hz: float) -> None:
    assert nearest_divisor_hz(rate_hz, fast_hz) == expected_hz


@given(rates, whole_rates)
def test_the_nearest_rate_divides_and_none_closer_does(rate_hz: float, fast_hz: float) -> None:
    near = nearest_divisor_hz(rate_hz, fast_hz)
    assert divides(near, fast_hz)
    tried = (Fraction(round(fast_hz), n) for n in range(1, 2000))
    writable = [float(rate) for rate in tried if (rate * 1000).denominator == 1]
    assert abs(near - rate_hz) <= min(abs(rate - rate_hz) for rate in writable)


# Seconds


@given(st.integers(0, 10**15))
def test_seconds_and_nanoseconds_convert_without_loss_over_days(when_ns: int) -> None:
    assert to_ns(when_ns / 1e9) == when_ns


def test_a_stopwatch_never_runs_back() -> None:
    watch = Stopwatch()
    first = watch.elapsed_s
    assert 0 <= first <= watch.elapsed_s
