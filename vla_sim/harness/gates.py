"""Gates: what a run's metrics must reach, written as `success_rate >= 0.9` and checked when it is over."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from typing import Any

from vla_sim.errors import ConfigError, nearest
from vla_sim.harness.budgets import Budget
from vla_sim.harness.metrics import metrics_template

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": lambda a, b: math.isclose(a, b, rel_tol=1e-9),
}
UNBUDGETED = ("navigation", "policy")  # stages that have no limit of their own
WRITTEN = re.compile(r"\s*([A-Za-z_][\w.]*)\s*([<>=!]+)\s*(\S+)\s*")
EXAMPLE = "write for example 'success_rate >= 0.9'"
# Why a metric has no value, by how its key begins; the first that fits.
WHY_NONE = (
    ("rt_degradation", "there is no run at zero latency to compare with"),
    ("ttfa_ms", "no episode came to a first action"),
    ("reaction_ms", "nothing was seen in time to act on it"),
    ("cost.", "a price is not known, or nothing succeeded"),
    ("energy.", "a power is not known, or nothing succeeded"),
    ("motion.", "too few control ticks"),
    ("control.", "too few control ticks"),
    ("queue.", "no control ticks"),
)


@dataclass(frozen=True)
class Gate:
    """A metric by its dotted key, how it compares, and with what; the unit is in the key's name."""

    key: str
    relation: str  # of OPERATORS
    limit: float

    @classmethod
    def parse(cls, text: str) -> Gate:
        """Read `KEY OPERATOR NUMBER`; raises ConfigError when it is not that."""
        found = WRITTEN.fullmatch(text)
        if not found:
            raise ConfigError("gates", f"cannot read {text!r}", EXAMPLE)
        key, relation, written = found.groups()
        if relation not in OPERATORS:
            raise ConfigError("gates", f"{text!r}: {relation!r} is no comparison", nearest(relation, OPERATORS))
        try:
            limit = float(written)
        except ValueError:
            limit = math.nan
        if not math.isfinite(limit):
            raise ConfigError("gates", f"{text!r}: {written!r} is not a number", EXAMPLE)
        return cls(key, relation, limit)

    def __str__(self) -> str:
        return f"{self.key} {self.relation} {self.limit:.10g}"

    def holds(self, value: float) -> bool:
        """Whether a value passes."""
        return OPERATORS[self.relation](value, self.limit)


@dataclass(frozen=True)
class GateResult:
    """What became of one gate. `value` is None where the run has no such number."""

    gate: Gate
    value: float | None
    passed: bool
    line: str  # for people, without a line break


@dataclass(frozen=True)
class ReportConfig:
    """Group `report`. A run that fails one of its gates ends with exit code 3."""

    gates: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_keys(self.parsed)

    @cached_property
    def parsed(self) -> tuple[Gate, ...]:
        """The gates, read."""
        return tuple(Gate.parse(text) for text in self.gates)


def check(metrics: Mapping[str, Any], gates: Iterable[Gate | str]) -> list[GateResult]:
    """Hold the metrics of a run against gates. A metric without a value fails its gate and says why."""
    return [_check(metrics, Gate.parse(gate) if isinstance(gate, str) else gate) for gate in gates]


def check_keys(gates: Sequence[Gate]) -> None:
    """Raise ConfigError, naming the nearest metric, for a gate on one that no run has."""
    for gate in gates:
        if gate.key not in known_keys():
            raise ConfigError("gates", f"there is no metric {gate.key!r}", _nearest_key(gate.key))


@lru_cache(maxsize=1)
def known_keys() -> frozenset[str]:
    """Every key of `metrics.json` that holds a number, dotted; an element of a list goes by its index."""
    stages = [field.name.removesuffix("_ms") for field in fields(Budget) if field.name != "total_ms"]
    flat = flatten(metrics_template((*stages, *UNBUDGETED)))
    return frozenset(key for key, _ in flat)


def flatten(metrics: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values of nested mappings and lists."""
    if isinstance(metrics, Mapping):
        items: Iterable[tuple[Any, Any]] = metrics.items()
    elif isinstance(metrics, list | tuple):
        items = enumerate(metrics)
    else:
        yield prefix, metrics
        return
    for name, value in items:
        yield from flatten(value, f"{prefix}.{name}" if prefix else str(name))


def _nearest_key(key: str) -> str:
    """What lies below the key if it names a block, else the nearest key: of two hundred only the one."""
    inside = [other for other in known_keys() if other.startswith(f"{key}.")]
    if inside:
        return nearest("", inside)
    hint = nearest(key, known_keys())
    return hint.split(" (")[0] if hint.startswith("did you mean") else "metrics.json of any run lists them"


def _check(metrics: Mapping[str, Any], gate: Gate) -> GateResult:
    value = _value(metrics, gate.key)
    if value is None:
        return GateResult(gate, None, False, f"gate {gate}: no value, {_why_none(metrics, gate.key)}")
    if gate.holds(value):
        return GateResult(gate, value, True, f"gate {gate}: {value:.6g}, passed")
    miss = abs(value - gate.limit)
    said = f"missed by {miss:.4g}" if miss else "missed, it must differ from the limit"
    return GateResult(gate, value, False, f"gate {gate}: {value:.6g}, {said}")


def _value(metrics: Any, key: str) -> float | None:
    for part in key.split("."):
        if isinstance(metrics, Mapping):
            metrics = metrics.get(part)
        elif isinstance(metrics, list | tuple) and part.isdigit() and int(part) < len(metrics):
            metrics = metrics[int(part)]
        else:
            return None
    number = isinstance(metrics, int | float) and not isinstance(metrics, bool) and math.isfinite(metrics)
    return float(metrics) if number else None


def _why_none(metrics: Mapping[str, Any], key: str) -> str:
    if key.startswith("latency_ms."):
        stage = key.split(".")[1]
        if stage not in metrics.get("latency_ms", {}):
            return f"{stage} answered nothing in this run"
        return "too few answers for it"
    if key.startswith(("budget.", "fallback.by_stage.")):
        return f"{key.removeprefix('fallback.by_stage.').removeprefix('budget.').split('.')[0]} was not asked"
    return next((why for start, why in WHY_NONE if key.startswith(start)), "nothing was measured")
