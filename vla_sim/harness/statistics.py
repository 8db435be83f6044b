"""Intervals, paired comparisons and quantiles, in closed form; a seeded bootstrap where there is none."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Z95 = 1.959963984540054  # two-sided 95 % of the standard normal
PRIOR = 0.5  # of mixtures, Beta(1/2, 1/2): within a constant of the best at every rate, 0 and 1 included
DRAWS_AT_ONCE = 2_000_000  # of a bootstrap, so that many samples do not fill the memory
SHARES = {"p50": 0.50, "p95": 0.95, "p99": 0.99, "p999": 0.999, "max": 1.0}


def wilson(successes: int, trials: int, z: float = Z95) -> tuple[float, float]:
    """Wilson score interval of a proportion (Wilson 1927), 0-1; (0, 1) when nothing was tried."""
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes in {trials} trials")
    if trials == 0:
        return 0.0, 1.0
    p, z2 = successes / trials, z * z
    centre = (p + z2 / (2 * trials)) / (1 + z2 / trials)
    half = z * math.sqrt(p * (1 - p) / trials + z2 / (4 * trials * trials)) / (1 + z2 / trials)
    # At the ends the bound is exactly 0 or 1; rounding must not put it beside the estimate.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == trials else min(1.0, centre + half)
    return low, high


def clopper_pearson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Exact interval of a proportion (Clopper and Pearson 1934), 0-1; it never covers less than it says."""
    from scipy.stats import beta

    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes in {trials} trials")
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(beta.ppf(tail, successes, trials - successes + 1))
    high = 1.0 if successes == trials else float(beta.isf(tail, successes + 1, trials - successes))
    return low, high


def confidence_sequence(successes: int, trials: int, alpha: float = 0.05) -> tuple[float, float]:
    """Interval of a proportion that holds at all times together, so also for a run that stopped when it pleased.

    The rates against which a Beta(1/2, 1/2) mixture of likelihood ratios stays below 1/alpha (Robbins 1970; Howard,
    Ramdas, McAuliffe and Sekhon 2021). Wider than Wilson's interval, which only holds for trials whose number was set.
    """
    from scipy.optimize import brentq

    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes in {trials} trials")
    if trials == 0:
        return 0.0, 1.0
    failures, limit = trials - successes, math.log(1 / alpha)

    def beyond(rate: float) -> float:
        return mixture_evidence(successes, failures, rate) - limit

    least, most = 1e-12, 1 - 1e-12
    rate = min(max(successes / trials, least), most)
    low = float(brentq(beyond, least, rate, xtol=1e-10)) if successes and beyond(least) > 0 else 0.0
    high = float(brentq(beyond, rate, most, xtol=1e-10)) if failures and beyond(most) > 0 else 1.0
    return low, high


def mixture_evidence(successes: int, failures: int, rate: float) -> float:
    """Logarithm of the likelihood of a Beta(1/2, 1/2) mixture of rates over that of `rate` (0 < rate < 1)."""
    mixture = _log_beta(successes + PRIOR, failures + PRIOR) - _log_beta(PRIOR, PRIOR)
    return mixture - successes * math.log(rate) - failures * math.log1p(-rate)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Two-sided exact McNemar p-value from the discordant pairs (McNemar 1947, binomial form)."""
    n = only_first + only_second
    tail = sum(math.comb(n, k) for k in range(min(only_first, only_second) + 1))
    return min(1.0, 2 * tail / (1 << n))


@dataclass(frozen=True)
class PairedDifference:
    """Success of the first minus success of the second over the same episodes."""

    pairs: int
    only_first: int  # the first succeeded, the second did not
    only_second: int
    difference: float  # -1 to 1
    low: float  # 95 % interval
    high: float
    p_value: float  # exact McNemar


def paired_difference(first: ArrayLike, second: ArrayLike, z: float = Z95) -> PairedDifference:
    """Compare two variants on paired episodes: exact McNemar test and Newcombe's interval (1998, method 10).

    `first`, `second`: bool[n], the same episode at the same index. Raises ValueError when empty or unequal in length.
    """
    a, b = np.asarray(first, bool), np.asarray(second, bool)
    if a.shape != b.shape or a.ndim != 1 or not a.size:
        raise ValueError(f"paired outcomes of shape {a.shape} and {b.shape}")
    both, neither = int((a & b).sum()), int((~a & ~b).sum())
    only_a, only_b, n = int((a & ~b).sum()), int((~a & b).sum()), int(a.size)
    p1, p2 = (both + only_a) / n, (both + only_b) / n
    (l1, u1), (l2, u2) = wilson(both + only_a, n, z), wilson(both + only_b, n, z)
    phi = _phi(both, only_a, only_b, neither)
    low = p1 - p2 - _root((p1 - l1) ** 2 - 2 * phi * (p1 - l1) * (u2 - p2) + (u2 - p2) ** 2)
    high = p1 - p2 + _root((u1 - p1) ** 2 - 2 * phi * (u1 - p1) * (p2 - l2) + (p2 - l2) ** 2)
    return PairedDifference(n, only_a, only_b, p1 - p2, max(-1.0, low), min(1.0, high), mcnemar_exact(only_a, only_b))


def _phi(both: int, only_a: int, only_b: int, neither: int) -> float:
    """Correlation of the pairs, continuity-corrected towards zero when positive."""
    scale = math.sqrt((both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither))
    if scale == 0:
        return 0.0
    cross = both * neither - only_a * only_b
    half = (both + only_a + only_b + neither) / 2
    return (max(cross - half, 0.0) if cross > 0 else cross) / scale


def _root(value: float) -> float:
    return math.sqrt(max(value, 0.0))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given, for deciding all of them at one level together (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = least
    return adjusted


def bootstrap_interval(
    values: ArrayLike,
    statistic: Callable[[NDArray[np.float64]], ArrayLike],
    rng: np.random.Generator,
    *,
    resamples: int = 2000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile bootstrap interval (Efron 1979) of a statistic that has none in closed form.

    `values`: [n]; `statistic` takes float[k, n], a resample a row, and returns [k]. Raises ValueError without values.
    The same state of `rng` gives the same interval.
    """
    data: NDArray[np.float64] = np.asarray(values, np.float64)
    if data.ndim != 1 or not data.size:
        raise ValueError(f"values of shape {data.shape}")
    found: list[float] = []
    while len(found) < resamples:
        count = min(resamples - len(found), max(1, DRAWS_AT_ONCE // data.size))
        drawn = data[rng.integers(data.size, size=(count, data.size))]
        found += np.asarray(statistic(drawn), np.float64).tolist()
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def quantiles(values: ArrayLike, names: tuple[str, ...] = ("p50", "p95", "p99", "max")) -> dict[str, float | None]:
    """Quantiles named by keys of `SHARES`, by linear interpolation; None each when there are no values."""
    data: NDArray[np.float64] = np.asarray(values, np.float64)
    if not data.size:
        return dict.fromkeys(names)
    shares = [SHARES[name] for name in names]
    return {name: float(value) for name, value in zip(names, np.quantile(data, shares), strict=True)}
