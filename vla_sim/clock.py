"""Time. `VirtualClock` is an event queue: nothing waits, so the same seed gives the same bits.

Times are integer nanoseconds inside, so that 15 control ticks of 10 ms and 3 camera ticks of 50 ms fall on the same
instant; the outside speaks seconds. Events of equal time run in the order they were scheduled.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable

NS = 1_000_000_000


def to_ns(seconds: float) -> int:
    """Seconds to the nearest nanosecond."""
    return round(seconds * NS)


def period_ns(rate_hz: float) -> int:
    """Period of a rate, exact or an error (habit: divide exactly or raise).

    Raises ValueError when the rate is not positive or its period is not a whole number of microseconds.
    """
    if not rate_hz > 0:
        raise ValueError(f"a rate must be positive, got {rate_hz} Hz")
    period = NS / rate_hz
    if period != round(period) or round(period) % 1000:
        raise ValueError(f"{rate_hz} Hz has no period in whole microseconds")
    return round(period)


class VirtualClock:
    """Simulated time that jumps from event to event."""

    def __init__(self) -> None:
        self._now_ns = 0
        self._order = itertools.count()
        self._events: list[tuple[int, int, Callable[[], None]]] = []

    @property
    def now_ns(self) -> int:
        return self._now_ns

    @property
    def now_s(self) -> float:
        return self._now_ns / NS

    def call_at_ns(self, when_ns: int, event: Callable[[], None]) -> None:
        """Run `event` at `when_ns`; a time already past is an error, not a silent 'now'."""
        if when_ns < self._now_ns:
            raise ValueError(f"event at {when_ns} ns lies before now ({self._now_ns} ns)")
        heapq.heappush(self._events, (when_ns, next(self._order), event))

    def call_in(self, delay_s: float, event: Callable[[], None]) -> None:
        """Run `event` after `delay_s` >= 0 simulated seconds."""
        self.call_at_ns(self._now_ns + to_ns(delay_s), event)

    def run(self, until: Callable[[], bool]) -> None:
        """Run events in order until `until()` is true after one, or none is left."""
        while self._events and not until():
            self._now_ns, _, event = heapq.heappop(self._events)
            event()


class Stopwatch:
    """Wall time spent, for the columns that say so. Never part of a simulated result."""

    def __init__(self) -> None:
        self._start_s = time.perf_counter()

    @property
    def elapsed_s(self) -> float:
        return time.perf_counter() - self._start_s
