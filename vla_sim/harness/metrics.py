"""From records to numbers: the contents of `metrics.json`. Pure functions; a value that does not exist is None."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vla_sim.harness.budgets import Budget
from vla_sim.harness.statistics import quantiles, wilson
from vla_sim.telemetry.schema import PARTS

if TYPE_CHECKING:
    import pandas as pd

Values = NDArray[np.float64]
ANSWERED = ("ok", "late", "refused")  # an answer came back, if only to say no
TICK_STAGES = ("control", "safety")  # run in every control tick and are recorded there
LOOP_QUANTILES = ("p50", "p99", "p999", "max")
MS, US = 1e3, 1e6


def compute_metrics(
    episodes: pd.DataFrame,
    spans: pd.DataFrame,
    ticks: pd.DataFrame,
    budget: Budget,
    upper_joints: Sequence[str],
    control_rate_hz: float,
    reference_success: float | None = None,
) -> dict[str, Any]:
    """All metrics of a run.

    `episodes`, `spans`, `ticks` have the columns of `vla_sim.telemetry.schema`, rows in the order they happened.
    `reference_success` is the success rate (0-1) of the same run at zero latency; None leaves `rt_degradation` None.
    """
    count, successes = len(episodes), int(episodes["success"].sum())
    rate = successes / count if count else None
    lost = None if rate is None or reference_success is None else reference_success - rate
    latencies = stage_latencies(spans, ticks)
    return {
        "success_rate": rate,
        "success_ci95": list(wilson(successes, count)),
        "episodes": count,
        "errors": int((episodes["error"] != "").sum()),
        "reasons": _reasons(episodes),
        "rt_degradation": lost,
        "latency_ms": {stage: _latency(samples) for stage, samples in latencies.items()},
        "ttfa_ms": quantiles(episodes["ttfa_s"].dropna() * MS, ("p50", "p95")),
        "reaction_ms": quantiles(reaction_s(spans, ticks) * MS, ("p50", "p95")),
        "budget": _budget(budget, spans, latencies, episodes),
        "control": _control(ticks, 1.0 / control_rate_hz),
        "queue": _queue(spans, ticks),
        "motion": _motion(ticks, upper_joints, 1.0 / control_rate_hz),
        "safety": {key: int(episodes[key].sum()) for key in ("interventions", "violations")},
        "falls": int(episodes["fell"].sum()),
        "network": _network(spans, float(episodes["sim_s"].sum())),
        "sim_s": float(episodes["sim_s"].sum()),
        "wall_s": float(episodes["wall_s"].sum()),
    }


def stage_latencies(spans: pd.DataFrame, ticks: pd.DataFrame) -> dict[str, Values]:
    """For each stage float[n, 5]: seconds in all, then uplink, queue, compute and downlink of its n answers."""
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


def _reasons(episodes: pd.DataFrame) -> dict[str, int]:
    names, counts = np.unique(episodes["reason"].to_numpy(str), return_counts=True)
    order = sorted(zip(names.tolist(), counts.tolist(), strict=True), key=lambda item: (-item[1], item[0]))
    return dict(order)


def _latency(samples: Values) -> dict[str, Any]:
    means = samples[:, 1:].mean(axis=0) * MS
    return {**quantiles(samples[:, 0] * MS), "parts": dict(zip(PARTS, means.tolist(), strict=True))}


def _budget(
    budget: Budget, spans: pd.DataFrame, latencies: dict[str, Values], episodes: pd.DataFrame
) -> dict[str, dict[str, float | None]]:
    """Share of requests within each stage's limit (one without an answer is not), and of commands within the total."""
    unanswered = spans.loc[~spans["status"].isin(ANSWERED), "stage"].astype(str).value_counts()
    result: dict[str, dict[str, float | None]] = {}
    for stage, limit_ms in budget.stages_ms.items():
        took_ms = latencies.get(stage, np.zeros((0, 5)))[:, 0] * MS
        asked = took_ms.size + int(unanswered.get(stage, 0))
        met = float((took_ms <= limit_ms).sum()) / asked if asked else None
        result[stage] = {"limit_ms": limit_ms, "met_ratio": met}
    obeyed = episodes.loc[~episodes["refused"], "ttfa_s"]  # a robot that rightly refuses never moves
    met = float((obeyed * MS <= budget.total_ms).mean()) if len(obeyed) else None
    return {**result, "total": {"limit_ms": budget.total_ms, "met_ratio": met}}


