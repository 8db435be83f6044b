"""Where a request goes when its site does not answer, and which sites answer at all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from vla_sim.clock import VirtualClock, to_ns
from vla_sim.deployment.link import Path
from vla_sim.deployment.span import Mode
from vla_sim.errors import ConfigError, nearest

HEARTBEAT_BYTES = 64


@dataclass(frozen=True)
class Fallback:
    """Another site, tried when one is known to be down, rejects, or has not answered within `after_ms`.

    An answer of the first that comes after all is taken if it is the first to come: the fallback is a hedge.
    `after_ms` None = only when the site is down or rejects. "simplified" uses a stage's lighter version where it has
    one. Raises ConfigError for a time that is not positive.
    """

    site: str
    mode: Mode = "full"
    after_ms: float | None = None

    def __post_init__(self) -> None:
        if self.mode == "cached":
            raise ConfigError("mode", "cached is what a cache makes of an answer", "choose one of: full, simplified")
        if self.after_ms is not None and not (math.isfinite(self.after_ms) and self.after_ms > 0):
            raise ConfigError("after_ms", f"must be positive or null, got {self.after_ms:g}")


class Hop(NamedTuple):
    """One place to try."""

    site: str
    mode: Mode = "full"
    after_ns: int | None = None  # then the next is tried as well
    number: int = 0  # on the way: 0 = where the stage is placed


class Routes:
    """The order in which sites are tried: `fallbacks` says of a site which comes after it.

    A simplified fallback is the end of the way. Raises ConfigError for an unknown site and for a circle.
    """

    def __init__(self, fallbacks: Mapping[str, Fallback], sites: Mapping[str, object]) -> None:
        self._fallbacks = dict(fallbacks)
        for site, fallback in self._fallbacks.items():
            for name in (site, fallback.site):
                if name not in sites:
                    raise ConfigError(f"fallbacks.{site}", f"unknown site {name!r}", nearest(name, sites))
        self._hops = {site: self._follow(site) for site in sites}

    def hops(self, site: str) -> tuple[Hop, ...]:
        """Where to try, in order, for a stage placed on `site`."""
        return self._hops[site]

    def _follow(self, site: str) -> tuple[Hop, ...]:
        hops, mode, passed = list[Hop](), "full", [site]
        while mode == "full" and (after := self._fallbacks.get(site)) is not None:
            after_ns = None if after.after_ms is None else to_ns(after.after_ms / 1e3)
            hops.append(Hop(site, "full", after_ns, len(hops)))
            if after.mode == "full" and after.site in passed:
                circle = " -> ".join([*passed[passed.index(after.site) :], after.site])
                raise ConfigError(f"fallbacks.{site}", f"goes round in a circle: {circle}", "let one of them end")
            site, mode = after.site, after.mode
            passed.append(site)
        return (*hops, Hop(site, "simplified" if mode == "simplified" else "full", None, len(hops)))


@dataclass(frozen=True)
class HealthSpec:
    """Heartbeats to every site off the robot. Raises ConfigError for numbers that cannot be.

    A site is down after `failures` heartbeats in a row without an answer within `timeout_ms`, and up again at the next
    answer.
    """

    every_ms: float = 100.0
    timeout_ms: float = 300.0
    failures: int = 2

    def __post_init__(self) -> None:
        for key in ("every_ms", "timeout_ms"):
            if not (math.isfinite(getattr(self, key)) and getattr(self, key) > 0):
                raise ConfigError(key, f"must be positive, got {getattr(self, key):g}")
        if self.failures < 1:
            raise ConfigError("failures", f"must be at least 1, got {self.failures}")


class Health:
    """Which sites answer. Without a `spec` nobody asks, and all count as up."""

    def __init__(self, spec: HealthSpec | None, clock: VirtualClock, paths: Mapping[str, Path]) -> None:
        self._spec, self._clock = spec, clock
        self._missed = dict.fromkeys(paths, 0)
        self._beats = 0
        self._open: set[int] = set()  # heartbeats without an answer or a judgement
        if spec is not None:
            for site, path in paths.items():
                if path.links:
                    clock.call_in(0.0, partial(self._beat, site, path))

    def up(self, site: str) -> bool:
        """Whether a site counts as reachable."""
        return self._spec is None or self._missed.get(site, 0) < self._spec.failures

    def _beat(self, site: str, path: Path) -> None:
        assert self._spec is not None
        number, self._beats = self._beats, self._beats + 1
        self._open.add(number)
        back = partial(path.send, self._clock, HEARTBEAT_BYTES, "down", partial(self._answer, site, number), _nothing)
        path.send(self._clock, HEARTBEAT_BYTES, "up", back, _nothing)
        self._clock.call_in(self._spec.timeout_ms / 1e3, partial(self._judge, site, number))
        self._clock.call_in(self._spec.every_ms / 1e3, partial(self._beat, site, path))

    def _answer(self, site: str, number: int) -> None:
        self._open.discard(number)
        self._missed[site] = 0

    def _judge(self, site: str, number: int) -> None:
        if number in self._open:
            self._open.discard(number)
            self._missed[site] += 1


def _nothing() -> None:
    """A lost heartbeat is noticed by its silence."""
