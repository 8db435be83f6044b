"""How large a difference between two variants is, on the same episodes: effect sizes, ratios, shifts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vla_sim.harness.statistics import Z95, clopper_pearson

Values = NDArray[np.float64]
EXACT_UP_TO = 200  # pairs: above, the normal approximation of the signed ranks is good to four digits
DECIMALS = 12  # of differences, so that equal ones tie although they were computed in floating point
RATIO_RANGE = (1e-6, 1e6)


@dataclass(frozen=True)
class EffectSizes:
    """Of the success of the first against the second. None: undefined, or for `odds_high` without an upper end.

    `cohens_g`: share of the discordant pairs won by the first, less a half (0.05 small, 0.15 medium, 0.25 large).
    `odds_ratio`: pairs won by the first to pairs won by the second, with an exact 95 % interval.
    `cohens_h`: difference of the rates on the arcsine scale (0.2 small, 0.5 medium, 0.8 large).
    """

    cohens_g: float | None
    odds_ratio: float | None
    odds_low: float | None
    odds_high: float | None
    cohens_h: float


@dataclass(frozen=True)
class PairedRatio:
    """Success rate of the first over that of the second, with a score interval. None: without bound or undefined."""

    pairs: int
    ratio: float | None
    low: float
    high: float | None


@dataclass(frozen=True)
class PairedShift:
    """A measured quantity of the first less that of the second. Pairs of which one was not measured are left out.

    `shift` is the Hodges-Lehmann estimate; its 95 % interval goes with the signed-rank test and is None with fewer than
    six pairs. `rank_biserial` (-1 to 1): share of the ranks that say the first is larger, less those that say smaller.
    """

    pairs: int
    left_out: int
    shift: float | None
    low: float | None
    high: float | None
    p_value: float | None  # Wilcoxon signed-rank, two-sided
    rank_biserial: float | None


def effect_sizes(first: ArrayLike, second: ArrayLike) -> EffectSizes:
    """Effect sizes (Cohen 1988) of paired outcomes, bool[n] each. Raises ValueError as `paired_difference` does."""
    (both, only_a, only_b, _), n = _cells(first, second)
    h = 2 * math.asin(math.sqrt((both + only_a) / n)) - 2 * math.asin(math.sqrt((both + only_b) / n))
    discordant = only_a + only_b
    if not discordant:
        return EffectSizes(None, None, None, None, h)
    low, high = clopper_pearson(only_a, discordant)
    return EffectSizes(
        cohens_g=only_a / discordant - 0.5,
        odds_ratio=only_a / only_b if only_b else None,
        odds_low=low / (1 - low),
        odds_high=high / (1 - high) if high < 1 else None,
        cohens_h=h,
    )


def ratio_score(first: ArrayLike, second: ArrayLike, ratio: float) -> float:
    """Standard-normal score against "the first succeeds `ratio` times as often as the second" on paired episodes.

    Large when the first is better than that. Nam and Blackwelder (2002), Tang, Tang and Chan (2003); at ratio 1 it is
    McNemar's. `first`, `second`: bool[n]; `ratio` > 0.
    """
    cells, n = _cells(first, second)
    return _score(cells, n, ratio)


def paired_ratio(first: ArrayLike, second: ArrayLike, z: float = Z95) -> PairedRatio:
    """Ratio of two success rates on paired episodes: those ratios that `ratio_score` does not reject."""
    from scipy.optimize import brentq

    cells, n = _cells(first, second)
    won_a, won_b = cells[0] + cells[1], cells[0] + cells[2]

    def bound(level: float) -> float:
        least, most = (math.log(end) for end in RATIO_RANGE)
        return math.exp(brentq(lambda log: _score(cells, n, math.exp(log)) - level, least, most, xtol=1e-10))

    return PairedRatio(
        pairs=n,
        ratio=won_a / won_b if won_b else None,
        low=bound(z) if won_a else 0.0,
        high=bound(-z) if won_b else None,
    )


def paired_shift(first: ArrayLike, second: ArrayLike, level: float = 0.95) -> PairedShift:
    """Compare a quantity between two variants on paired episodes: Wilcoxon (1945), Hodges and Lehmann (1963).

    `first`, `second`: float[n], NaN where an episode has no such value. Raises ValueError when unequal in length.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"paired values of shape {a.shape} and {b.shape}")
    measured = np.isfinite(a) & np.isfinite(b)
    change = np.round((a - b)[measured], DECIMALS)
    n = int(change.size)
    if not n:
        return PairedShift(0, int(a.size), None, None, None, None, None)
    rows, columns = np.triu_indices(n)
    walsh = np.sort((change[rows] + change[columns]) / 2)
    cut = _signed_rank_cut(n, (1 - level) / 2)
    p_value, biserial = _signed_rank(change)
    return PairedShift(
        pairs=n,
        left_out=int(a.size) - n,
        shift=float(np.median(walsh)),
        low=float(walsh[cut]) if cut is not None else None,
        high=float(walsh[-1 - cut]) if cut is not None else None,
        p_value=p_value,
        rank_biserial=biserial,
    )


