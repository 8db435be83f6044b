"""Networks: rate, delay, jitter and burst loss of a link, and links in series.

A message is one whole request or answer. It waits for the link to be free in its direction, is serialised at the
direction's rate, and travels for a random time; messages may overtake each other on the way.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from vla_sim.clock import VirtualClock, to_ns
from vla_sim.errors import ConfigError

Direction = Literal["up", "down"]  # away from the robot, towards the robot


@dataclass(frozen=True)
class LinkSpec:
    """What a link does to messages. Raises ConfigError for numbers no link can have."""

    name: str
    up_mbps: float | None  # Mbit/s; None = serialisation takes no time
    down_mbps: float | None
    rtt_ms: float  # median round trip of an empty message
    jitter_ms: float  # standard deviation of the round trip
    loss: float  # 0-1, share of messages lost in each direction
    burst_length: float  # mean number of consecutive messages lost together
    source: str

    def __post_init__(self) -> None:
        for key in ("up_mbps", "down_mbps"):
            rate = getattr(self, key)
            if rate is not None and not (math.isfinite(rate) and rate > 0):
                raise ConfigError(key, f"must be a positive rate in Mbit/s or null, got {rate}")
        for key in ("rtt_ms", "jitter_ms"):
            if not (math.isfinite(getattr(self, key)) and getattr(self, key) >= 0):
                raise ConfigError(key, f"must not be negative, got {getattr(self, key)}")
        if self.jitter_ms > 0 and self.rtt_ms == 0:
            raise ConfigError("jitter_ms", "needs a round trip to vary", "give rtt_ms > 0")
        if not 0 <= self.loss < 1:
            raise ConfigError("loss", f"must be at least 0 and less than 1, got {self.loss}")
        if not (math.isfinite(self.burst_length) and self.burst_length >= 1):
            raise ConfigError("burst_length", f"counts messages lost in a row, at least 1, got {self.burst_length}")
        if self.loss > self.burst_length / (1 + self.burst_length):
            shortest = self.loss / (1 - self.loss)
            raise ConfigError("burst_length", f"is too short for loss {self.loss}", f"give at least {shortest:.3g}")
        if not self.source.strip():
            raise ConfigError("source", "is empty", "say where the figures come from")


@dataclass(frozen=True, slots=True)
class Transfer:
    """A message that arrives. The rest of the time until `arrival_s` it waited for the link to be free."""

    arrival_s: float
    serialisation_s: float
    propagation_s: float


class _Lane:
    """One direction of a link. Draws two numbers a message, whatever becomes of it."""

    def __init__(self, spec: LinkSpec, rate_mbps: float | None, rng: np.random.Generator) -> None:
        self._bytes_per_s = math.inf if rate_mbps is None else rate_mbps * 1e6 / 8
        self._median_s = spec.rtt_ms / 2e3
        self._sigma = one_way_sigma(spec.rtt_ms, spec.jitter_ms)
        # Gilbert-Elliott with a loss-free and a lossy state; it starts as it is found in the long run.
        self._to_good = 1 / spec.burst_length
        self._to_bad = spec.loss * self._to_good / (1 - spec.loss)
        self._rng = rng
        self._bad = bool(rng.random() < spec.loss)
        self._free_s = 0.0

    def transfer(self, now_s: float, n_bytes: int) -> Transfer | None:
        draw, normal = self._rng.random(), self._rng.standard_normal()
        lost = self._bad
        self._bad = draw >= self._to_good if self._bad else draw < self._to_bad
        serialisation_s = n_bytes / self._bytes_per_s
        self._free_s = max(now_s, self._free_s) + serialisation_s
        if lost:
            return None
        propagation_s = self._median_s * math.exp(self._sigma * normal)
        return Transfer(self._free_s + propagation_s, serialisation_s, propagation_s)


def one_way_sigma(rtt_ms: float, jitter_ms: float) -> float:
    """Shape of the lognormal one-way delay: median rtt / 2, standard deviation jitter / sqrt(2).

    With m the median and y = exp(sigma^2) the variance is m^2 y (y - 1), a quadratic in y.
    """
    if rtt_ms == 0:
        return 0.0
    ratio = (jitter_ms / math.sqrt(2)) / (rtt_ms / 2)
    return math.sqrt(math.log((1 + math.sqrt(1 + 4 * ratio**2)) / 2))


class Link:
    """A link with its two directions, each with its own queue, losses and generator."""

    def __init__(self, spec: LinkSpec, up: np.random.Generator, down: np.random.Generator) -> None:
        self.spec = spec
        self._lanes: dict[Direction, _Lane] = {
            "up": _Lane(spec, spec.up_mbps, up),
            "down": _Lane(spec, spec.down_mbps, down),
        }

    def transfer(self, now_s: float, n_bytes: int, direction: Direction) -> Transfer | None:
        """Hand over a message at `now_s`, in the order of time; None = it is lost (and took its turn all the same)."""
        return self._lanes[direction].transfer(now_s, n_bytes)


@dataclass(frozen=True)
class Path:
    """Links in series, the robot's end first. Without links sender and receiver are the same computer."""

    links: tuple[Link, ...] = ()

    def send(
        self,
        clock: VirtualClock,
        n_bytes: int,
        direction: Direction,
        on_arrival: Callable[[], None],
        on_loss: Callable[[], None],
    ) -> None:
        """Pass a message from link to link, each entered when the one before is left; then call one of the two."""
        if not self.links:
            on_arrival()
            return
        link, rest = (self.links[0], self.links[1:]) if direction == "up" else (self.links[-1], self.links[:-1])
        transfer = link.transfer(clock.now_s, n_bytes, direction)
        if transfer is None:
            on_loss()
            return
        forward = partial(Path(rest).send, clock, n_bytes, direction, on_arrival, on_loss)
        clock.call_at_ns(max(clock.now_ns, to_ns(transfer.arrival_s)), forward)
