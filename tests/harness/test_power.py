"""Powers against simulated experiments, and numbers of episodes against the powers they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_sim.harness.power import (
    MOST_PAIRS,
    advice,
    paired_pairs,
    paired_pairs_connor,
    paired_power,
    unpaired_episodes,
    unpaired_power,
)
from vla_sim.harness.statistics import Z95, mcnemar_exact, paired_difference

TRIALS = 4000


def within_noise(found: float, expected: float, trials: int = TRIALS) -> bool:
    return abs(found - expected) < 3.5 * math.sqrt(expected * (1 - expected) / trials)


@pytest.mark.parametrize(
    ("difference", "discordant", "pairs"), [(0.1, 0.2, 168), (0.1, 0.2, 30), (-0.25, 0.4, 50), (0.0, 0.3, 120)]
)
def test_the_paired_power_is_how_often_mcnemar_rejects(difference: float, discordant: float, pairs: int) -> None:
    rng = np.random.default_rng(17)
    counts = rng.multinomial(
        pairs, [(discordant + difference) / 2, (discordant - difference) / 2, 1 - discordant], TRIALS
    )
    p_values = {(b, c): mcnemar_exact(b, c) for b, c in {(int(b), int(c)) for b, c, _ in counts}}
    rejected = np.mean([p_values[int(b), int(c)] <= 0.05 for b, c, _ in counts])
    assert within_noise(float(rejected), paired_power(difference, discordant, pairs))


@pytest.mark.parametrize(("first", "second", "episodes"), [(0.9, 0.8, 199), (0.6, 0.4, 60), (0.5, 0.5, 100)])
def test_the_unpaired_power_is_how_often_the_pooled_test_rejects(first: float, second: float, episodes: int) -> None:
    rng = np.random.default_rng(23)
    a, b = (rng.binomial(episodes, rate, TRIALS) / episodes for rate in (first, second))
    mean = (a + b) / 2
    rejected = np.abs(a - b) > Z95 * np.sqrt(2 * mean * (1 - mean) / episodes)
    assert float(rejected.mean()) == pytest.approx(unpaired_power(first, second, episodes), abs=0.035)


def test_without_a_difference_the_exact_test_rejects_no_more_than_alpha() -> None:
    assert all(paired_power(0.0, share, pairs) <= 0.05 for share in (0.1, 0.5, 1.0) for pairs in (1, 5, 30, 200))
    assert paired_power(0.0, 0.0, 50) == 0.0
    assert paired_power(0.1, 0.1, 5) == 0.0  # five pairs can never be enough


def test_numbers_known_from_the_literature() -> None:
    assert unpaired_episodes(0.9, 0.8) == 199
    # Connor 1987: (1.96 sqrt(0.2) + 0.8416 sqrt(0.2 - 0.01))^2 / 0.01
    assert paired_pairs_connor(0.1, 0.2) == 155


@settings(max_examples=40, deadline=None)
@given(st.floats(0.03, 0.4), st.floats(1.0, 3.0), st.sampled_from([0.6, 0.8, 0.9]))
def test_the_pairs_asked_for_have_the_power_asked_for(difference: float, times: float, power: float) -> None:
    discordant = min(1.0, difference * times)
    pairs, connor = paired_pairs(difference, discordant, power), paired_pairs_connor(difference, discordant, power)
    assert paired_power(difference, discordant, pairs) >= power
    assert paired_power(difference, discordant, int(0.9 * pairs) - 1) < power
    assert 0.8 * connor - 10 <= pairs <= 1.3 * connor + 15


@given(st.floats(0.05, 0.95), st.floats(0.05, 0.95))
def test_the_episodes_asked_for_have_the_power_asked_for(first: float, second: float) -> None:
    if abs(first - second) < 0.02:
        return
    episodes = unpaired_episodes(first, second)
    assert unpaired_power(first, second, episodes) >= 0.8 - 1e-9
    assert episodes == 1 or unpaired_power(first, second, episodes - 1) < 0.8 + 1e-9
    assert unpaired_episodes(second, first) == episodes


def test_a_clear_difference_needs_no_more_episodes() -> None:
    assert advice(paired_difference([True] * 12, [False] * 12)) == "12 pairs are enough: the difference is clear"


def test_advice_says_what_was_seen_and_what_it_would_take() -> None:
    first = [True] * 24 + [True] * 4 + [False] * 2
    second = [True] * 24 + [False] * 4 + [True] + [False]
    result = paired_difference(first, second)
    chance, needed = paired_power(0.1, 5.5 / 31, 30), paired_pairs(0.1, 5.5 / 31)
    assert advice(result) == (
        f"with 30 pairs a difference of 10 points is seen with {100 * chance:.0f} % probability; "
        f"{needed} pairs would give 80 %"
    )
    assert advice(result, points=0.01).startswith("with 30 pairs a difference of 1 point is seen with")
    assert advice(result, points=1.0).endswith("enough")
    assert advice(result, points=0.001).endswith(f"more than {MOST_PAIRS:,} pairs would be needed for 80 %")


def test_pairs_that_never_differed_are_not_taken_for_pairs_that_never_will() -> None:
    alike = paired_difference([True] * 30, [True] * 30)
    assert f"{paired_pairs(0.05, 0.1)} pairs would give 80 %" in advice(alike, points=0.05)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: paired_power(0.3, 0.2, 10), "difference of 0.3"),
        (lambda: paired_pairs_connor(0.0, 0.2), "equal rates"),
        (lambda: unpaired_episodes(0.5, 0.5), "equal rates"),
        (lambda: unpaired_power(1.5, 0.5, 10), "rate of 1.5"),
        (lambda: paired_pairs(0.1, 0.2, power=0.01), "power 0.01"),
        (lambda: advice(paired_difference([True], [True]), points=0.0), "difference of 0"),
    ],
)
def test_nonsense_is_refused(call: object, says: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=says):
        call()
