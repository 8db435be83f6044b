"""Who gets how much of a computer: shares of its processor and memory, granted by priority up to limits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from vla_sim.errors import ConfigError, nearest

Urgency = Literal["urgent", "normal", "background"]  # the three priorities of work in a site's queue

PRIORITY_MAX = 10
URGENT_FROM, NORMAL_FROM = 8, 4  # priorities
SLACK = 1e-9  # share of what is there that rounding may leave over


@dataclass(frozen=True)
class Usage:
    """An amount of a computer. 100 % are all its cores together, as in "above 80 % CPU". ConfigError when negative."""

    cpu_percent: float
    memory_mb: float

    def __post_init__(self) -> None:
        for key in ("cpu_percent", "memory_mb"):
            amount = getattr(self, key)
            if not (math.isfinite(amount) and amount >= 0):
                raise ConfigError(key, f"must be a number and not negative, got {amount}")


NOTHING = Usage(0.0, 0.0)


@dataclass(frozen=True)
class Component:
    """A part of the stack that gets resources as one. Raises ConfigError for a priority beyond 0-10 or a limit <= 0."""

    name: str
    priority: int  # 0-10, 10 is served first
    cpu_percent: float  # it never gets more than these two, even on an idle computer
    memory_mb: float

    def __post_init__(self) -> None:
        if not 0 <= self.priority <= PRIORITY_MAX:
            raise ConfigError(f"{self.name}.priority", f"must lie in 0..{PRIORITY_MAX}, got {self.priority}")
        for key in ("cpu_percent", "memory_mb"):
            limit = getattr(self, key)
            if not (math.isfinite(limit) and limit > 0):
                raise ConfigError(f"{self.name}.{key}", f"a limit must be a positive number, got {limit}")

    @property
    def urgency(self) -> Urgency:
        """Of its requests in a site's queue."""
        return urgency_of(self.priority)


# Control comes first because a late command is a fall. Then the way: a walking robot without one must brake. Perception
# next: an old detection is gone on with, or the hand holds. A plan can wait, the robot follows the one it has; yet it
# is no background work: behind every image of a busy camera it would never be made.
COMPONENTS = (
    Component("control", 10, 80.0, 100.0),
    Component("navigation", 8, 60.0, 500.0),
    Component("perception", 6, 70.0, 1000.0),
    Component("language", 4, 90.0, 4000.0),
)
COMPONENT_OF: Mapping[str, str] = {
    "control": "control", "safety": "control",
    "navigation": "navigation",
    "perception": "perception", "policy": "perception", "grasp": "perception",
    "voice": "language", "intent": "language", "planning": "language",
}  # fmt: skip


def component_of(stage: str) -> str:
    """Name of the component a stage belongs to. Raises ConfigError for a stage nobody knows."""
    if stage not in COMPONENT_OF:
        raise ConfigError(f"component of {stage}", f"unknown stage {stage!r}", nearest(stage, COMPONENT_OF))
    return COMPONENT_OF[stage]


def urgency_of(priority: int) -> Urgency:
    """8-10 urgent (the body's motion depends on it), 4-7 normal (the task does), 0-3 background (neither)."""
    if priority >= URGENT_FROM:
        return "urgent"
    return "normal" if priority >= NORMAL_FROM else "background"


@dataclass(frozen=True)
class Allocation:
    """Who gets what, by component. `unloaded` says why a component does not run: it did not get its memory."""

    demand: Mapping[str, Usage]
    grants: Mapping[str, Usage]
    unloaded: Mapping[str, str]

    def slow_down(self, component: str) -> float:
        """How many times as long its work takes, at least 1; inf when it gets no processor time or is not loaded.

        1 for one that asks for nothing.
        """
        if component in self.unloaded:
            return math.inf
        wanted = self.demand.get(component, NOTHING).cpu_percent
        given = self.grants.get(component, NOTHING).cpu_percent
        if wanted <= given * (1 + SLACK):
            return 1.0
        return wanted / given if given else math.inf


def allocate(demand: Mapping[str, Usage], capacity: Usage, components: Iterable[Component] = COMPONENTS) -> Allocation:
    """Share a computer among components that ask for it: the highest priority first, each up to its limit.

    Nothing that somebody may have is left over. Components of equal priority share the processor evenly: who wants
    less than an even share gets all it wants. Memory cannot be shared: who does not get all it asks for is not loaded
    and gets no processor time either; of equal priorities the smallest is loaded first. A component that is not in
    `demand` asks for nothing. Raises ConfigError for a demand of an unknown component, and for two of one name.
    """
    known: dict[str, Component] = {}
    for component in components:
        if component.name in known:
            raise ConfigError(f"components.{component.name}", "is given twice")
        known[component.name] = component
    for name in demand:
        if name not in known:
            raise ConfigError(f"demand of {name}", f"there is no component {name!r}", nearest(name, known))
    asking = [component for name, component in known.items() if name in demand]
    memory_mb, unloaded = _load(demand, capacity.memory_mb, asking)
    cpu_percent = _share_cpu(demand, capacity.cpu_percent, [c for c in asking if c.name in memory_mb])
    grants = {c.name: Usage(cpu_percent[c.name], memory_mb[c.name]) if c.name in memory_mb else NOTHING for c in asking}
    return Allocation(dict(demand), grants, unloaded)


def _load(
    demand: Mapping[str, Usage], free_mb: float, components: Sequence[Component]
) -> tuple[dict[str, float], dict[str, str]]:
    """Memory of those that can be loaded, and why the others cannot."""
    loaded: dict[str, float] = {}
    unloaded: dict[str, str] = {}
    for component in sorted(components, key=lambda c: (-c.priority, demand[c.name].memory_mb, c.name)):
        name, wanted_mb = component.name, demand[component.name].memory_mb
        if wanted_mb > component.memory_mb:
            unloaded[name] = f"needs {wanted_mb:g} MB of memory, its limit is {component.memory_mb:g} MB"
        elif wanted_mb > free_mb:
            unloaded[name] = f"needs {wanted_mb:g} MB of memory, {free_mb:g} MB are free"
        else:
            loaded[name] = wanted_mb
            free_mb -= wanted_mb
    return loaded, unloaded


def _share_cpu(demand: Mapping[str, Usage], free: float, components: Sequence[Component]) -> dict[str, float]:
    grants: dict[str, float] = {}
    ranked = sorted(components, key=lambda c: (-c.priority, c.name))
    for _, equals in groupby(ranked, key=lambda c: c.priority):
        wanted = {c.name: min(demand[c.name].cpu_percent, c.cpu_percent) for c in equals}
        for left, name in zip(range(len(wanted), 0, -1), sorted(wanted, key=lambda n: (wanted[n], n)), strict=True):
            grants[name] = min(wanted[name], free / left)
            free = max(free - grants[name], 0.0)
    return grants
