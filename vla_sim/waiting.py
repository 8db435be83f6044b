"""How long the robot has been held for want of an answer, and when that is too long."""

from __future__ import annotations


class Waiting:
    """Told of every control tick. `limit_s` None = it waits for as long as the task does."""

    def __init__(self, limit_s: float | None) -> None:
        self._limit_s = limit_s
        self._since_s: float | None = None
        self._before_s = 0.0
        self.held_s = 0.0  # in all

    def note(self, now_s: float, waits: bool) -> bool:
        """A tick; whether the robot has waited for too long without a break."""
        if self._since_s is not None:
            self.held_s += now_s - self._before_s
        self._before_s = now_s
        if not waits:
            self._since_s = None
        elif self._since_s is None:
            self._since_s = now_s
        return self._since_s is not None and self._limit_s is not None and now_s - self._since_s >= self._limit_s
