"""How reaction times and the control loop's timing are spread: histograms of every sample, counted once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_sim.harness.metrics import reaction_s
from vla_sim.telemetry.store import RunRecords

BINS = 40
LEAST_SPREAD = 1e-9  # samples closer together are all the same


@dataclass(frozen=True)
class Distribution:
    """Counts of equally wide bins between `low` and `high`; the tail beyond the 99.9 % quantile is in the last one."""

    name: str
    label: str  # with its unit
    samples: int
    low: float
    high: float
    counts: tuple[int, ...]
    p50: float
    p95: float
    worst: float


def distributions(run: RunRecords) -> tuple[Distribution, ...]:
    """Image to reaction, and what the control loop was late by and took in each tick; those that vary at all."""
    found = (
        _distribution("reaction", "image to reaction, ms", reaction_s(run.spans, run.ticks) * 1e3),
        _distribution("period", "period of the control loop, ms", _periods_ms(run)),
        _distribution("execution", "execution of a control tick, ms", _execution_ms(run)),
    )
    return tuple(each for each in found if each is not None)


def _periods_ms(run: RunRecords) -> NDArray[np.float64]:
    """Rounded to a nanosecond: beyond that only the last bits of seconds differ."""
    at, episode = run.ticks["t_s"].to_numpy(np.float64), run.ticks["episode"].to_numpy()
    steps: NDArray[np.float64] = np.round(np.diff(at)[episode[1:] == episode[:-1]] * 1e3, 6)
    return steps


def _execution_ms(run: RunRecords) -> NDArray[np.float64]:
    took: NDArray[np.float64] = (run.ticks["control_s"] + run.ticks["safety_s"]).to_numpy(np.float64) * 1e3
    return took


def _distribution(name: str, label: str, values: NDArray[np.float64]) -> Distribution | None:
    if not values.size or np.ptp(values) <= LEAST_SPREAD:
        return None
    low, high = float(values.min()), float(np.quantile(values, 0.999))
    if high - low <= LEAST_SPREAD:
        high = float(values.max())
    counts, _ = np.histogram(np.minimum(values, high), BINS, (low, high))
    p50, p95 = (float(value) for value in np.quantile(values, (0.5, 0.95)))
    return Distribution(name, label, values.size, low, high, tuple(counts.tolist()), p50, p95, float(values.max()))
