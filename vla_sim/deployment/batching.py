"""Several requests served at once: which of those that wait go together, and what serving them together costs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vla_sim.errors import ConfigError


@dataclass(frozen=True)
class BatchSpec:
    """A micro-batcher. Requests of one stage are served together, up to `size`; the first waits at most `wait_ms`.

    A batch of n takes `1 + marginal * (n - 1)` times as long as one request: 1 = no gain, 0 = the others are free.
    Raises ConfigError for numbers that cannot be.
    """

    size: int = 1
    wait_ms: float = 0.0
    marginal: float = 1.0

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ConfigError("size", f"counts requests served together, at least 1, got {self.size}")
        if not (math.isfinite(self.wait_ms) and self.wait_ms >= 0):
            raise ConfigError("wait_ms", f"must not be negative, got {self.wait_ms}")
        if self.wait_ms and self.size == 1:
            raise ConfigError("wait_ms", "there is nothing to wait for with batches of 1", "give size > 1")
        if not 0 <= self.marginal <= 1:
            raise ConfigError("marginal", f"must lie between 0 (others are free) and 1 (no gain), got {self.marginal}")

    def stretch(self, count: int) -> float:
        """How many times as long as a single request a batch of `count` takes."""
        return 1.0 + self.marginal * (count - 1)
