"""Intervals and tests against a second method: the equation they solve, scipy, or sampling."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from vla_sim.harness.statistics import (
    Z95,
    bootstrap_interval,
    clopper_pearson,
    holm,
    mcnemar_exact,
    paired_difference,
    quantiles,
    wilson,
)


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


@given(st.integers(0, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_the_exact_interval_is_that_of_scipy(case: tuple[int, int], level: float) -> None:
    successes, trials = case
    if trials:
        other = stats.binomtest(successes, trials).proportion_ci(level, method="exact")
        assert clopper_pearson(successes, trials, level) == pytest.approx((other.low, other.high), abs=1e-9)
    else:
        assert clopper_pearson(0, 0) == (0.0, 1.0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_the_closed_test_of_bonferroni(p_values: list[float]) -> None:
    """A hypothesis is rejected when every set it belongs to is, by its own smallest p-value times the set's size."""
    everyone = range(len(p_values))
    for i, adjusted in enumerate(holm(p_values)):
        sets = [s for size in range(1, len(p_values) + 1) for s in combinations(everyone, size) if i in s]
        closed = max(min(1.0, len(s) * min(p_values[j] for j in s)) for s in sets)
        assert adjusted == pytest.approx(closed)


def test_holm_keeps_the_order_given_and_an_empty_family() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([]) == []


def test_the_bootstrap_repeats_itself_and_covers_a_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    truth, covered = 1.0, 0
    for _ in range(400):
        low, high = bootstrap_interval(rng.exponential(truth, 50), lambda rows: rows.mean(axis=1), rng, resamples=400)
        covered += low <= truth <= high
    assert 0.88 < covered / 400 < 0.975  # a skewed mean of fifty: a little under its 95 %

    def again(resamples: int = 500) -> tuple[float, float]:
        return bootstrap_interval(
            range(30), lambda rows: np.median(rows, axis=1), np.random.default_rng(1), resamples=resamples
        )

    assert again() == again()
    assert again() != again(499)


def test_many_values_are_drawn_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vla_sim.harness.statistics.DRAWS_AT_ONCE", 100)
    shapes: list[tuple[int, ...]] = []

    def mean(rows: np.ndarray) -> np.ndarray:
        shapes.append(rows.shape)
        return rows.mean(axis=1)

    bootstrap_interval(np.arange(40.0), mean, np.random.default_rng(1), resamples=5)
    assert shapes == [(2, 40), (2, 40), (1, 40)]
    assert bootstrap_interval([3.0, 3.0], mean, np.random.default_rng(1)) == (3.0, 3.0)
    with pytest.raises(ValueError, match="shape"):
        bootstrap_interval([], mean, np.random.default_rng(1))
