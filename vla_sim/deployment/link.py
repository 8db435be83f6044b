"""Networks: rate, delay, jitter, burst loss and interruptions of a link, and links in series.

A message is one whole request or answer. It waits for the link to be free in its direction, is serialised at the
direction's rate, and travels for a random time; messages may overtake each other on the way. What is lost may be sent
again, and then, as in one TCP connection, what comes after it waits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np

from vla_sim.clock import VirtualClock, to_ns
from vla_sim.deployment.interruptions import Interruptions, InterruptionSpec
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
    retransmissions: int = 0  # of a lost message, at most
    retransmit_after_ms: float | None = None  # from its sending; None = two round trips
    interruptions: InterruptionSpec = field(default_factory=InterruptionSpec)

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
        if self.retransmissions < 0:
            raise ConfigError("retransmissions", f"must not be negative, got {self.retransmissions}")
        if self.retransmissions and not self.timeout_s > 0:
            raise ConfigError("retransmit_after_ms", "must be positive where lost messages are sent again")
        if not self.source.strip():
            raise ConfigError("source", "is empty", "say where the figures come from")

    @property
    def timeout_s(self) -> float:
        """After which a message that was lost is sent again."""
        return (2.0 * self.rtt_ms if self.retransmit_after_ms is None else self.retransmit_after_ms) / 1e3


@dataclass(frozen=True, slots=True)
class Transfer:
    """A message that arrives. The rest of the time until `arrival_s` it waited for the link, or was sent in vain."""

    arrival_s: float
    serialisation_s: float
    propagation_s: float
    sent: int = 1  # how many times


class _Lane:
    """One direction of a link. Draws two numbers a message, whatever becomes of it; retransmissions draw elsewhere."""

    def __init__(
        self, spec: LinkSpec, rate_mbps: float | None, rng: np.random.Generator, interruptions: Interruptions
    ) -> None:
        self._bytes_per_s = math.inf if rate_mbps is None else rate_mbps * 1e6 / 8
        self._median_s = spec.rtt_ms / 2e3
        self._sigma = one_way_sigma(spec.rtt_ms, spec.jitter_ms)
        # Gilbert-Elliott with a loss-free and a lossy state; it starts as it is found in the long run.
        self._to_good = 1 / spec.burst_length
        self._to_bad = spec.loss * self._to_good / (1 - spec.loss)
        self._rng, self._again = rng, rng.spawn(1)[0]
        self._bad = bool(rng.random() < spec.loss)
        self._free_s = 0.0
        self._most, self._timeout_s = 1 + spec.retransmissions, spec.timeout_s
        self._interruptions = interruptions

    def transfer(self, now_s: float, n_bytes: int) -> Transfer | None:
        serialisation_s = n_bytes / self._bytes_per_s
        try_s = now_s
        for sent in range(1, self._most + 1):
            rng = self._rng if sent == 1 else self._again
            draw, normal = rng.random(), rng.standard_normal()
            lost = self._bad
            self._bad = draw >= self._to_good if self._bad else draw < self._to_bad
            start_s = self._interruptions.resumes_s(max(try_s, self._free_s))
            self._free_s = start_s + serialisation_s
            if not lost and not self._interruptions.is_out(start_s, self._free_s):
                propagation_s = self._median_s * math.exp(self._sigma * normal)
                return Transfer(self._free_s + propagation_s, serialisation_s, propagation_s, sent)
            try_s = self._free_s + self._timeout_s
        return None


def one_way_sigma(rtt_ms: float, jitter_ms: float) -> float:
    """Shape of the lognormal one-way delay: median rtt / 2, standard deviation jitter / sqrt(2).

    With m the median and y = exp(sigma^2) the variance is m^2 y (y - 1), a quadratic in y.
    """
    if rtt_ms == 0:
        return 0.0
    ratio = (jitter_ms / math.sqrt(2)) / (rtt_ms / 2)
    return math.sqrt(math.log((1 + math.sqrt(1 + 4 * ratio**2)) / 2))


class Link:
    """A link with its two directions, each with its own queue, losses and generator; interruptions are of both."""

    def __init__(self, spec: LinkSpec, up: np.random.Generator, down: np.random.Generator) -> None:
        self.spec = spec
        interruptions = Interruptions(spec.interruptions, *up.spawn(2))
        self._lanes: dict[Direction, _Lane] = {
            "up": _Lane(spec, spec.up_mbps, up, interruptions),
            "down": _Lane(spec, spec.down_mbps, down, interruptions),
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
