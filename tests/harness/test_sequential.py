"""Stopping early: wrong no more often than promised although it looks after every episode, and early indeed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from vla_sim.errors import ConfigError
from vla_sim.harness.sequential import Sequential, StopRule, Verdict, decided, decision
from vla_sim.harness.statistics import confidence_sequence, mcnemar_exact, wilson
from vla_sim.mapping import read

RULE = StopRule()
outcomes = st.lists(st.booleans(), max_size=120)


def first_decision(rng: np.random.Generator, first: float, second: float, limit: int, alpha: float) -> tuple[str, int]:
    """Winner ("" if open after `limit` pairs) and pairs played, of two independent variants."""
    found = Sequential(alpha)
    for a, b in zip(rng.random(limit) < first, rng.random(limit) < second, strict=True):
        if found.add(bool(a), bool(b)):
            break
    return found.decision or "", found.pairs


@pytest.mark.parametrize(("rate", "alpha"), [(0.5, 0.05), (0.85, 0.05), (0.6, 0.2)])
def test_equal_variants_are_told_apart_no_more_often_than_alpha(rate: float, alpha: float) -> None:
    rng = np.random.default_rng(41)
    streams = 400
    wrong = np.mean([first_decision(rng, rate, rate, 300, alpha)[0] != "" for _ in range(streams)])
    assert wrong <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / streams)


def test_looking_again_and_again_at_a_fixed_sample_test_would_be_wrong_more_often() -> None:
    """The very streams on which McNemar's test, asked after every pair, errs far beyond its five percent."""
    rng = np.random.default_rng(41)
    wrong = 0
    for _ in range(200):
        first_wins = np.cumsum(rng.random(200) < 0.5)
        wrong += any(mcnemar_exact(int(b), n - int(b)) <= 0.05 for n, b in enumerate(first_wins, 1))
    assert wrong / 200 > 0.15


def test_a_large_difference_is_decided_early_and_for_the_better() -> None:
    rng = np.random.default_rng(5)
    found = [first_decision(rng, 0.95, 0.4, 200, 0.05) for _ in range(200)]
    assert all(winner == "first" for winner, _ in found)
    assert np.median([pairs for _, pairs in found]) < 20
    assert first_decision(rng, 0.4, 0.95, 200, 0.05)[0] == "second"


def test_variants_closer_than_the_margin_are_alike() -> None:
    rng = np.random.default_rng(9)
    found = Sequential(0.05, margin=0.1)
    while found.decision is None and found.pairs < 2000:
        a = bool(rng.random() < 0.9)
        found.add(a, a if rng.random() < 0.97 else not a)
    assert found.decision == "alike"
    low, high = found.interval
    assert -0.1 < low <= 0 <= high < 0.1
    decided_at = found.pairs
    for _ in range(200):
        found.add(True, False)  # whatever comes then
    assert (found.decision, found.pairs) == ("alike", decided_at + 200)


@settings(max_examples=50)
@given(st.integers(0, 60), st.integers(0, 60))
def test_the_mixture_is_the_integral_it_stands_for(b: int, c: int) -> None:
    found = Sequential()
    for _ in range(b):
        found.add(True, False)
    for _ in range(c):
        found.add(False, True)
    mixture, _ = integrate.quad(
        lambda angle: math.sin(angle) ** (2 * b) * math.cos(angle) ** (2 * c), 0, math.pi / 2, epsabs=0
    )
    expected = min(1.0, 0.5 ** (b + c) / (mixture * 2 / math.pi))
    assert found.p_value == pytest.approx(expected, rel=1e-6)


@given(st.integers(0, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_confidence_sequence_is_wider_than_an_interval_for_one_look(case: tuple[int, int]) -> None:
    successes, trials = case
    low, high = confidence_sequence(successes, trials)
    fixed_low, fixed_high = wilson(successes, trials)
    assert 0 <= low <= fixed_low + 0.02
    assert fixed_high - 0.02 <= high <= 1
    mirrored = confidence_sequence(trials - successes, trials)
    assert (1 - high, 1 - low) == pytest.approx(mirrored, abs=1e-8)


def test_a_confidence_sequence_holds_at_all_times_together() -> None:
    rng = np.random.default_rng(2)
    streams, length = 300, 150
    for rate in (0.5, 0.9):
        counts = np.cumsum(rng.random((streams, length)) < rate, axis=1)
        # That the rate left the sequence at some time is that the mixture's evidence against it passed 1/alpha.
        n = np.arange(1, length + 1)
        left = [
            any(
                not low <= rate <= high for low, high in (confidence_sequence(int(row[i]), i + 1) for i in (4, 29, 149))
            )
            for row in counts
        ]
        prior = stats.betabinom(n, 0.5, 0.5)
        evidence = prior.logpmf(counts) - stats.binom.logpmf(counts, n, rate)
        ever = (evidence >= math.log(20)).any(axis=1)
        assert ever.mean() <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / streams)
        assert not (np.array(left) & ~ever).any()


@pytest.mark.parametrize(("rate", "wrong"), [(0.85, "passes"), (0.95, "fails")])
def test_a_gate_is_judged_wrongly_no_more_often_than_alpha(rate: float, wrong: Verdict) -> None:
    rng = np.random.default_rng(31)
    streams = 500
    found = [decision((rng.random(600) < rate).tolist(), RULE) for _ in range(streams)]
    assert found.count(None) < 0.01 * streams  # 600 episodes nearly always do
    assert found.count(wrong) / streams <= 0.05 / 0.95 + 3 * math.sqrt(0.05 * 0.95 / streams)


def test_what_is_clear_is_decided_early() -> None:
    assert decision([False] * 9, RULE) is None
    assert decision([False] * 10, RULE) == "fails"
    assert decision([True] * 26, RULE) is None
    assert decision([True] * 27, RULE) == "passes"  # 27 log(0.95/0.85) > log(19)
    assert decision([], RULE) is None
    assert not decided([False] * 500, None)


def test_one_failure_refutes_a_limit_of_one_once_it_is_asked() -> None:
    rule = StopRule("success_rate >= 1", least=5)
    assert decision([True, False, True, True], rule) is None
    assert decision([True, False, True, True, True], rule) == "fails"
    assert decision([True] * 200, rule) == "passes"


@given(outcomes, outcomes)
def test_what_is_decided_stays_decided(before: list[bool], after: list[bool]) -> None:
    said = decision(before, RULE)
    if said is not None:
        assert decision(before + after, RULE) == said
    assert decided(before, RULE) is (said is not None)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"gate": "falls <= 0"}, "stop_when.gate: cannot stop on 'falls <= 0'"),
        ({"gate": "success_rate <= 0.5"}, "cannot stop on"),
        ({"gate": "success_rate >= 90"}, "a success rate of 90"),
        ({"gate": "most"}, "cannot read 'most'"),
        ({"alpha": 0.7}, "stop_when.alpha: must lie between 0 and 0.5"),
        ({"least": 0}, "stop_when.least"),
        ({"margin": 0.0}, "stop_when.margin"),
        ({"leats": 5}, "did you mean 'least'"),
    ],
)
def test_a_rule_that_cannot_work_is_refused(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read(StopRule, changes, "stop_when")
    with pytest.raises(ConfigError, match="alpha"):
        Sequential(1.5)
