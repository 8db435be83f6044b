"""The emergency stop: once latched it stays, until somebody resets it on purpose."""

from __future__ import annotations


class EmergencyStop:
    """The state behind `Surroundings.stop_latched`; the agent keeps one and the filter obeys it."""

    def __init__(self) -> None:
        self._reason = ""

    @property
    def latched(self) -> bool:
        """Whether the robot must stand still."""
        return bool(self._reason)

    @property
    def reason(self) -> str:
        """Why it was latched, the first time; empty when it is not."""
        return self._reason

    def latch(self, reason: str) -> None:
        """Stop, because of `reason` ("heard stop"). Latched already, it stays what it is."""
        self._reason = self._reason or reason or "stop"

    def reset(self) -> None:
        """Let the robot move again: a deliberate act of a person, never of the stack itself."""
        self._reason = ""
