"""From records to numbers: the contents of `metrics.json`. Pure functions; a value that does not exist is None."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vla_sim.harness.budgets import Budget
from vla_sim.harness.loop import control_metrics, motion_metrics, queue_metrics
from vla_sim.harness.statistics import confidence_sequence, quantiles, wilson
from vla_sim.harness.usage import usage_metrics
from vla_sim.telemetry.schema import ANSWERED, PARTS

if TYPE_CHECKING:
    import pandas as pd

Values = NDArray[np.float64]
TICK_STAGES = ("control", "safety")  # run in every control tick and are recorded there
P999_FROM = 1000  # samples: with fewer, one in a thousand was never seen
COST = {  # blocks and keys of `vla_sim.harness.cost`
    "cost": ("usd_per_hour", "usd_per_success", "robot_compute_usd_per_hour", "network_usd_per_hour"),
    "energy": ("robot_w", "compute_w", "wh_per_success", "battery_h", "offboard_w", "offboard_wh_per_success"),
}
USUAL_SITES = ("robot", "cloud")  # those of another name have no gates
MS = 1e3


def compute_metrics(
    episodes: pd.DataFrame,
    spans: pd.DataFrame,
    ticks: pd.DataFrame,
    budget: Budget,
    upper_joints: Sequence[str],
    control_rate_hz: float,
    reference_success: float | None = None,
    config: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """All metrics of a run.

    `episodes`, `spans`, `ticks` have the columns of `vla_sim.telemetry.schema`, rows in the order they happened.
    `reference_success` is the success rate (0-1) of the same run at zero latency; None leaves `rt_degradation` None.
    `success_anytime95` is the interval to quote when a run stopped as soon as its answer was clear.
    `config` is the run's plain configuration; None leaves cost and energy None.
    """
    count, successes = len(episodes), int(episodes["success"].sum())
    rate = successes / count if count else None
    lost = None if rate is None or reference_success is None else reference_success - rate
    latencies, period_s, sim_s = stage_latencies(spans, ticks), 1.0 / control_rate_hz, float(episodes["sim_s"].sum())
    return {
        "success_rate": rate,
        "success_ci95": list(wilson(successes, count)),
        "success_anytime95": list(confidence_sequence(successes, count)),
        "episodes": count,
        "errors": int((episodes["error"] != "").sum()),
        "reasons": _reasons(episodes),
        "rt_degradation": lost,
        "latency_ms": {stage: _latency(samples, sim_s) for stage, samples in latencies.items()},
        "ttfa_ms": _spread(episodes["ttfa_s"].dropna() * MS, ("p50", "p95")),
        "reaction_ms": quantiles(reaction_s(spans, ticks) * MS),
        "budget": _budget(budget, spans, ticks, episodes),
        "control": control_metrics(ticks, period_s),
        "queue": queue_metrics(spans, ticks, period_s),
        "motion": motion_metrics(ticks, upper_joints, period_s),
        "safety": {key: int(episodes[key].sum()) for key in ("interventions", "violations")},
        "falls": int(episodes["fell"].sum()),
        "fallback": _fallback(spans, episodes),
        "network": _network(spans, sim_s),
        "resources": usage_metrics(spans, episodes),
        "planned_by": _planned_by(episodes),
        **_priced(config, spans, episodes),
        "sim_s": sim_s,
        "wall_s": float(episodes["wall_s"].sum()),
    }


def stage_latencies(spans: pd.DataFrame, ticks: pd.DataFrame) -> dict[str, Values]:
    """For each stage float[n, 5]: seconds in all, then uplink, queue, compute and downlink of its n answers.

    Of the attempts at one request only the one whose answer was taken counts; it began when the request did.
    """
    answered = spans[spans["status"].isin(ANSWERED)]
    found: dict[str, list[Values]] = {}
    for stage in sorted(answered["stage"].unique()):
        rows = answered[answered["stage"] == stage]
        parts = rows[[f"{part}_s" for part in PARTS]].to_numpy(np.float64)
        total = (rows["t_end_s"] - rows["t_start_s"]).to_numpy(np.float64)
        found.setdefault(str(stage), []).append(np.column_stack([total, parts]))
    for stage in TICK_STAGES if len(ticks) else ():
        took = ticks[f"{stage}_s"].to_numpy(np.float64)
        none = np.zeros_like(took)
        found.setdefault(stage, []).append(np.column_stack([took, none, none, took, none]))
    return {stage: np.concatenate(blocks) for stage, blocks in found.items()}


def reaction_s(spans: pd.DataFrame, ticks: pd.DataFrame) -> Values:
    """Seconds from each image to the first control tick that could use what was seen in it."""
    seen = spans[(spans["stage"] == "perception") & (spans["status"] == "ok")]
    waits: list[Values] = [np.zeros(0)]
    for episode, rows in seen.groupby("episode", sort=True):
        at = np.sort(ticks.loc[ticks["episode"] == episode, "t_s"].to_numpy(np.float64))
        # Times are whole nanoseconds; half of one keeps rounding from missing the tick of the same instant.
        first = np.searchsorted(at, rows["t_end_s"].to_numpy(np.float64) - 0.5e-9)
        used = first < at.size
        waits.append(at[first[used]] - rows["t_start_s"].to_numpy(np.float64)[used])
    return np.concatenate(waits)


def metrics_template(stages: Sequence[str]) -> dict[str, Any]:
    """The metrics of a run in which nothing happened, with a place for each of `stages`: every key there can be."""
    from vla_sim.telemetry.recorder import Recorder

    tables = {name: table.to_pandas() for name, table in Recorder((), ()).tables().items()}
    empty = compute_metrics(**tables, budget=Budget(), upper_joints=(), control_rate_hz=1.0)
    nothing = {**_spread((), ("p50", "p95", "p99")), "p999": None, "answers_per_s": None, "parts": dict.fromkeys(PARTS)}
    fallback = {**empty["fallback"], "by_stage": dict.fromkeys(stages)}
    use = {"busy": None, "busy_peak_1s": None, "by_stage": dict.fromkeys(stages)}
    sites = dict.fromkeys(USUAL_SITES, use)
    return {**empty, "latency_ms": dict.fromkeys(stages, nothing), "fallback": fallback, "resources": sites}


def _planned_by(episodes: pd.DataFrame) -> dict[str, int]:
    """How often plans came about which way, of a planner that keeps account of it."""
    words = [word for text in episodes["planned_by"] for word in text.split(",") if word]
    return {word: words.count(word) for word in sorted(set(words))}


def _reasons(episodes: pd.DataFrame) -> dict[str, int]:
    names, counts = np.unique(episodes["reason"].to_numpy(str), return_counts=True)
    order = sorted(zip(names.tolist(), counts.tolist(), strict=True), key=lambda item: (-item[1], item[0]))
    return dict(order)


def _latency(samples: Values, sim_s: float) -> dict[str, Any]:
    """One stage's latencies, ms; `answers_per_s` is what it got done in a simulated second."""
    means = samples[:, 1:].mean(axis=0) * MS
    total_ms = samples[:, 0] * MS
    p999 = quantiles(total_ms, ("p999",)) if len(samples) >= P999_FROM else {"p999": None}
    return {
        **_spread(total_ms, ("p50", "p95", "p99")),
        **p999,
        "answers_per_s": len(samples) / sim_s if sim_s > 0 else None,
        "parts": dict(zip(PARTS, means.tolist(), strict=True)),
    }


