"""Intervals and tests against a second method: the equation they solve, scipy, or sampling."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from vla_sim.harness.statistics import Z95, mcnemar_exact, paired_difference, quantiles, wilson


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_bounds_solve_the_score_equation(case: tuple[int, int]) -> None:
    successes, trials = case
    low, high = wilson(successes, trials)
    rate = successes / trials
    assert 0 <= low <= rate <= high <= 1
    for bound in {low, high} - {0.0, 1.0}:
        assert abs(rate - bound) == pytest.approx(Z95 * math.sqrt(bound * (1 - bound) / trials), rel=1e-9)


@pytest.mark.parametrize(("successes", "trials"), [(0, 5), (5, 5), (27, 30), (1, 300)])
def test_wilson_agrees_with_scipy(successes: int, trials: int) -> None:
    other = stats.binomtest(successes, trials).proportion_ci(method="wilson")
    assert wilson(successes, trials) == pytest.approx((other.low, other.high), abs=1e-12)


def test_wilson_without_trials_knows_nothing_and_refuses_nonsense() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="3 successes in 2 trials"):
        wilson(3, 2)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_test(b: int, c: int) -> None:
    expected = stats.binomtest(b, b + c, 0.5).pvalue if b + c else 1.0
    assert mcnemar_exact(b, c) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_survives_many_episodes() -> None:
    assert 0 < mcnemar_exact(1000, 1200) < 0.001


outcomes = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=80)


@given(outcomes)
def test_paired_difference_is_antisymmetric_and_inside_its_interval(pairs: list[tuple[bool, bool]]) -> None:
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    there, back = paired_difference(first, second), paired_difference(second, first)
    assert there.difference == pytest.approx(np.mean(first) - np.mean(second))
    assert -1 <= there.low <= there.difference + 1e-12
    assert there.difference <= there.high + 1e-12 <= 1 + 1e-9
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert there.p_value == back.p_value


def test_paired_interval_covers_the_true_difference_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    trials, episodes = 1500, 40
    first = rng.random((trials, episodes)) < 0.85
    second = np.where(rng.random((trials, episodes)) < 0.6, first, rng.random((trials, episodes)) < 0.5)
    truth = 0.85 - (0.6 * 0.85 + 0.4 * 0.5)
    found = [paired_difference(a, b) for a, b in zip(first, second, strict=True)]
    covered = float(np.mean([d.low <= truth <= d.high for d in found]))
    assert 0.93 < covered < 0.985


def test_pairing_narrows_the_interval() -> None:
    first = np.array([True] * 30 + [False] * 10)
    second = np.array([True] * 26 + [False] * 14)
    paired, crossed = paired_difference(first, second), paired_difference(first, second[::-1])
    assert paired.difference == crossed.difference
    assert paired.high - paired.low < 0.7 * (crossed.high - crossed.low)


def test_unequal_outcomes_are_refused() -> None:
    with pytest.raises(ValueError, match="paired outcomes"):
        paired_difference([True], [True, False])


def test_quantiles_of_known_values_and_of_none() -> None:
    assert quantiles(range(101), ("p50", "p95", "p999", "max")) == pytest.approx(
        {"p50": 50, "p95": 95, "p999": 99.9, "max": 100}
    )
    assert quantiles([]) == {"p50": None, "p95": None, "p99": None, "max": None}