def _control(ticks: pd.DataFrame, period_s: float) -> dict[str, Any]:
    """Timing of the control loop: error of its period, execution time, lateness against its schedule, misses."""
    episode, at = ticks["episode"].to_numpy(), ticks["t_s"].to_numpy(np.float64)
    steps = np.diff(at)[episode[1:] == episode[:-1]]
    execution = ticks["control_s"].to_numpy(np.float64) + ticks["safety_s"].to_numpy(np.float64)
    offset = at - ticks["tick"].to_numpy(np.float64) * period_s
    lateness = offset - _least_by_group(offset, episode)
    missed = np.round(lateness + execution - period_s, 9) > 0
    return {
        "rate_hz": float(1.0 / steps.mean()) if steps.size else None,
        "period_error_us": quantiles(np.round(np.abs(steps - period_s) * US, 3), LOOP_QUANTILES),
        "execution_us": quantiles(execution * US, LOOP_QUANTILES),
        "lateness_us": quantiles(np.round(lateness * US, 3), LOOP_QUANTILES),
        "deadline_miss_ratio": float(missed.mean()) if missed.size else None,
        "longest_miss_run": _longest_run(missed, episode),
    }


def _least_by_group(values: Values, groups: NDArray[Any]) -> Values:
    """[n] the smallest value of each row's group."""
    _, index = np.unique(groups, return_inverse=True)
    least = np.full(index.max(initial=-1) + 1, np.inf)
    np.minimum.at(least, index, values)
    return least[index]


def _longest_run(flags: NDArray[np.bool_], groups: NDArray[Any]) -> int:
    longest = run = 0
    previous = None
    for flag, group in zip(flags.tolist(), groups.tolist(), strict=True):
        run = (run if group == previous else 0) + 1 if flag else 0
        longest, previous = max(longest, run), group
    return longest


def _queue(spans: pd.DataFrame, ticks: pd.DataFrame) -> dict[str, Any]:
    """`skipped_actions` counts answers that came after their deadline: computed, but never acted on."""
    return {
        "starved_ticks": int(ticks["starved"].sum()),
        "stale_action_ratio": float(ticks["stale"].mean()) if len(ticks) else None,
        "skipped_actions": int((spans["status"] == "late").sum()),
    }


def _motion(ticks: pd.DataFrame, upper_joints: Sequence[str], period_s: float) -> dict[str, float | None]:
    """Smoothness of what was commanded.

    `seam_jump_rad_p99`: where the phase changes or a newer detection takes over, how far the largest joint step departs
    from going on at constant velocity. `jerk`: root mean square over joints and ticks, rad/s^3.
    """
    commanded = ticks[[f"commanded.{joint}" for joint in upper_joints]].to_numpy(np.float64)
    if len(ticks) < 4 or not commanded.size:
        return {"seam_jump_rad_p99": None, "jerk": None}
    episode, phase = ticks["episode"].to_numpy(), ticks["phase"].to_numpy(str)
    age = ticks["detection_age_s"].to_numpy(np.float64)
    seam = ((phase[1:] != phase[:-1]) | (age[1:] < age[:-1]))[1:] & (episode[2:] == episode[:-2])
    jumps = np.abs(np.diff(commanded, 2, axis=0)).max(axis=1)[seam]
    third = np.diff(commanded, 3, axis=0)[episode[3:] == episode[:-3]] / period_s**3
    return {
        "seam_jump_rad_p99": quantiles(jumps, ("p99",))["p99"],
        "jerk": float(np.sqrt(np.mean(third**2))) if third.size else None,
    }


def _network(spans: pd.DataFrame, sim_s: float) -> dict[str, float | None]:
    """Mean traffic over all simulated time, Mbit/s."""
    return {
        f"{way}_mbps": float(spans[f"bytes_{way}"].sum()) * 8e-6 / sim_s if sim_s > 0 else None
        for way in ("up", "down")
    }
