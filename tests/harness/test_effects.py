"""Effect sizes against their definitions, the tests they invert, and sampling."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from vla_sim.harness.effects import (
    EXACT_UP_TO,
    _signed_rank_cut,
    effect_sizes,
    paired_ratio,
    paired_shift,
    ratio_score,
)

pairs_of_outcomes = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)
ratios = st.floats(0.2, 5.0)


def cells(both: int, only_a: int, only_b: int, neither: int) -> tuple[list[bool], list[bool]]:
    first = [True] * (both + only_a) + [False] * (only_b + neither)
    second = [True] * both + [False] * only_a + [True] * only_b + [False] * neither
    return first, second


def test_effect_sizes_by_hand() -> None:
    found = effect_sizes(*cells(20, 6, 2, 2))
    exact = stats.binomtest(6, 8).proportion_ci(method="exact")
    assert found.cohens_g == pytest.approx(0.25)
    assert found.odds_ratio == pytest.approx(3.0)
    assert (found.odds_low, found.odds_high) == pytest.approx(
        (exact.low / (1 - exact.low), exact.high / (1 - exact.high))
    )
    assert found.cohens_h == pytest.approx(2 * math.asin(math.sqrt(26 / 30)) - 2 * math.asin(math.sqrt(22 / 30)))


def test_effect_sizes_without_discordant_pairs_or_without_losses() -> None:
    alike = effect_sizes(*cells(5, 0, 0, 1))
    assert (alike.cohens_g, alike.odds_ratio, alike.odds_low, alike.odds_high) == (None, None, None, None)
    assert alike.cohens_h == 0.0
    won = effect_sizes(*cells(5, 4, 0, 1))
    assert (won.odds_ratio, won.odds_high) == (None, None)
    assert won.odds_low is not None
    assert won.odds_low > 0


@given(pairs_of_outcomes)
def test_effect_sizes_change_sign_with_the_order(pairs: list[tuple[bool, bool]]) -> None:
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    there, back = effect_sizes(first, second), effect_sizes(second, first)
    assert there.cohens_h == pytest.approx(-back.cohens_h)
    if there.cohens_g is not None and back.cohens_g is not None:
        assert there.cohens_g == pytest.approx(-back.cohens_g)
    if there.odds_ratio and back.odds_ratio:
        assert there.odds_ratio * back.odds_ratio == pytest.approx(1.0)


@given(pairs_of_outcomes)
def test_at_ratio_one_the_score_is_mcnemars(pairs: list[tuple[bool, bool]]) -> None:
    first, second = np.array([a for a, _ in pairs]), np.array([b for _, b in pairs])
    b, c = int((first & ~second).sum()), int((~first & second).sum())
    expected = (b - c) / math.sqrt(b + c) if b + c else 0.0
    assert ratio_score(first, second, 1.0) == pytest.approx(expected, abs=1e-7)


@settings(max_examples=60)
@given(st.tuples(*[st.integers(0, 25)] * 4).filter(any), ratios)
def test_the_score_maximises_the_likelihood_under_its_constraint(
    counts: tuple[int, int, int, int], ratio: float
) -> None:
    """The variance comes from the most likely cells; a search over all cells with that ratio finds no better ones."""
    both, only_a, only_b, _ = counts
    n = sum(counts)
    p_second = np.linspace(1e-4, min(1.0, 1 / ratio) - 1e-4, 220)[:, None]  # rate of the second
    share = np.linspace(1e-4, 1 - 1e-4, 220)[None, :]
    p_first = ratio * p_second
    least, most = np.maximum(0.0, p_first + p_second - 1), np.minimum(p_first, p_second)
    p_both = least + share * (most - least)
    p = [p_both, p_first - p_both, p_second - p_both, 1 - p_first - p_second + p_both]
    likelihood = sum(
        count * np.log(np.maximum(cell, 1e-300)) if count else np.zeros_like(cell)
        for count, cell in zip(counts, p, strict=True)
    )
    best = np.unravel_index(np.argmax(likelihood), likelihood.shape)
    discordance = float((p[1] + p[2])[best])
    excess = ((both + only_a) - ratio * (both + only_b)) / n
    found = ratio_score(*cells(*counts), ratio)
    assert found == pytest.approx(excess / math.sqrt(ratio * discordance / n), rel=0.12, abs=0.12)


@settings(max_examples=60)
@given(pairs_of_outcomes)
def test_the_interval_of_the_ratio_ends_where_the_score_rejects(pairs: list[tuple[bool, bool]]) -> None:
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    found, back = paired_ratio(first, second), paired_ratio(second, first)
    if found.ratio is not None:
        assert found.low <= found.ratio + 1e-9
        assert found.high is not None
        assert found.ratio <= found.high + 1e-9
        assert ratio_score(first, second, found.high) == pytest.approx(-1.96, abs=1e-3)
    if found.low > 0:
        assert ratio_score(first, second, found.low) == pytest.approx(1.96, abs=1e-3)
        assert back.high == pytest.approx(1 / found.low, rel=1e-6)


def test_the_interval_of_the_ratio_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(11)
    trials, episodes = 800, 40
    second = rng.random((trials, episodes)) < 0.8
    first = np.where(rng.random((trials, episodes)) < 0.7, second, rng.random((trials, episodes)) < 0.5)
    truth = (0.7 * 0.8 + 0.3 * 0.5) / 0.8
    found = [paired_ratio(a, b) for a, b in zip(first, second, strict=True)]
    covered = np.mean([r.low <= truth <= (r.high or math.inf) for r in found])
    assert 0.93 < covered < 0.975


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=1, max_size=40))
def test_a_shift_is_antisymmetric_and_moves_with_its_data(pairs: list[tuple[int, int]]) -> None:
    first, second = np.array([a for a, _ in pairs], float), np.array([b for _, b in pairs], float)
    there, back, moved = paired_shift(first, second), paired_shift(second, first), paired_shift(first + 8, second)
    assert there.shift is not None
    assert back.shift == pytest.approx(-there.shift)
    assert moved.shift == pytest.approx(there.shift + 8)
    assert back.p_value == pytest.approx(there.p_value)
    assert back.rank_biserial == pytest.approx(-(there.rank_biserial or 0.0))
    if there.low is not None and there.high is not None:
        assert there.low <= there.shift <= there.high
        assert (back.low, back.high) == pytest.approx((-there.high, -there.low))
    else:
        assert len(pairs) < 6


@pytest.mark.parametrize("n", [6, 12, 25])
def test_the_interval_of_a_shift_is_what_wilcoxon_does_not_reject(n: int) -> None:
    change = np.random.default_rng(n).normal(0.4, 1.0, n)
    found = paired_shift(change, np.zeros(n))
    assert found.low is not None
    assert found.high is not None
    assert found.p_value == pytest.approx(stats.wilcoxon(change, method="exact").pvalue)
    inside = 1e-6
    for end, inwards in ((found.low, inside), (found.high, -inside)):
        assert stats.wilcoxon(change - end - inwards, method="exact").pvalue > 0.05
        assert stats.wilcoxon(change - end + inwards, method="exact").pvalue <= 0.05


def test_where_the_normal_takes_over_it_agrees_with_the_exact_distribution() -> None:
    exact = _signed_rank_cut(EXACT_UP_TO, 0.025)
    approximate = _signed_rank_cut(EXACT_UP_TO + 1, 0.025)
    assert exact is not None
    assert approximate is not None
    assert 0 < approximate - exact < 0.02 * exact


def test_unmeasured_pairs_are_left_out_and_none_are_an_answer_too() -> None:
    found = paired_shift([1.0, math.nan, 3.0, 5.0], [0.5, 1.0, math.nan, 5.0])
    assert (found.pairs, found.left_out) == (2, 2)
    assert found.shift == pytest.approx(0.25)
    empty = paired_shift([math.nan], [1.0])
    assert (empty.pairs, empty.left_out, empty.shift, empty.p_value) == (0, 1, None, None)
    same = paired_shift([0.1 + 0.2] * 8, [0.3] * 8)  # equal but for the last bit
    assert (same.shift, same.p_value, same.rank_biserial) == (0.0, 1.0, 0.0)
    with pytest.raises(ValueError, match="paired values"):
        paired_shift([1.0], [1.0, 2.0])