def _cells(first: ArrayLike, second: ArrayLike) -> tuple[tuple[int, int, int, int], int]:
    """Pairs in which both succeeded, only the first, only the second, neither; and how many in all."""
    a, b = np.asarray(first, bool), np.asarray(second, bool)
    if a.shape != b.shape or a.ndim != 1 or not a.size:
        raise ValueError(f"paired outcomes of shape {a.shape} and {b.shape}")
    return (int((a & b).sum()), int((a & ~b).sum()), int((~a & b).sum()), int((~a & ~b).sum())), int(a.size)


def _score(cells: tuple[int, int, int, int], n: int, ratio: float) -> float:
    both, only_a, only_b, _ = cells
    excess = ((both + only_a) - ratio * (both + only_b)) / n
    variance = ratio * _discordance(both, only_a, only_b, n, ratio) / n
    if variance <= 0:
        return 0.0 if excess == 0 else math.copysign(math.inf, excess)
    return excess / math.sqrt(variance)


def _discordance(both: int, only_a: int, only_b: int, n: int, ratio: float) -> float:
    """Most likely share of discordant pairs if the rates stood in this ratio.

    With Lagrange's multiplier m of the constraint, the cells are both/(n + m(1-ratio)), only_a/(n + m) and
    only_b/(n - m ratio). What the constraint leaves over falls with m between -n and n/ratio; a cell without counts may
    be positive at its own end of that range alone.
    """
    from scipy.optimize import brentq

    def left_over(m: float) -> float:
        gain = both * (1 - ratio) / (n + m * (1 - ratio)) if both else 0.0
        gain += only_a / (n + m) if only_a else 0.0
        return gain - (ratio * only_b / (n - m * ratio) if only_b else 0.0)

    least, most = -float(n), n / ratio
    if not only_a and left_over(least) <= 0:
        p_b = only_b / (n * (1 + ratio))
        return p_b + ratio * p_b - (1 - ratio) * both / (n * ratio)
    if not only_b and left_over(most) >= 0:
        p_a = only_a * ratio / (n * (1 + ratio))
        return p_a + (p_a + (1 - ratio) * both * ratio / n) / ratio
    inside = 1e-14 * (most - least)
    m = brentq(left_over, least + (inside if only_a else 0), most - (inside if only_b else 0), xtol=1e-12 * n)
    return only_a / (n + m) + only_b / (n - m * ratio)


def _signed_rank(change: Values) -> tuple[float, float]:
    """Two-sided p-value of the signed-rank test, and the rank-biserial correlation (Kerby 2014)."""
    from scipy.stats import rankdata, wilcoxon

    moved = change[change != 0]
    if not moved.size:
        return 1.0, 0.0
    ranks = rankdata(np.abs(moved))
    biserial = float((ranks * np.sign(moved)).sum() / ranks.sum())
    return float(wilcoxon(moved).pvalue), biserial


def _signed_rank_cut(n: int, tail: float) -> int | None:
    """How many of the smallest (and of the largest) pairwise means lie outside the interval; None: not one may."""
    if n > EXACT_UP_TO:
        from scipy.stats import norm

        spread = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
        return int(n * (n + 1) / 4 + norm.ppf(tail) * spread)
    chance = np.zeros(n * (n + 1) // 2 + 1)  # of each sum of ranks, when every sign is a coin
    chance[0] = 1.0
    for rank in range(1, n + 1):
        chance[rank:] = chance[rank:] + chance[:-rank]
        chance /= 2
    below = np.cumsum(chance)
    cut = int(np.searchsorted(below, tail, side="right"))
    return cut - 1 if cut else None
