"""Records what the stages of a stack are given while an episode plays, so that it can be replayed with a stopwatch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from vla_sim.profiles.bench import Call
from vla_sim.robot import Robot
from vla_sim.stack import Stack
from vla_sim.types import Verdict


@dataclass(frozen=True)
class Measurable:
    """A stage as something to time: which field of the stack, and which of its methods."""

    name: str  # as deployments call it
    field: str  # of `Stack`
    methods: frozenset[str]  # recorded: those that are timed, and those that change what the stage remembers
    timed: frozenset[str] = frozenset({"__call__"})
    ends: frozenset[str] = frozenset({"__call__"})
    once: bool = False  # asked at the beginning of an episode and not again


def _stage(name: str, *, once: bool = False, methods: Iterable[str] = ()) -> Measurable:
    return Measurable(name, name, frozenset({"__call__", *methods}), once=once)


STAGES: dict[str, Measurable] = {
    stage.name: stage
    for stage in (
        _stage("intent", once=True),
        _stage("planning", once=True),
        _stage("perception"),
        _stage("grasp"),
        _stage("navigation", methods=("reset",)),
        Measurable("safety", "safety", frozenset({"filter"}), frozenset({"filter"}), frozenset({"filter"})),
        Measurable(
            "control", "motion", frozenset({"reset", "start", "tick", "answer", "navigate", "command", "accept"}),
            timed=frozenset({"tick", "command"}), ends=frozenset({"command"}),
        ),
    )
}  # fmt: skip


@dataclass
class Log:
    """The calls of one stage, in order."""

    stage: Measurable
    calls: list[Call] = field(default_factory=list)

    @property
    def units(self) -> int:
        """How many inputs there are to time."""
        return sum(call.method in self.stage.ends for call in self.calls)

    def add(self, method: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        """One more call. Its inputs are kept, not copied: the project's types are immutable."""
        kept = tuple(_kept(value) for value in arguments)
        self.calls.append(Call(method, kept, {name: _kept(value) for name, value in named.items()}))


def _kept(value: Any) -> Any:
    # A bare array may be a buffer that is written again in the next tick.
    return value.copy() if isinstance(value, np.ndarray) else value


class Tap:
    """Stands in for a stage: does what it does, and writes down what it was given."""

    def __init__(self, stage: Any, log: Log) -> None:
        self._stage, self._log = stage, log

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self._log.add("__call__", arguments, named)
        return self._stage(*arguments, **named)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._stage, name)
        if name not in self._log.stage.methods:
            return found

        def recorded(*arguments: Any, **named: Any) -> Any:
            self._log.add(name, arguments, named)
            return found(*arguments, **named)

        return recorded


def tapped(stack: Stack, names: Iterable[str]) -> tuple[Stack, dict[str, Log]]:
    """The stack with those stages tapped, and their logs. A stage the stack does not have has an empty log."""
    logs = {name: Log(STAGES[name]) for name in names}
    taps: dict[str, Any] = {
        log.stage.field: Tap(getattr(stack, log.stage.field), log)
        for log in logs.values()
        if getattr(stack, log.stage.field) is not None
    }
    return replace(stack, **taps), logs


class EndsWhenHeard:
    """A robot whose episode is over as soon as every stage that is asked once has been asked."""

    def __init__(self, robot: Robot, logs: Iterable[Log]) -> None:
        self._robot, self._logs = robot, tuple(logs)
        self._wanted = [log.units + 1 for log in self._logs]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._robot, name)

    def verdict(self) -> Verdict | None:
        """As the robot says, or success when all has been heard."""
        if all(log.units >= wanted for log, wanted in zip(self._logs, self._wanted, strict=True)):
            return Verdict(True, "recorded")
        return self._robot.verdict()