def _spread(values: ArrayLike, names: tuple[str, ...]) -> dict[str, float | None]:
    """The named quantiles, then max, mean, min and the standard deviation of what was drawn (n - 1)."""
    data: Values = np.asarray(values, np.float64)
    return {
        **quantiles(data, (*names, "max")),
        "mean": float(data.mean()) if data.size else None,
        "min": float(data.min()) if data.size else None,
        "std": float(data.std(ddof=1)) if data.size > 1 else None,
    }


def _budget(
    budget: Budget, spans: pd.DataFrame, ticks: pd.DataFrame, episodes: pd.DataFrame
) -> dict[str, dict[str, float | None]]:
    """Share of requests within each stage's limit (without a usable answer it is not), of commands within the total."""
    usable = spans[spans["status"].isin(ANSWERED) & (spans["status"] != "failed")]
    took_ms = (usable["t_end_s"] - usable["t_start_s"]).to_numpy(np.float64) * MS
    stage_of = usable["stage"].to_numpy(str)
    requests = spans.drop_duplicates(["episode", "request"])["stage"].astype(str).value_counts()
    result: dict[str, dict[str, float | None]] = {}
    for stage, limit_ms in budget.stages_ms.items():
        in_ticks = ticks[f"{stage}_s"].to_numpy(np.float64) * MS if stage in TICK_STAGES else np.zeros(0)
        asked = int(requests.get(stage, 0)) + in_ticks.size
        within = (took_ms[stage_of == stage] <= limit_ms).sum() + (in_ticks <= limit_ms).sum()
        result[stage] = {"limit_ms": limit_ms, "met_ratio": float(within) / asked if asked else None}
    obeyed = episodes.loc[~episodes["refused"], "ttfa_s"]  # a robot that rightly refuses never moves
    met = float((obeyed * MS <= budget.total_ms).mean()) if len(obeyed) else None
    return {**result, "total": {"limit_ms": budget.total_ms, "met_ratio": met}}


def _fallback(spans: pd.DataFrame, episodes: pd.DataFrame) -> dict[str, Any]:
    """How often something else than the first choice had to serve, and what holding out cost.

    `requests`: answered by another attempt than the first; `share`: of all requests; `by_stage`: where.
    `superseded`, `lost` and `rejected` count attempts, `cached` and `simplified` taken answers.
    """
    taken = spans[spans["status"].isin(ANSWERED)]
    other = taken.loc[taken["attempt"] > 0, "stage"].astype(str).value_counts()
    asked = len(spans.drop_duplicates(["episode", "request"]))
    return {
        "requests": int(other.sum()),
        "share": int(other.sum()) / asked if asked else None,
        "by_stage": {stage: int(other.get(stage, 0)) for stage in sorted(spans["stage"].astype(str).unique())},
        "unanswered": asked - len(taken.drop_duplicates(["episode", "request"])),
        **{mode: int((taken["mode"] == mode).sum()) for mode in ("cached", "simplified")},
        **{status: int((spans["status"] == status).sum()) for status in ("superseded", "lost", "rejected")},
        "hold_s": float(episodes["hold_s"].sum()),
        "safe_stops": int(episodes["safe_stops"].sum()),
        "degraded_s": float(episodes["degraded_s"].sum()),
    }


def _network(spans: pd.DataFrame, sim_s: float) -> dict[str, float | None]:
    """Mean traffic over all simulated time, Mbit/s."""
    return {
        f"{way}_mbps": float(spans[f"bytes_{way}"].sum()) * 8e-6 / sim_s if sim_s > 0 else None
        for way in ("up", "down")
    }


def _priced(config: Mapping[str, Any] | None, spans: pd.DataFrame, episodes: pd.DataFrame) -> dict[str, Any]:
    """The blocks `cost` and `energy`, and where their prices and watts are from."""
    if config is None:
        return {**{block: dict.fromkeys(keys) for block, keys in COST.items()}, "sources": []}
    from vla_sim.harness.cost import cost_metrics

    return cost_metrics(config, spans, episodes)
