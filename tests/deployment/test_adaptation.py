"""The ladder of quality under scripted and arbitrary loads, and the measure of load against brute force."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_sim.deployment.adaptation import ORDER, Adaptation, AdaptationSpec, Event, Knobs, Utilisation
from vla_sim.errors import ConfigError
from vla_sim.mapping import read

PERIOD_S = 0.1
Load = tuple[float, float, float | None]
CALM: Load = (0.3, 0.4, 0.5)
BUSY: Load = (0.95, 0.4, 0.5)

shares = st.floats(0, 1)
loads = st.tuples(shares, shares, st.none() | st.floats(0, 6))


@st.composite
def specs(draw: st.DrawFn) -> AdaptationSpec:
    window_s = draw(st.floats(0.1, 2.0))
    order = draw(st.permutations(ORDER[:-1]))[: draw(st.integers(0, 4))]
    recover_after_s = draw(st.floats(0.1, 6.0))
    return AdaptationSpec(
        window_s=window_s,
        dwell_s=window_s + draw(st.floats(0, 3.0)),
        recover_after_s=recover_after_s,
        recover_max_s=recover_after_s + draw(st.floats(0, 10.0)),
        order=(*order, *ORDER[-1:]) if draw(st.booleans()) else tuple(order),
    )


@st.composite
def histories(draw: st.DrawFn) -> list[Load]:
    """Stretches of one load each, some of a single measurement, so that both spikes and long waits come up."""
    stretches = draw(st.lists(st.tuples(loads, st.sampled_from([1, 2, 7, 30, 120])), max_size=8))
    return [load for load, count in stretches for _ in range(count)]


def play(spec: AdaptationSpec, history: Iterable[Load], period_s: float = PERIOD_S) -> tuple[Adaptation, list[int]]:
    adaptation, levels = Adaptation(spec), []
    for k, load in enumerate(history):
        knobs = adaptation.observe(k * period_s, *load)
        assert knobs == adaptation.knobs == spec.knobs(adaptation.level)
        levels.append(adaptation.level)
    return adaptation, levels


def seconds(load: Load, duration_s: float) -> list[Load]:
    return [load] * round(duration_s / PERIOD_S)


def window_means(spec: AdaptationSpec, history: list[Load], k: int) -> list[float | None]:
    """The means over the window that ends with measurement k, the plain way."""
    inside = [load for i, load in enumerate(history[: k + 1]) if i * PERIOD_S > k * PERIOD_S - spec.window_s + 1e-9]
    columns = ([value for load in inside if (value := load[c]) is not None] for c in range(3))
    return [float(np.mean(column)) if column else None for column in columns]


def is_over(spec: AdaptationSpec, means: list[float | None], slack: float = 1e-9) -> bool:
    limits = (spec.cpu_limit, spec.memory_limit, spec.response_limit_s)
    return any(mean is not None and mean > limit - slack for mean, limit in zip(means, limits, strict=True))


def is_calm(spec: AdaptationSpec, means: list[float | None], slack: float = 1e-9) -> bool:
    limits = (spec.cpu_recover, spec.memory_recover, spec.response_recover_s)
    return all(mean is None or mean < limit + slack for mean, limit in zip(means, limits, strict=True))


# Properties


@given(specs(), histories())
def test_no_step_is_skipped_and_none_follows_too_soon(spec: AdaptationSpec, history: list[Load]) -> None:
    adaptation, levels = play(spec, history)
    assert all(abs(after - before) <= 1 for before, after in pairwise([0, *levels]))
    assert all(0 <= level <= len(spec.order) for level in levels)
    times = [event.time_s for event in adaptation.events]
    assert all(after - before >= spec.dwell_s - 1e-6 for before, after in pairwise(times))
    assert len(times) <= 1 + len(history) * PERIOD_S / spec.dwell_s


@given(specs(), histories())
def test_down_only_above_a_limit_and_up_only_after_calm(spec: AdaptationSpec, history: list[Load]) -> None:
    _, levels = play(spec, history)
    wait_ticks = math.floor((spec.recover_after_s - 1e-6) / PERIOD_S)
    for k, (before, after) in enumerate(pairwise([0, *levels])):
        if after > before:
            assert is_over(spec, window_means(spec, history, k))
        if after < before:
            assert all(is_calm(spec, window_means(spec, history, i)) for i in range(k - wait_ticks, k + 1))


@given(specs(), histories())
def test_when_load_stays_low_full_quality_comes_back(spec: AdaptationSpec, history: list[Load]) -> None:
    steps = len(spec.order)
    longest_s = spec.window_s + steps * (max(spec.recover_max_s, spec.dwell_s) + 2 * PERIOD_S) + 2 * PERIOD_S
    adaptation, levels = play(spec, [*history, *seconds(CALM, longest_s)])
    assert levels[-1:] in ([0], [])
    assert adaptation.knobs == Knobs()


@given(specs(), histories())
def test_when_load_stays_high_the_bottom_is_reached(spec: AdaptationSpec, history: list[Load]) -> None:
    longest_s = 2 * spec.window_s + (len(spec.order) + 1) * (spec.dwell_s + PERIOD_S) + PERIOD_S
    adaptation, _ = play(spec, [*history, *seconds(BUSY, longest_s)])
    assert adaptation.level == len(spec.order)


@given(specs(), histories())
def test_the_events_tell_the_whole_story(spec: AdaptationSpec, history: list[Load]) -> None:
    adaptation, levels = play(spec, history)
    changes = [(k * PERIOD_S, after) for k, (before, after) in enumerate(pairwise([0, *levels])) if after != before]
    assert [(event.time_s, event.level) for event in adaptation.events] == changes
    below_s = sum(PERIOD_S for level in levels[:-1] if level)
    assert adaptation.degraded_s((len(history) - 1) * PERIOD_S) == pytest.approx(below_s, abs=1e-6)


@given(st.lists(st.tuples(st.floats(0, 0.8), st.floats(0, 0.85), st.none() | st.floats(0, 2.0)), max_size=80))
def test_at_its_limits_nothing_is_given_up(history: list[Load]) -> None:
    assert play(AdaptationSpec(), history)[0].events == []


@given(st.sampled_from([0.8, 0.7, 1 / 3, 0.1]), st.integers(1, 60))
def test_rounding_carries_no_mean_over_a_limit(cpu: float, count: int) -> None:
    spec = AdaptationSpec(cpu_limit=cpu, cpu_recover=cpu / 2)
    assert play(spec, [(cpu, 0.0, None)] * count)[0].events == []


# By hand


def test_the_ladder_goes_down_in_its_order_and_back_in_reverse() -> None:
    adaptation, _ = play(AdaptationSpec(), [*seconds(BUSY, 12), *seconds(CALM, 60)])
    said = [event.why.split(":")[0] for event in adaptation.events]
    assert said == [f"{step} given up" for step in ORDER] + [f"{step} taken back" for step in reversed(ORDER)]
    downs, ups = [1.0, 3.0, 5.0, 7.0, 9.0], [17.5, 22.5, 27.5, 32.5, 37.5]  # calm begins at 12.5
    assert [event.time_s for event in adaptation.events] == pytest.approx(downs + ups)
    assert adaptation.events[0] == Event(1.0, 1, "resolution given up: cpu 0.95 > 0.8")
    calm = "control_rate taken back: calm for 5.0 s, cpu 0.30 < 0.6, memory 0.40 < 0.75, response 0.50 s < 1.2 s"
    assert adaptation.events[5].why == calm


def test_what_is_in_force_at_each_level() -> None:
    assert [AdaptationSpec().knobs(level) for level in range(6)] == [
        Knobs(),
        Knobs(0.5),
        Knobs(0.5, 2),
        Knobs(0.5, 2, True),
        Knobs(0.5, 2, True, True),
        Knobs(0.5, 2, True, True, 2),
    ]
    with pytest.raises(ValueError, match=r"a level lies in 0\.\.5, got 6"):
        AdaptationSpec().knobs(6)


@pytest.mark.parametrize(
    ("load", "why"),
    [
        ((0.9, 0.1, 0.1), "cpu 0.90 > 0.8"),
        ((0.1, 0.9, 0.1), "memory 0.90 > 0.85"),
        ((0.1, 0.1, 2.5), "response 2.50 s > 2 s"),
        ((0.9, 0.9, 4.0), "response 4.00 s > 2 s"),
    ],
)
def test_each_threshold_is_one_and_the_worst_is_named(load: Load, why: str) -> None:
    adaptation, _ = play(AdaptationSpec(), seconds(load, 1.5))
    assert [event.why for event in adaptation.events] == [f"resolution given up: {why}"]


def test_a_spike_shorter_than_the_window_is_no_reason() -> None:
    history = [*seconds(CALM, 3), *seconds((1.0, 0.4, 0.5), 0.5), *seconds(CALM, 3)]
    assert play(AdaptationSpec(), history)[0].events == []


def test_between_the_thresholds_nothing_changes() -> None:
    _, levels = play(AdaptationSpec(), [*seconds(BUSY, 2), *seconds((0.7, 0.4, None), 120)])
    assert set(levels[15:]) == {1}


def test_no_answer_speaks_neither_for_nor_against() -> None:
    silent: Load = (0.3, 0.4, None)
    assert play(AdaptationSpec(), [*seconds(BUSY, 1.2), *seconds(silent, 20)])[1][-1] == 0


def test_memory_that_stays_high_keeps_quality_down_though_the_processor_is_idle() -> None:
    _, levels = play(AdaptationSpec(), [*seconds(BUSY, 1.2), *seconds((0.1, 0.8, 0.1), 60)])
    assert levels[-1] == 1


def in_a_loop(spec: AdaptationSpec, cpu_at: Callable[[float, int], float], duration_s: float) -> Adaptation:
    """A plant whose load follows from the level."""
    adaptation = Adaptation(spec)
    for k in range(round(duration_s / PERIOD_S)):
        adaptation.observe(k * PERIOD_S, cpu_at(k * PERIOD_S, adaptation.level), 0.3, None)
    return adaptation


def test_a_load_that_full_quality_always_brings_back_is_tried_ever_less_often() -> None:
    """The classic trap: too much at full quality, calm one step below. Nothing but trying tells that it still is."""
    trap = lambda now_s, level: 0.95 if level == 0 else 0.4  # noqa: E731
    spec = AdaptationSpec()
    events = in_a_loop(spec, trap, 600).events
    ups = [event.time_s for event in events if event.level == 0]
    downs = [event.time_s for event in events if event.level == 1]
    waits = [up - max(down for down in downs if down < up) for up in ups]
    assert waits[:5] == pytest.approx([6, 10, 20, 40, 60], abs=1.2)
    assert max(waits) <= spec.recover_max_s + spec.window_s + 2 * PERIOD_S
    assert len(events) <= 2 * (4 + 600 / spec.recover_max_s)
    impatient = in_a_loop(AdaptationSpec(recover_max_s=spec.recover_after_s), trap, 600).events
    assert len(impatient) > 4 * len(events)


def test_patience_is_forgotten_when_a_step_up_has_proved_right() -> None:
    def squeeze(now_s: float, level: int) -> float:
        return 0.95 if level < 2 and now_s < 120 else 0.4

    ups = [event.time_s for event in in_a_loop(AdaptationSpec(), squeeze, 400).events if event.level < 2]
    second_last, last = ups[-2:]
    assert 120 < second_last < 120 + AdaptationSpec().recover_max_s + 1
    assert last - second_last == pytest.approx(AdaptationSpec().recover_after_s)


def test_patience_is_forgotten_when_load_comes_back_much_later() -> None:
    def bursts(now_s: float, level: int) -> float:
        trap = now_s < 60 or 300 < now_s < 310
        return 0.95 if level == 0 and trap else 0.4

    events = in_a_loop(AdaptationSpec(), bursts, 400).events
    late = [event for event in events if event.time_s > 300]
    assert [event.level for event in late[:2]] == [1, 0]
    assert late[1].time_s - late[0].time_s < AdaptationSpec().recover_after_s + 2 * AdaptationSpec().window_s


@settings(max_examples=10)
@given(st.lists(st.floats(0.05, 0.2), min_size=5, max_size=5), st.floats(0.3, 1.2), st.floats(0, 0.05))
def test_any_steady_world_is_left_in_peace(relief: list[float], burden: float, ripple: float) -> None:
    """Whatever each step saves: in ten minutes of one and the same burden there are few changes."""

    def cpu(now_s: float, level: int) -> float:
        saved = sum(relief[:level])
        return float(np.clip(burden - saved + ripple * math.sin(now_s), 0, 1))

    events = in_a_loop(AdaptationSpec(), cpu, 600).events
    assert len(events) <= 5 + 2 * (4 + 600 / AdaptationSpec().recover_max_s)


def test_the_time_below_full_quality() -> None:
    adaptation, levels = play(AdaptationSpec(), [*seconds(BUSY, 1.2), *seconds(CALM, 30)])
    assert [event.level for event in adaptation.events] == [1, 0]
    down, up = (event.time_s for event in adaptation.events)
    assert adaptation.degraded_s(100.0) == pytest.approx(up - down)
    assert adaptation.degraded_s(down + 2) == pytest.approx(2)
    assert adaptation.degraded_s(0.5) == 0
    assert levels[-1] == 0


def test_what_is_no_measurement_is_refused() -> None:
    adaptation = Adaptation()
    adaptation.observe(1.0, 0.1, 0.1, None)
    with pytest.raises(ValueError, match=r"time goes back from 1\.0 s to 0\.5 s"):
        adaptation.observe(0.5, 0.1, 0.1, None)
    for bad in ((1.5, 0.1, None), (0.1, -0.1, None), (0.1, math.nan, None), (0.1, 0.1, -1.0)):
        with pytest.raises(ValueError, match="must lie in"):
            adaptation.observe(2.0, *bad)


# Configuration


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"cpu_recover": 0.9}, r"cpu_recover: must lie between 0 and cpu_limit = 0\.8, got 0\.9"),
        ({"memory_limit": 1.2}, r"memory_limit: must be above 0 and at most 1, got 1\.2"),
        ({"response_limit_s": 0}, "response_limit_s: must be above 0, got 0"),
        ({"response_recover_s": 2.0}, "response_recover_s: must lie between 0 and response_limit_s = 2"),
        ({"window_s": 0}, "window_s: must be a positive number of seconds, got 0"),
        ({"dwell_s": 0.5}, r"dwell_s: is 0\.5, less than window_s = 1; else a step rests on"),
        ({"recover_max_s": 1.0}, "recover_max_s: is 1, less than recover_after_s = 5"),
        ({"order": ["resolution", "plannr"]}, r"order\.1: unknown step 'plannr'; did you mean 'planner'"),
        ({"order": ["planner", "planner"]}, r"order\.1: 'planner' is given twice"),
        ({"order": ["control_rate", "planner"]}, "order: 'control_rate' must come last"),
        ({"image_scale": 0.4}, r"image_scale: must be one over a whole number above 1, got 0\.4"),
        ({"image_scale": 1.0}, "image_scale: must be one over"),
        ({"perception_every": 1}, "perception_every: must be at least 2, got 1; 1 changes nothing"),
        ({"control_every": 0}, "control_every: must be at least 2"),
        ({"cpu_limt": 0.5}, "cpu_limt: there is no such key; did you mean 'cpu_limit'"),
    ],
)
def test_configuration_that_cannot_work_is_one_line(entries: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=rf"^adaptation\.{message}"):
        read(AdaptationSpec, entries, "adaptation")


def test_rates_that_do_not_divide_are_refused() -> None:
    AdaptationSpec().check_rates(100, 20)  # every 10 ticks an image, every 2 a command
    AdaptationSpec(control_every=5).check_rates(100, 20)
    with pytest.raises(ConfigError, match=r"control_every: 2 does not divide the 5 control .*choose one of: 5$"):
        AdaptationSpec(order=("resolution", "control_rate")).check_rates(100, 20)
    with pytest.raises(ConfigError, match=r"control_every: 3 does not .* choose one of: 2, 5, 10"):
        AdaptationSpec(control_every=3).check_rates(100, 20)
    with pytest.raises(ConfigError, match="30 Hz does not divide 100 Hz"):
        AdaptationSpec().check_rates(100, 30)
    with pytest.raises(ConfigError, match="leave 'control_rate' out of the order"):
        AdaptationSpec(order=("control_rate",)).check_rates(100, 100)
    AdaptationSpec(order=("resolution",), control_every=3).check_rates(100, 20)


# Utilisation


work = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 150), st.sampled_from([0.25, 0.5, 1.0, 2.0])), max_size=25
)


@given(
    work, st.integers(1, 200), st.sampled_from([1.0, 2.0, 3.0]), st.lists(st.integers(1, 600), min_size=1, max_size=5)
)
def test_utilisation_is_what_counting_milliseconds_gives(
    jobs: list[tuple[int, int, float]], window: int, servers: float, asked: list[int]
) -> None:
    used, working = Utilisation(window / 1e3, servers), np.zeros(1000)
    for start, length, share in jobs:
        used.busy(start / 1e3, (start + length) / 1e3, share)
        working[start : start + length] += share
    for now in sorted(asked):
        inside = np.minimum(working[max(now - window, 0) : now], servers)
        assert used.share(now / 1e3) == pytest.approx(inside.mean() / servers, abs=1e-9)


def test_utilisation_by_hand() -> None:
    used = Utilisation(1.0, servers=2)
    assert used.share(0.0) == 0.0
    used.busy(0.0, 3.0)
    assert used.share(0.5) == 0.5
    used.busy(0.75, 1.25)
    assert used.share(1.0) == pytest.approx(0.625)
    assert used.share(1.5) == pytest.approx(0.75)
    assert used.share(3.5) == pytest.approx(0.25)
    assert used.share(9.0) == 0.0


def test_utilisation_forgets_and_says_so() -> None:
    used = Utilisation(1.0)
    used.share(5.0)
    with pytest.raises(ValueError, match=r"time goes back from 5\.0 s to 4\.0 s"):
        used.share(4.0)
    with pytest.raises(ValueError, match="no work"):
        used.busy(2.0, 1.0)
    with pytest.raises(ValueError, match="must be positive"):
        Utilisation(1.0, servers=0)
