"""How busy the computers were: from the compute times of the requests they served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

SERVED = ("ok", "late", "refused", "failed", "superseded")  # it was computed, whether or not it was of use


def usage_metrics(spans: pd.DataFrame, episodes: pd.DataFrame) -> dict[str, Any]:
    """By site: `busy`, the mean number of its replicas at work for this robot, its peak over a second, and the shares.

    Requests served in one batch share its time. What was lost on the way back was computed too, but is not in the
    records; neither are the requests of other robots. Control and safety run beside, in the loop.
    """
    sim_s = float(episodes["sim_s"].sum())
    done = spans[spans["status"].isin(SERVED) & (spans["mode"] != "cached")]
    found = {}
    for site in sorted(done["site"].astype(str).unique()):
        rows = done[done["site"] == site]
        work_s = (rows["compute_s"] / rows["batch"]).to_numpy(np.float64)
        stages = rows["stage"].astype(str).to_numpy()
        found[site] = {
            "busy": _share(work_s.sum(), sim_s),
            "busy_peak_1s": _peak(rows, work_s),
            "by_stage": {stage: _share(work_s[stages == stage].sum(), sim_s) for stage in sorted(set(stages))},
        }
    return found


def _share(work_s: float, sim_s: float) -> float | None:
    return float(work_s) / sim_s if sim_s > 0 else None


def _peak(rows: pd.DataFrame, work_s: NDArray[np.float64]) -> float:
    """Most work in one whole second of an episode; work counts where it lies, in equal parts over its time."""
    end = (rows["t_end_s"] - rows["downlink_s"]).to_numpy(np.float64)
    start = end - rows["compute_s"].to_numpy(np.float64)
    bins: dict[tuple[int, int], float] = {}
    for episode, begin, over, work in zip(rows["episode"].to_numpy(), start, end, work_s, strict=True):
        for second in range(int(begin), int(over) + 1):
            inside = min(over, second + 1.0) - max(begin, float(second))
            if inside > 0:
                key = int(episode), second
                bins[key] = bins.get(key, 0.0) + work * inside / (over - begin)
    return max(bins.values(), default=0.0)
