"""Time. `VirtualClock` is an event queue: nothing waits, so the same seed gives the same bits.

Times are integer nanoseconds inside; the outside speaks seconds. Rates divide as whole numbers of ticks, so that every
camera tick of 30 Hz is a control tick of 150 Hz although neither has a period in whole nanoseconds. Events of equal
time run in the order they were scheduled.
"""

from __future__ import annotations

import heapq
import itertools
import math
import time
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

NS = 1_000_000_000
RATE_MAX_HZ = 1e6  # a thousand nanoseconds a tick: ticks of different rates can still be told apart


def to_ns(seconds: float) -> int:
    """Seconds to the nearest nanosecond."""
    return round(seconds * NS)


@lru_cache(maxsize=64)
def exact_rate(rate_hz: float) -> Fraction:
    """A rate as the decimal it was written as: 33.3 is 333/10. ValueError unless it lies within 0...1 MHz."""
    if not 0 < rate_hz < math.inf:
        raise ValueError(f"a rate must be positive, got {rate_hz} Hz")
    if rate_hz > RATE_MAX_HZ:
        raise ValueError(f"{rate_hz:g} Hz is faster than {RATE_MAX_HZ:g} Hz")
    return Fraction(str(float(rate_hz)))


def tick_ns(tick: int, rate_hz: float) -> int:
    """When a tick of a rate happens, to the nearest nanosecond. Counted from tick 0, so that no error adds up."""
    rate = exact_rate(rate_hz)
    whole, rest = divmod(tick * NS * rate.denominator, rate.numerator)
    return whole + (2 * rest + whole % 2 > rate.numerator)  # as `round`: halves to the even number


def ticks_between(slow_hz: float, fast_hz: float) -> int:
    """How many ticks of the faster rate make one of the slower: tick k of one is tick k times this of the other.

    Raises ValueError when that is no whole number (habit: divide exactly or raise).
    """
    ratio = exact_rate(fast_hz) / exact_rate(slow_hz)
    if ratio.denominator != 1:
        raise ValueError(f"{slow_hz:g} Hz does not divide {fast_hz:g} Hz")
    return ratio.numerator


def divides(slow_hz: float, fast_hz: float) -> bool:
    """Whether every tick of `slow_hz` falls on one of `fast_hz`. False for what is no rate."""
    try:
        return ticks_between(slow_hz, fast_hz) > 0
    except ValueError:
        return False


def nearest_divisor_hz(rate_hz: float, fast_hz: float) -> float:
    """The rate closest to `rate_hz` that divides `fast_hz` and has at most three decimals.

    `fast_hz` itself when it has more. Raises ValueError for what is no rate.
    """
    fast, wanted = exact_rate(fast_hz), exact_rate(rate_hz)
    if (fast * 1000).denominator != 1:
        return float(fast)
    whole = (fast * 1000).numerator
    small = [n for n in range(1, math.isqrt(whole) + 1) if whole % n == 0]
    offers = [Fraction(n, 1000) for n in {*small, *(whole // n for n in small)}]
    return float(min(offers, key=lambda offer: (abs(offer - wanted), -offer)))


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


def today() -> str:
    """The date, YYYY-MM-DD, for records that say when something was measured. Never part of a simulated result."""
    return time.strftime("%Y-%m-%d")
