"""Giving up quality under load in a fixed order, and taking it back: thresholds with hysteresis on a ladder."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

from vla_sim.clock import ticks_between
from vla_sim.errors import ConfigError, nearest

CONTROL_RATE = "control_rate"
ORDER = ("resolution", "perception_rate", "planner", "caching", CONTROL_RATE)
ROUNDING_S = 1e-9  # times come as floating-point seconds
LIMITS = (  # of what is observed: the fields of the specification and what the largest of them can be
    ("cpu_limit", "cpu_recover", 1.0),
    ("memory_limit", "memory_recover", 1.0),
    ("response_limit_s", "response_recover_s", math.inf),
)


@dataclass(frozen=True)
class Knobs:
    """What is in force. As it stands: full quality."""

    image_scale: float = 1.0  # of both sides of the image perception sees
    perception_every: int = 1  # of so many camera images one is taken
    light_planner: bool = False
    reuse_answers: bool = False  # a cached answer is good enough, though its input was only alike
    control_every: int = 1  # of so many control ticks one computes a new command


@dataclass(frozen=True)
class AdaptationSpec:
    """When quality is given up, which first, and when it is taken back. CPU and memory are shares, 0-1.

    One value above its limit, as a mean over `window_s`, is enough for a step down; for a step up all must have been
    below their `*_recover` limit for `recover_after_s`. Between two steps lie `dwell_s` at least. A step up that was
    soon followed by one down was wrong: each time, the wait for the next one up doubles, to `recover_max_s` at most.
    Raises ConfigError for what cannot work.
    """

    cpu_limit: float = 0.80
    memory_limit: float = 0.85
    response_limit_s: float = 2.0
    cpu_recover: float = 0.60
    memory_recover: float = 0.75
    response_recover_s: float = 1.2
    window_s: float = 1.0
    dwell_s: float = 2.0
    recover_after_s: float = 5.0
    recover_max_s: float = 60.0
    order: tuple[str, ...] = ORDER  # first given up first; a step left out is never taken
    image_scale: float = 0.5
    perception_every: int = 2
    control_every: int = 2

    def __post_init__(self) -> None:
        self._check_thresholds()
        self._check_times()
        self._check_order()
        if not (0 < self.image_scale < 1 and (1 / self.image_scale).is_integer()):
            problem = f"must be one over a whole number above 1, got {self.image_scale:g}"
            raise ConfigError("image_scale", problem, "0.5 halves both sides of the image")
        for key in ("perception_every", "control_every"):
            if getattr(self, key) < 2:
                raise ConfigError(key, f"must be at least 2, got {getattr(self, key)}", "1 changes nothing")

    def _check_thresholds(self) -> None:
        for limit, recover, most in LIMITS:
            high, low = getattr(self, limit), getattr(self, recover)
            if not (math.isfinite(high) and 0 < high <= most):
                raise ConfigError(limit, f"must be above 0{' and at most 1' if most == 1 else ''}, got {high:g}")
            if not 0 < low < high:
                raise ConfigError(recover, f"must lie between 0 and {limit} = {high:g}, got {low:g}")

    def _check_times(self) -> None:
        for key in ("window_s", "dwell_s", "recover_after_s", "recover_max_s"):
            if not (math.isfinite(getattr(self, key)) and getattr(self, key) > 0):
                raise ConfigError(key, f"must be a positive number of seconds, got {getattr(self, key):g}")
        for key, least in (("dwell_s", "window_s"), ("recover_max_s", "recover_after_s")):
            if getattr(self, key) < getattr(self, least):
                problem = f"is {getattr(self, key):g}, less than {least} = {getattr(self, least):g}"
                hint = "else a step rests on what was measured before the last one" if least == "window_s" else ""
                raise ConfigError(key, problem, hint)

    def _check_order(self) -> None:
        for i, step in enumerate(self.order):
            if step not in ORDER:
                raise ConfigError(f"order.{i}", f"unknown step {step!r}", nearest(step, ORDER))
            if step in self.order[:i]:
                raise ConfigError(f"order.{i}", f"{step!r} is given twice")
        if CONTROL_RATE in self.order[:-1]:
            raise ConfigError("order", f"{CONTROL_RATE!r} must come last", "the body depends on it")

    def check_rates(self, control_rate_hz: float, camera_rate_hz: float) -> None:
        """Raise ConfigError when an image would fall between two control ticks at some level."""
        if CONTROL_RATE not in self.order:
            return
        try:
            ticks = ticks_between(camera_rate_hz, control_rate_hz)
        except ValueError as error:
            raise ConfigError("control_every", str(error)) from None
        image_every = ticks * (self.perception_every if "perception_rate" in self.order else 1)
        if image_every % self.control_every:
            problem = f"{self.control_every} does not divide the {image_every} control ticks from image to image"
            fits = ", ".join(str(n) for n in range(2, image_every + 1) if image_every % n == 0)
            hint = f"choose one of: {fits}" if fits else f"leave {CONTROL_RATE!r} out of the order"
            raise ConfigError("control_every", problem, hint)

    def knobs(self, level: int) -> Knobs:
        """What is in force after `level` steps down, 0 = full quality."""
        if not 0 <= level <= len(self.order):
            raise ValueError(f"a level lies in 0..{len(self.order)}, got {level}")
        settings: dict[str, dict[str, Any]] = {
            "resolution": {"image_scale": self.image_scale},
            "perception_rate": {"perception_every": self.perception_every},
            "planner": {"light_planner": True},
            "caching": {"reuse_answers": True},
            CONTROL_RATE: {"control_every": self.control_every},
        }
        found = Knobs()
        for step in self.order[:level]:
            found = replace(found, **settings[step])
        return found


@dataclass(frozen=True, slots=True)
class Event:
    """One step on the ladder."""

    time_s: float
    level: int  # from then on
    why: str  # "resolution given up: cpu 0.93 > 0.80"


class _Load(NamedTuple):
    """What was observed at one time, or its means over a window. None = unknown."""

    cpu: float | None
    memory: float | None
    response_s: float | None

    @classmethod
    def mean(cls, loads: Iterable[_Load]) -> _Load:
        return cls(*(_mean(column) for column in zip(*loads, strict=True)))

    def words(self, i: int, sign: str, limit: float) -> str:
        """The comparison of one of its values with a limit."""
        value, unit = self[i], " s" if self._fields[i].endswith("_s") else ""
        return f"{self._fields[i].removesuffix('_s')} {value:.2f}{unit} {sign} {limit:g}{unit}"


class Adaptation:
    """Decides the level from what it observes. It asks no clock: it is told the time, which must not go back."""

    def __init__(self, spec: AdaptationSpec | None = None) -> None:
        self.spec = spec or AdaptationSpec()
        self.level = 0
        self.events: list[Event] = []
        self._knobs = [self.spec.knobs(level) for level in range(len(self.spec.order) + 1)]
        self._limits = [getattr(self.spec, limit) for limit, _, _ in LIMITS]
        self._recover = [getattr(self.spec, recover) for _, recover, _ in LIMITS]
        self._seen: deque[tuple[float, _Load]] = deque()
        self._began_s: float | None = None
        self._calm_since_s: float | None = None
        self._rose_s: float | None = None  # when the last step was taken, if it was one up
        self._wait_s = self.spec.recover_after_s  # of calm, before the first step up after one down

    @property
    def knobs(self) -> Knobs:
        """What is in force now."""
        return self._knobs[self.level]

    def degraded_s(self, now_s: float) -> float:
        """Time below full quality until now, s."""
        marks = [(event.time_s, event.level) for event in self.events if event.time_s <= now_s]
        return sum(end_s - start_s for (start_s, level), (end_s, _) in pairwise([*marks, (now_s, 0)]) if level)

    def observe(self, now_s: float, cpu: float, memory: float, response_s: float | None) -> Knobs:
        """Take in one measurement and return what is in force from now on. Call it at a fixed rate.

        `cpu` and `memory` are shares in use, 0-1. `response_s` is how long the newest answer took, or how long an open
        request has been waiting if that is longer; None = no answer since the last call and nobody waits, which speaks
        neither for nor against. Raises ValueError for a time before the last one, and for what is no share or duration.
        """
        if self._seen and now_s < self._seen[-1][0]:
            raise ValueError(f"time goes back from {self._seen[-1][0]} s to {now_s} s")
        load = _Load(cpu, memory, response_s)
        for name, value, (_, _, most) in zip(load._fields, load, LIMITS, strict=True):
            if value is not None and not 0 <= value <= most:
                raise ValueError(f"{name} must lie in 0..{most:g}, got {value}")
        self._began_s = now_s if self._began_s is None else self._began_s
        self._seen.append((now_s, load))
        while self._seen[0][0] <= now_s - self.spec.window_s + ROUNDING_S:
            self._seen.popleft()
        if now_s - self._began_s >= self.spec.window_s - ROUNDING_S:  # not on the first moments alone
            self._decide(now_s, _Load.mean(load for _, load in self._seen))
        return self.knobs

    def _decide(self, now_s: float, load: _Load) -> None:
        if not all(value is None or value < limit for value, limit in zip(load, self._recover, strict=True)):
            self._calm_since_s = None
        elif self._calm_since_s is None:
            self._calm_since_s = now_s
        if self.events and now_s - self.events[-1].time_s < self.spec.dwell_s - ROUNDING_S:
            return
        excess = [0.0 if value is None else value / limit for value, limit in zip(load, self._limits, strict=True)]
        worst = excess.index(max(excess))
        if excess[worst] > 1 and self.level < len(self.spec.order):
            self._down(now_s, load.words(worst, ">", self._limits[worst]))
        elif self.level and self._calm_since_s is not None:
            calm_s = now_s - self._calm_since_s
            # A step up that was followed by calm has proved right: the next one needs no more patience than usual.
            wait_s = self._wait_s if self._rose_s is None else self.spec.recover_after_s
            if calm_s >= wait_s - ROUNDING_S:
                known = [i for i, value in enumerate(load) if value is not None]
                values = ", ".join(load.words(i, "<", self._recover[i]) for i in known)
                self._up(now_s, f"calm for {calm_s:.1f} s, {values}")

    def _down(self, now_s: float, why: str) -> None:
        if self._rose_s is not None:
            spec, relapsed = self.spec, now_s - self._rose_s <= self._wait_s
            self._wait_s = min(2 * self._wait_s, spec.recover_max_s) if relapsed else spec.recover_after_s
        self._rose_s = None
        self.level += 1
        self.events.append(Event(now_s, self.level, f"{self.spec.order[self.level - 1]} given up: {why}"))

    def _up(self, now_s: float, why: str) -> None:
        self._rose_s = self._calm_since_s = now_s
        self.level -= 1
        self.events.append(Event(now_s, self.level, f"{self.spec.order[self.level]} taken back: {why}"))


def _mean(column: Iterable[float | None]) -> float | None:
    known = [value for value in column if value is not None]
    # Clipped, because rounding may carry the mean of equal values beyond them, and so beyond a limit.
    return min(max(math.fsum(known) / len(known), min(known)), max(known)) if known else None


class Utilisation:
    """Share of a computer's servers that were busy over the last `window_s`, from when they worked.

    `busy` is best told as a service begins, since its end is known then in virtual time; from a `Span` it is
    `end = t_end_s - downlink_s`, `start = end - compute_s`, but only once the answer is there. Before `window_s` have
    passed, the window begins at time 0. Raises ValueError for a window or a number of servers that is not positive.
    """

    def __init__(self, window_s: float, servers: float = 1.0) -> None:
        if not (window_s > 0 and servers > 0):
            raise ValueError(f"a window and servers must be positive, got {window_s} s and {servers}")
        self._window_s, self._servers, self._asked_s = window_s, servers, 0.0
        self._work: list[tuple[float, float, float]] = []  # start, end, servers

    def busy(self, start_s: float, end_s: float, servers: float = 1.0) -> None:
        """So many servers work from `start_s` to `end_s`, which may lie in the future; a share of one is a fraction."""
        if not (0 <= start_s <= end_s and servers >= 0):
            raise ValueError(f"no work: {servers} servers from {start_s} s to {end_s} s")
        self._work.append((start_s, end_s, servers))

    def share(self, now_s: float) -> float:
        """0-1, over the window that ends now. What more than all servers were asked for at a time is not counted.

        Raises ValueError for a time before the last one asked about: what lies behind the window is forgotten.
        """
        if now_s < self._asked_s:
            raise ValueError(f"time goes back from {self._asked_s} s to {now_s} s")
        self._asked_s = now_s
        since_s = max(now_s - self._window_s, 0.0)
        self._work = [work for work in self._work if work[1] > since_s]
        if now_s <= since_s:
            return 0.0
        changes = [(since_s, 0.0), (now_s, 0.0)]
        for start_s, end_s, servers in self._work:
            if start_s < now_s:
                changes += [(max(start_s, since_s), servers), (min(end_s, now_s), -servers)]
        changes.sort()
        working = worked_s = 0.0
        for (time_s, change), (next_s, _) in pairwise(changes):
            working += change
            worked_s += min(working, self._servers) * (next_s - time_s)
        return min(max(worked_s / (self._servers * (now_s - since_s)), 0.0), 1.0)
