"""What keeps an endpoint from being asked too much: places and who gets them next, a rate, and a breaker.

None of them looks at a clock: they are told the time, in seconds of any clock that does not go back.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

WINDOW_S = 60.0


class Gate:
    """Lets `places` through at a time. The most urgent of those that wait is next, of equals the first that came."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._order = itertools.count()
        self._queue: list[tuple[int, int, asyncio.Future[None]]] = []

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(not turn.done() for _, _, turn in self._queue)

    @asynccontextmanager
    async def place(self, priority: int) -> AsyncIterator[None]:
        """Hold a place; who is cancelled while waiting gives up his turn."""
        if self._free:
            self._free -= 1
        else:
            await self._turn(priority)
        try:
            yield
        finally:
            self._pass_on()

    async def _turn(self, priority: int) -> None:
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._queue, (-priority, next(self._order), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._pass_on()  # the place was given just before
            raise

    def _pass_on(self) -> None:
        while self._queue:
            turn = heapq.heappop(self._queue)[2]
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


class RateLimit:
    """At most `n` in any 60 seconds."""

    def __init__(self, n: int) -> None:
        self.n = n
        self._booked_s: deque[float] = deque(maxlen=n)

    def book(self, now_s: float, patience_s: float) -> float | None:
        """How long to wait for one's turn, s; None, and no turn, when that is longer than `patience_s`."""
        at_s = now_s
        if len(self._booked_s) == self.n:
            at_s = max(now_s, self._booked_s[0] + WINDOW_S)
        if at_s - now_s > patience_s:
            return None
        self._booked_s.append(at_s)
        return at_s - now_s


class Breaker:
    """Opens after `failures` in a row: for `rest_s` nothing is tried, then one at a time until one succeeds."""

    def __init__(self, failures: int, rest_s: float) -> None:
        self._failures, self._rest_s = failures, rest_s
        self._in_a_row = 0
        self._rests_until_s: float | None = None

    def allows(self, now_s: float) -> bool:
        """Whether one may be tried now. A trial after a rest begins another rest, which its success ends."""
        if self._rests_until_s is None:
            return True
        if now_s < self._rests_until_s:
            return False
        self._rests_until_s = now_s + self._rest_s
        return True

    def succeeded(self) -> None:
        """The endpoint is well."""
        self._in_a_row, self._rests_until_s = 0, None

    def failed(self, now_s: float) -> None:
        """The endpoint gave nothing of use."""
        self._in_a_row += 1
        if self._in_a_row >= self._failures:
            self._rests_until_s = now_s + self._rest_s
