"""How many episodes a difference needs before a test can be expected to see it."""

from __future__ import annotations

import math

from vla_sim.harness.statistics import PairedDifference

ALPHA, POWER = 0.05, 0.8
POINTS = 0.1  # a difference in success that matters, 0-1
MOST_PAIRS = 20_000
NEGLIGIBLE = 1e-12  # probability of a number of discordant pairs
USUAL_DISCORDANT = 0.1  # share assumed where not one pair has been seen to differ


def unpaired_power(first: float, second: float, episodes: int, alpha: float = ALPHA) -> float:
    """Chance (0-1) that a two-sided test tells two success rates apart, with `episodes` of each variant.

    Normal approximation with the pooled variance under the null hypothesis (Fleiss, Levin and Paik 2003, eq. 4.14,
    without continuity correction). `first`, `second`: true rates, 0-1.
    """
    from scipy.stats import norm

    _check_rates(first, second)
    difference, mean = abs(first - second), (first + second) / 2
    null_sd = math.sqrt(2 * mean * (1 - mean) / episodes)
    true_sd = math.sqrt((first * (1 - first) + second * (1 - second)) / episodes)
    limit = float(norm.isf(alpha / 2)) * null_sd
    if true_sd == 0:
        return float(difference > limit)
    return float(norm.cdf((difference - limit) / true_sd) + norm.cdf((-difference - limit) / true_sd))


def unpaired_episodes(first: float, second: float, power: float = POWER, alpha: float = ALPHA) -> int:
    """Episodes of each variant that two success rates need to be told apart with this power, unpaired."""
    from scipy.stats import norm

    _check_rates(first, second)
    _check_shares(power, alpha)
    difference, mean = abs(first - second), (first + second) / 2
    if difference == 0:
        raise ValueError("no number of episodes tells equal rates apart")
    spread = float(norm.isf(alpha / 2)) * math.sqrt(2 * mean * (1 - mean))
    spread += float(norm.ppf(power)) * math.sqrt(first * (1 - first) + second * (1 - second))
    return max(1, math.ceil((spread / difference) ** 2))


def paired_power(difference: float, discordant: float, pairs: int, alpha: float = ALPHA) -> float:
    """Chance (0-1) that the exact McNemar test sees a difference of two success rates on paired episodes.

    Exact: over the numbers of discordant pairs, and all their splits that the test rejects. `difference`: -1 to 1;
    `discordant`: share of pairs in which just one of the two succeeds, at least |difference|.
    """
    import numpy as np
    from scipy.stats import binom

    _check_paired(difference, discordant)
    if not discordant:
        return 0.0
    likely = binom.ppf([NEGLIGIBLE, 1 - NEGLIGIBLE], pairs, discordant)  # the rest would change no digit that is said
    seen = np.arange(int(likely[0]), int(likely[1]) + 1)
    chance = binom.pmf(seen, pairs, discordant)
    won = (1 + difference / discordant) / 2  # of a discordant pair by the first
    # The most losses that still reject: two tails of at most alpha together.
    limit = binom.ppf(alpha / 2, seen, 0.5)
    limit = np.where(binom.cdf(limit, seen, 0.5) > alpha / 2, limit - 1, limit)
    rejects = binom.cdf(limit, seen, won) + binom.cdf(limit, seen, 1 - won)
    return float((chance * np.where(limit >= 0, rejects, 0.0)).sum())


def paired_pairs_connor(difference: float, discordant: float, power: float = POWER, alpha: float = ALPHA) -> int:
    """Pairs for McNemar's test by the normal approximation (Miettinen 1968, Connor 1987)."""
    from scipy.stats import norm

    _check_paired(difference, discordant)
    _check_shares(power, alpha)
    if difference == 0:
        raise ValueError("no number of pairs tells equal rates apart")
    spread = float(norm.isf(alpha / 2)) * math.sqrt(discordant)
    spread += float(norm.ppf(power)) * math.sqrt(discordant - difference**2)
    return max(1, math.ceil((spread / difference) ** 2))


def paired_pairs(difference: float, discordant: float, power: float = POWER, alpha: float = ALPHA) -> int:
    """Pairs with which the exact McNemar test has this power; a few more than Connor's. Capped at `MOST_PAIRS`."""
    near = paired_pairs_connor(difference, discordant, power, alpha)
    least, most = (1, min(MOST_PAIRS, 2 * near + 20)) if near < MOST_PAIRS else (MOST_PAIRS, MOST_PAIRS)
    while least < most:  # power rises with pairs but for ripples far below the percent that is quoted
        middle = (least + most) // 2
        if paired_power(difference, discordant, middle, alpha) >= power:
            most = middle
        else:
            least = middle + 1
    return least


def advice(result: PairedDifference, points: float = POINTS, power: float = POWER, alpha: float = ALPHA) -> str:
    """What a comparison of this size could have seen, and how many pairs would show a difference of `points` (0-1).

    How often pairs differ is taken from the comparison itself: paired worlds that agree more need fewer pairs. Where
    the test is clear already nothing is missing.
    """
    if not 0 < points <= 1:
        raise ValueError(f"a difference of {points}; it lies between 0 and 1")
    if result.p_value < alpha:
        return f"{result.pairs} pairs are enough: the difference is clear"
    differing = result.only_first + result.only_second
    # Half a pair keeps none seen from meaning none there are; fewer than `points` cannot make that difference.
    discordant = min(1.0, max(points, (differing + 0.5) / (result.pairs + 1)))
    if not differing:
        discordant = max(discordant, USUAL_DISCORDANT)
    seen = paired_power(points, discordant, result.pairs, alpha)
    size = "1 point" if points == 0.01 else f"{100 * points:.3g} points"
    now = f"with {result.pairs} pairs a difference of {size} is seen with {_percent(seen)} probability"
    if seen >= power:
        return f"{now}: enough"
    needed = paired_pairs(points, discordant, power, alpha)
    if needed == MOST_PAIRS:
        return f"{now}; more than {MOST_PAIRS:,} pairs would be needed for {_percent(power)}"
    return f"{now}; {needed} pairs would give {_percent(power)}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _check_rates(*rates: float) -> None:
    for rate in rates:
        if not 0 <= rate <= 1:
            raise ValueError(f"a rate of {rate}; it lies between 0 and 1")


def _check_shares(power: float, alpha: float) -> None:
    if not (0 < alpha < 1 and alpha < power < 1):
        raise ValueError(f"power {power} and alpha {alpha}: 0 < alpha < power < 1")


def _check_paired(difference: float, discordant: float) -> None:
    if not abs(difference) <= discordant <= 1:
        raise ValueError(f"a difference of {difference} with {discordant} of the pairs differing")
