"""When a link does not carry: outages, in which what is sent is lost, and hand-overs, in which it waits."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from vla_sim.errors import ConfigError


@dataclass(frozen=True)
class Window:
    """A stretch of simulated time. Raises ConfigError for one that cannot be."""

    start_s: float
    duration_s: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start_s) and self.start_s >= 0):
            raise ConfigError("start_s", f"must not be negative, got {self.start_s}")
        if not (math.isfinite(self.duration_s) and self.duration_s > 0):
            raise ConfigError("duration_s", f"must be positive, got {self.duration_s}")


@dataclass(frozen=True)
class InterruptionSpec:
    """Outages and hand-overs, by schedule and at random. Raises ConfigError for numbers that cannot be.

    Random ones are an alternating renewal process: the time from the end of one to the start of the next is
    exponential with the mean `*_every_s`. An outage lasts an exponential time, a hand-over a fixed one.
    """

    outages: tuple[Window, ...] = ()
    outage_every_s: float | None = None  # None = none at random
    outage_s: float = 0.0  # mean duration
    handover_every_s: float | None = None
    handover_ms: float = 0.0
    handovers: tuple[Window, ...] = ()

    def __post_init__(self) -> None:
        for every, lasts in (("outage_every_s", "outage_s"), ("handover_every_s", "handover_ms")):
            gap, duration = getattr(self, every), getattr(self, lasts)
            if gap is not None and not (math.isfinite(gap) and gap > 0):
                raise ConfigError(every, f"must be positive or null, got {gap}")
            if not (math.isfinite(duration) and duration >= 0):
                raise ConfigError(lasts, f"must not be negative, got {duration}")
            if (gap is None) != (duration == 0):
                raise ConfigError(
                    lasts, f"and {every} say it together, got {duration} and {gap}", "give both or neither"
                )
        for key in ("outages", "handovers"):
            for (_, end_s), (start_s, _) in pairwise(_ends(getattr(self, key))):
                if start_s < end_s:
                    raise ConfigError(key, f"one starts at {start_s} s, before another has ended at {end_s} s")


def _ends(windows: Iterable[Window]) -> list[tuple[float, float]]:
    """(start, end) of each, in the order of time."""
    return sorted((window.start_s, window.start_s + window.duration_s) for window in windows)


class _Drawn:
    """Windows of an alternating renewal process, drawn as far as they are asked for."""

    def __init__(self, gap_s: float, duration_s: Callable[[], float], rng: np.random.Generator) -> None:
        self._gap_s, self._duration_s, self._rng = gap_s, duration_s, rng
        self._starts_s: list[float] = []
        self._ends_s: list[float] = [0.0]

    def ending_after(self, time_s: float) -> tuple[float, float]:
        """(start, end) of the first window that ends after a time."""
        while self._ends_s[-1] <= time_s:
            start_s = self._ends_s[-1] + float(self._rng.exponential(self._gap_s))
            self._starts_s.append(start_s)
            self._ends_s.append(start_s + self._duration_s())
        i = bisect_right(self._ends_s, time_s)
        return self._starts_s[i - 1], self._ends_s[i]


class Interruptions:
    """Of one link, both directions alike. The same generators give the same interruptions, whatever is asked."""

    def __init__(
        self, spec: InterruptionSpec, outage_rng: np.random.Generator, handover_rng: np.random.Generator
    ) -> None:
        self._scheduled, self._planned = _ends(spec.outages), _ends(spec.handovers)
        self._outages = self._handovers = None
        if spec.outage_every_s is not None:
            self._outages = _Drawn(
                spec.outage_every_s, lambda: float(outage_rng.exponential(spec.outage_s)), outage_rng
            )
        if spec.handover_every_s is not None:
            self._handovers = _Drawn(spec.handover_every_s, lambda: spec.handover_ms / 1e3, handover_rng)

    def is_out(self, start_s: float, end_s: float) -> bool:
        """Whether an outage touches the time from `start_s` to `end_s`, both included."""
        if any(begin_s <= end_s and start_s < over_s for begin_s, over_s in self._scheduled):
            return True
        return self._outages is not None and self._outages.ending_after(start_s)[0] <= end_s

    def resumes_s(self, time_s: float) -> float:
        """When sending can begin: `time_s`, or the end of the hand-overs under way then."""
        while (over_s := self._handover_end(time_s)) is not None:
            time_s = over_s
        return time_s

    def _handover_end(self, time_s: float) -> float | None:
        for begin_s, over_s in self._planned:
            if begin_s <= time_s < over_s:
                return over_s
        if self._handovers is None:
            return None
        begin_s, over_s = self._handovers.ending_after(time_s)
        return over_s if begin_s <= time_s < over_s else None
