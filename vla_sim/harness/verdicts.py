"""Which deployments are good enough: quick enough to a command, and as able as if there were no latency."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from vla_sim.harness.effects import paired_ratio, ratio_score
from vla_sim.harness.statistics import clopper_pearson, quantiles

if TYPE_CHECKING:
    import pandas as pd

Answer = Literal["yes", "no", "undecided"]
# Each verdict is one-sided at 95 %, the convention for "not worse than" (Schuirmann 1987): intervals are of 90 %.
LEVEL, Z90 = 0.95, 1.6448536269514722
QUANTILE = 0.95  # of the times to the first action that must lie within the budget
FEWEST_TIMES = 5  # from which the spread of a distribution is estimated
MS = 1e3


@dataclass(frozen=True)
class Deployment:
    """One variant as it was measured. Element i of both outcomes is the same episode.

    `ttfa_ms`: of each command that was not refused, infinite where no action ever came.
    """

    label: str
    success: tuple[bool, ...]
    zero_latency_success: tuple[bool, ...]  # () = there is no such run
    ttfa_ms: tuple[float, ...]
    usd_per_hour: float | None = None
    usd_per_success: float | None = None
    wh_per_success: float | None = None


@dataclass(frozen=True)
class DeploymentVerdict:
    """Whether a deployment meets what is asked, at 95 % one-sided confidence each, and at what price.

    `budget_by`: "counted" when the commands within the budget alone decide; "log-normal" when all of them are and the
    upper bound of the 95th percentile of a log-normal distribution fitted to them, `ttfa_p95_high_ms`, is too.
    """

    label: str
    meets: Answer
    budget: Answer
    budget_by: Literal["counted", "log-normal", ""]
    ttfa_p95_ms: float | None
    ttfa_p95_high_ms: float | None
    success: Answer
    kept: float | None  # success over that at zero latency, with its 90 % interval
    kept_low: float | None
    kept_high: float | None
    usd_per_hour: float | None
    usd_per_success: float | None
    wh_per_success: float | None
    line: str


def deployment(
    label: str, episodes: pd.DataFrame, zero_latency: pd.DataFrame | None, metrics: dict[str, Any]
) -> Deployment:
    """One variant from its table of episodes and its metrics; paired by seed with the run at zero latency."""
    own = episodes.set_index("seed")["success"]
    other = own.iloc[:0] if zero_latency is None else zero_latency.set_index("seed")["success"]
    shared = [seed for seed in own.index if seed in other.index]
    obeyed = episodes.loc[~episodes["refused"], "ttfa_s"]  # a robot that rightly refuses never moves
    return Deployment(
        label,
        success=tuple(bool(own[seed]) for seed in shared),
        zero_latency_success=tuple(bool(other[seed]) for seed in shared),
        ttfa_ms=tuple((obeyed * MS).fillna(math.inf).tolist()),
        usd_per_hour=metrics["cost"]["usd_per_hour"],
        usd_per_success=metrics["cost"]["usd_per_success"],
        wh_per_success=metrics["energy"]["wh_per_success"],
    )


def deployments_meeting(
    rows: Sequence[Deployment], budget_ms: float = 2000.0, share: float = 0.9
) -> list[DeploymentVerdict]:
    """Verdicts in the order of `rows`: 95 % of times to first action within `budget_ms`, and `share` of the success.

    `share` (0-1) is of the success at zero latency. Raises ValueError when a row's outcomes are not paired.
    """
    if not (budget_ms > 0 and 0 < share <= 1):
        raise ValueError(f"a budget of {budget_ms} ms and a share of {share}")
    return [_verdict(row, budget_ms, share) for row in rows]


def cheapest(verdicts: Sequence[DeploymentVerdict]) -> DeploymentVerdict | None:
    """Of those that meet what is asked, the one with the lowest known price of a success, then of an hour."""
    priced = [v for v in verdicts if v.meets == "yes" and (v.usd_per_success, v.usd_per_hour) != (None, None)]
    return min(priced, key=lambda v: (_price(v.usd_per_success), _price(v.usd_per_hour)), default=None)


def answer(verdicts: Sequence[DeploymentVerdict]) -> str:
    """The verdicts in one sentence."""
    counts = {said: sum(v.meets == said for v in verdicts) for said in ("yes", "no", "undecided")}
    text = f"{counts['yes']} of {len(verdicts)} deployments {'meets' if counts['yes'] == 1 else 'meet'} both limits"
    text += f", {counts['no']} {'does' if counts['no'] == 1 else 'do'} not"
    if counts["undecided"]:
        text += f", of {counts['undecided']} more episodes must tell"
    best = cheapest(verdicts)
    return f"{text}; the cheapest that does is {best.label}, at {_priced(best)}" if best else text


def ttfa_upper_bound_ms(times_ms: Sequence[float], quantile: float = QUANTILE, level: float = LEVEL) -> float | None:
    """Upper confidence bound of a quantile of log-normally distributed times (one-sided tolerance limit, Owen 1963).

    None with fewer than five times, or when one is not positive and finite.
    """
    from scipy.stats import nct, norm

    times: NDArray[np.float64] = np.asarray(times_ms, np.float64)
    n = times.size
    if n < FEWEST_TIMES or not (np.isfinite(times) & (times > 0)).all():
        return None
    logs = np.log(times)
    factor = float(nct.ppf(level, n - 1, norm.ppf(quantile) * math.sqrt(n))) / math.sqrt(n)
    return float(math.exp(logs.mean() + factor * logs.std(ddof=1)))


def _verdict(row: Deployment, budget_ms: float, share: float) -> DeploymentVerdict:
    quick, by = _within_budget(row.ttfa_ms, budget_ms)
    able = _keeps(row, share)
    known = bool(row.zero_latency_success)
    ratio = paired_ratio(row.success, row.zero_latency_success, Z90) if known else None
    kept = ratio.ratio if ratio else None
    p95_ms = quantiles(row.ttfa_ms, ("p95",))["p95"] if row.ttfa_ms and math.isfinite(max(row.ttfa_ms)) else None
    meets: Answer = "no" if "no" in (quick, able) else "yes" if quick == able == "yes" else "undecided"
    return DeploymentVerdict(
        label=row.label,
        meets=meets,
        budget=quick,
        budget_by=by,
        ttfa_p95_ms=p95_ms,
        ttfa_p95_high_ms=ttfa_upper_bound_ms(row.ttfa_ms),
        success=able,
        kept=kept,
        kept_low=ratio.low if ratio else None,
        kept_high=ratio.high if ratio else None,
        usd_per_hour=row.usd_per_hour,
        usd_per_success=row.usd_per_success,
        wh_per_success=row.wh_per_success,
        line=f"{row.label}: {_said_budget(quick, row.ttfa_ms, budget_ms)}; {_said_success(able, kept)}",
    )


def _within_budget(times_ms: Sequence[float], budget_ms: float) -> tuple[Answer, Literal["counted", "log-normal", ""]]:
    within = sum(time <= budget_ms for time in times_ms)
    low, high = clopper_pearson(within, len(times_ms), 2 * LEVEL - 1)
    if low >= QUANTILE:
        return "yes", "counted"
    if high < QUANTILE:
        return "no", "counted"
    bound = ttfa_upper_bound_ms(times_ms)
    # Counting alone needs 59 commands, all in time. Fewer that all lie well within it are told from their spread.
    if within == len(times_ms) and bound is not None and bound <= budget_ms:
        return "yes", "log-normal"
    return "undecided", ""


def _keeps(row: Deployment, share: float) -> Answer:
    if not row.zero_latency_success:
        return "undecided"
    score = ratio_score(row.success, row.zero_latency_success, share)
    return "yes" if score >= Z90 else "no" if score <= -Z90 else "undecided"


def _said_budget(said: Answer, times_ms: Sequence[float], budget_ms: float) -> str:
    within = sum(time <= budget_ms for time in times_ms)
    verb = {"yes": "quick enough", "no": "too slow", "undecided": "perhaps quick enough"}[said]
    return f"{verb}, {within} of {len(times_ms)} commands began within {budget_ms:g} ms"


def _said_success(said: Answer, kept: float | None) -> str:
    if kept is None:
        return "no success at zero latency to compare with"
    verb = {"yes": "able enough", "no": "not able enough", "undecided": "perhaps able enough"}[said]
    return f"{verb}, {100 * kept:.0f} % of the success at zero latency"


def _price(value: float | None) -> float:
    return math.inf if value is None else value


def _priced(verdict: DeploymentVerdict) -> str:
    if verdict.usd_per_success is not None:
        return f"{verdict.usd_per_success:.3g} USD a success"
    return f"{_price(verdict.usd_per_hour):.3g} USD an hour"
