"""What the control ticks of a run say: the loop's timing, what it had to act on, how smoothly it moved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vla_sim.harness.statistics import quantiles

if TYPE_CHECKING:
    import pandas as pd

Values = NDArray[np.float64]
LOOP_QUANTILES = ("p50", "p99", "p999", "max")
TOLERANCE = 0.1  # of the period: a tick is on time within it, a period beyond it is a violation
US = 1e6


def control_metrics(ticks: pd.DataFrame, period_s: float) -> dict[str, Any]:
    """Timing of the control loop: error of its period, execution time, lateness against its schedule, misses.

    `on_time_ratio`: share of ticks that began at most a tenth of the period behind their schedule.
    `period_violations`: periods that were wrong by more than a tenth.
    """
    episode, at = ticks["episode"].to_numpy(), ticks["t_s"].to_numpy(np.float64)
    steps = np.diff(at)[episode[1:] == episode[:-1]]
    error_us = np.round(np.abs(steps - period_s) * US, 3)
    execution = ticks["control_s"].to_numpy(np.float64) + ticks["safety_s"].to_numpy(np.float64)
    offset = at - ticks["tick"].to_numpy(np.float64) * period_s
    lateness = offset - _least_by_group(offset, episode)
    lateness_us = np.round(lateness * US, 3)
    missed = np.round(lateness + execution - period_s, 9) > 0
    beyond = error_us > np.round(TOLERANCE * period_s * US, 3)
    on_time = lateness_us <= np.round(TOLERANCE * period_s * US, 3)
    return {
        "rate_hz": float(1.0 / steps.mean()) if steps.size else None,
        "period_error_us": quantiles(error_us, LOOP_QUANTILES),
        "execution_us": quantiles(execution * US, LOOP_QUANTILES),
        "lateness_us": quantiles(lateness_us, LOOP_QUANTILES),
        "on_time_ratio": float(on_time.mean()) if on_time.size else None,
        "period_violations": int(beyond.sum()),
        "period_violation_ratio": float(beyond.mean()) if beyond.size else None,
        "deadline_miss_ratio": float(missed.mean()) if missed.size else None,
        "longest_miss_run": longest_run(missed, episode),
    }


def queue_metrics(spans: pd.DataFrame, ticks: pd.DataFrame, period_s: float) -> dict[str, Any]:
    """What there was to act on.

    `skipped_actions` counts answers that came after their deadline: computed, but never acted on.
    `effective_rate_hz`: ticks with an action due, per second of control.
    """
    starved, episode = ticks["starved"].to_numpy(bool), ticks["episode"].to_numpy()
    span_s = ticks.groupby("episode")["t_s"].agg(["min", "max"]).to_numpy(np.float64)
    control_s = float((span_s[:, 1] - span_s[:, 0] + period_s).sum())
    return {
        "starved_ticks": int(starved.sum()),
        "starved_ratio": float(starved.mean()) if starved.size else None,
        "longest_starved_s": round(longest_run(starved, episode) * period_s, 9),
        "effective_rate_hz": float((~starved).sum()) / control_s if starved.size else None,
        "stale_action_ratio": float(ticks["stale"].mean()) if len(ticks) else None,
        "skipped_actions": int((spans["status"] == "late").sum()),
    }


def motion_metrics(ticks: pd.DataFrame, upper_joints: Sequence[str], period_s: float) -> dict[str, float | None]:
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


def longest_run(flags: NDArray[np.bool_], groups: NDArray[Any]) -> int:
    """Most consecutive true `flags`; a run ends with its group."""
    if not flags.any():
        return 0
    goes_on = np.zeros(flags.size, bool)
    goes_on[1:] = flags[:-1] & (groups[1:] == groups[:-1])
    number = np.cumsum(flags & ~goes_on)
    return int(np.bincount(number[flags]).max())


def _least_by_group(values: Values, groups: NDArray[Any]) -> Values:
    """[n] the smallest value of each row's group."""
    _, index = np.unique(groups, return_inverse=True)
    least = np.full(index.max(initial=-1) + 1, np.inf)
    np.minimum.at(least, index, values)
    return least[index]
