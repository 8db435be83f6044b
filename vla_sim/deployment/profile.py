"""How long a stage takes on a device: a distribution given by a few quantiles, with its provenance."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from vla_sim.errors import ConfigError, nearest
from vla_sim.types import Array

Provenance = Literal["measured here", "published", "roofline", "placeholder", "given"]


@dataclass(frozen=True)
class LatencyProfile:
    """Compute time of one call at batch 1.

    The inverse distribution function runs through the quantiles and is log-linear between them. Without `min_ms` the
    minimum is p50^2 / p95, as far below the median as p95 is above it; without `max_ms` the slope between the last two
    quantiles goes on to the maximum.
    Raises ConfigError for quantiles that are not positive, not finite or not in order, and for a missing source.
    """

    p50_ms: float
    p95_ms: float
    p99_ms: float
    provenance: Provenance
    source: str
    min_ms: float | None = None
    max_ms: float | None = None
    p999_ms: float | None = None

    def __post_init__(self) -> None:
        given = {
            name: value
            for name in ("min_ms", "p50_ms", "p95_ms", "p99_ms", "p999_ms", "max_ms")
            if (value := getattr(self, name)) is not None
        }
        below, before = 0.0, ""
        for name, value in given.items():
            if not (math.isfinite(value) and value > 0):
                raise ConfigError(name, f"must be a positive number of milliseconds, got {value}")
            if value < below:
                raise ConfigError(name, f"is {value}, less than {before} = {below}", "quantiles must not fall")
            below, before = value, name
        if self.provenance not in get_args(Provenance):
            raise ConfigError(
                "provenance", f"unknown {self.provenance!r}", nearest(self.provenance, get_args(Provenance))
            )
        if not self.source.strip():
            raise ConfigError("source", "is empty", "say where the quantiles come from")

    @classmethod
    def constant(cls, duration_ms: float, source: str) -> LatencyProfile:
        """A stage that always takes `duration_ms`."""
        return cls(duration_ms, duration_ms, duration_ms, "given", source)

    @cached_property
    def _knots(self) -> tuple[Array, Array]:
        """Probabilities and logarithms of milliseconds between which the inverse distribution is linear."""
        p50, p95, p99 = (math.log(value) for value in (self.p50_ms, self.p95_ms, self.p99_ms))
        low = p50 - (p95 - p50) if self.min_ms is None else math.log(self.min_ms)
        if self.p999_ms is None:
            high = p99 + (p99 - p95) * 0.01 / 0.04 if self.max_ms is None else math.log(self.max_ms)
            return np.array([0.0, 0.5, 0.95, 0.99, 1.0]), np.array([low, p50, p95, p99, high])
        p999 = math.log(self.p999_ms)
        high = p999 + (p999 - p99) * 0.001 / 0.009 if self.max_ms is None else math.log(self.max_ms)
        return np.array([0.0, 0.5, 0.95, 0.99, 0.999, 1.0]), np.array([low, p50, p95, p99, p999, high])

    def quantile_ms(self, probability: float) -> float:
        """Inverse distribution function, `probability` in 0-1."""
        return math.exp(np.interp(probability, *self._knots))

    def sample_s(self, rng: np.random.Generator) -> float:
        """One draw, seconds. Always takes one number from `rng`, so that devices can be compared draw by draw."""
        return self.quantile_ms(rng.random()) / 1e3


@dataclass(frozen=True)
class Device:
    """What each stage costs on one computer."""

    name: str
    profiles: dict[str, LatencyProfile] = field(default_factory=dict)  # keyed by stage
    default: LatencyProfile | None = None  # for stages not listed
    hardware: str = ""  # its name in the library of hardware, vla_sim.profiles; empty = unknown

    def profile(self, stage: str) -> LatencyProfile:
        """Raises ConfigError when the stage is not listed and there is no default."""
        found = self.profiles.get(stage, self.default)
        if found is None:
            problem = f"device {self.name!r} has no latency profile for it"
            raise ConfigError(f"profiles.{stage}", problem, nearest(stage, self.profiles))
        return found
