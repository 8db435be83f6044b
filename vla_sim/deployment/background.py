"""What else a computer is busy with: requests of other robots, and times in which it is slower."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from vla_sim.clock import VirtualClock, to_ns
from vla_sim.deployment.interruptions import Window
from vla_sim.deployment.resources import COMPONENTS, Usage, allocate, component_of
from vla_sim.errors import ConfigError

LOOP_CPU_PERCENT = 13.0  # of one core: 1.3 ms of control and safety in every period of 10 ms


@dataclass(frozen=True)
class BackgroundSpec:
    """Other robots that ask for the same stage: each `rate_hz` times a second.

    "poisson": independent requests, as of many robots that know nothing of each other. "periodic": evenly spaced, as of
    one dispatcher. It begins at time 0 with nobody waiting. Raises ConfigError for numbers that cannot be.
    """

    stage: str
    robots: int
    rate_hz: float
    arrivals: Literal["poisson", "periodic"] = "poisson"

    def __post_init__(self) -> None:
        if self.robots < 1:
            raise ConfigError("robots", f"must be at least 1, got {self.robots}", "leave the entry out for none")
        if not (math.isfinite(self.rate_hz) and self.rate_hz > 0):
            raise ConfigError("rate_hz", f"a rate must be positive, got {self.rate_hz:g} Hz")

    def gap_s(self, rng: np.random.Generator) -> float:
        """Time to the next request, s. Always takes one number from `rng`."""
        mean_s = 1.0 / (self.robots * self.rate_hz)
        draw = float(rng.exponential(mean_s))
        return draw if self.arrivals == "poisson" else mean_s


@dataclass(frozen=True)
class Squeeze(Window):
    """A time in which everything takes `slowdown` times as long, because something else takes the computer.

    `memory` is the share of its memory that the other takes meanwhile, 0-1.
    """

    slowdown: float = 1.0
    memory: float = 0.0

    def __post_init__(self) -> None:
        Window.__post_init__(self)
        if not (math.isfinite(self.slowdown) and self.slowdown > 1):
            raise ConfigError("slowdown", f"must be greater than 1, got {self.slowdown:g}")
        if not 0 <= self.memory <= 1:
            raise ConfigError("memory", f"is a share of the computer's, 0 to 1, got {self.memory:g}")


def reserved(stage: str, slowdown: float) -> float:
    """How many times as long a stage takes when 1 / `slowdown` of a computer is left and shared out by priority.

    The control loop keeps what it uses; the stage's component gets of the rest what it asks for, up to its limit. inf
    when nothing is left for it.
    """
    wanted = {component.name: component for component in COMPONENTS}
    name = component_of(stage)
    demand = {"control": Usage(LOOP_CPU_PERCENT, 0.0)}
    if name != "control":
        demand[name] = Usage(wanted[name].cpu_percent, 0.0)
    return allocate(demand, Usage(100.0 / slowdown, 0.0), COMPONENTS).slow_down(name)


class Pace:
    """How fast work goes on through squeezes. Raises ConfigError when they overlap.

    With `reserve` what is left of the computer is shared out by priority, else all suffer alike.
    """

    def __init__(self, squeezes: Sequence[Squeeze] = (), *, reserve: bool = False) -> None:
        self._reserve = reserve
        self._squeezes = sorted(squeezes, key=lambda squeeze: squeeze.start_s)
        for one, other in pairwise(self._squeezes):
            if other.start_s < one.start_s + one.duration_s:
                raise ConfigError("squeezes", f"one starts at {other.start_s:g} s, before another has ended")

    def slowdown(self, stage: str, time_s: float) -> float:
        """How many times as long a stage takes at a time."""
        squeeze = self._at(time_s)
        return 1.0 if squeeze is None else self._factor(stage, squeeze)

    def _factor(self, stage: str, squeeze: Squeeze) -> float:
        return reserved(stage, squeeze.slowdown) if self._reserve else squeeze.slowdown

    def _at(self, time_s: float) -> Squeeze | None:
        return next((q for q in self._squeezes if q.start_s <= time_s < q.start_s + q.duration_s), None)

    def end_s(self, start_s: float, work_s: float, stage: str = "") -> float:
        """When work of a stage begun at `start_s` is over that takes `work_s` on a computer left alone."""
        now_s, left_s = start_s, work_s
        for squeeze in self._squeezes:
            begin_s, over_s = squeeze.start_s, squeeze.start_s + squeeze.duration_s
            if over_s <= now_s:
                continue
            before_s = max(begin_s - now_s, 0.0)
            if left_s <= before_s:
                break
            left_s, now_s = left_s - before_s, max(now_s, begin_s)
            slowdown = self._factor(stage, squeeze)
            inside_s = (over_s - now_s) / slowdown
            if left_s <= inside_s:
                return now_s + left_s * slowdown
            left_s, now_s = left_s - inside_s, over_s
        return now_s + left_s

    def taken(self, time_s: float) -> tuple[float, float]:
        """Shares of the processor and of the memory that something else takes at a time, 0-1."""
        squeeze = self._at(time_s)
        return (0.0, 0.0) if squeeze is None else (1.0 - 1.0 / squeeze.slowdown, squeeze.memory)

    def end_ns(self, clock: VirtualClock, work_s: float, stage: str) -> int:
        """As `end_s`, from now, in whole nanoseconds of the clock."""
        if not self._squeezes:
            return clock.now_ns + to_ns(work_s)
        return max(clock.now_ns, to_ns(self.end_s(clock.now_s, work_s, stage)))
