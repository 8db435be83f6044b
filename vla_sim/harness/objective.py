"""What a search over variants is after: one number a variant, with those that miss a condition behind all others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from vla_sim.errors import ConfigError
from vla_sim.harness.gates import Gate, check, check_keys

PENALTY = 1e9  # above whatever a metric can be
CEILING = 0.5 * PENALTY
NO_VALUE = 10.0  # what a metric without a value counts as a miss


@dataclass(frozen=True)
class Objective:
    """Make one metric small, or one large, among the variants that meet all conditions (written like gates).

    Nothing named: the success rate, as large as can be.
    """

    minimise: str | None = None
    maximise: str | None = None
    subject_to: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.minimise is not None and self.maximise is not None:
            raise ConfigError("objective", "minimises one metric and maximises another", "choose one of the two")
        named = {"minimise": self.minimise, "maximise": self.maximise}
        for field, key in ((field, key) for field, key in named.items() if key is not None):
            _as_key(field, partial(check_keys, [Gate(key, ">=", 0.0)]))
        _as_key("subject_to", lambda: check_keys(self.conditions))

    @cached_property
    def conditions(self) -> tuple[Gate, ...]:
        """The conditions, read."""
        return tuple(Gate.parse(text) for text in self.subject_to)

    def score(self, metrics: Mapping[str, Any]) -> float:
        """The metric, as it is. With conditions missed, or without a value: the penalty plus how far they were missed.

        Each miss counts relative to its limit (absolute below 1), a metric without a value as 10. When maximising, the
        penalty is negative. So every variant that meets the conditions comes before any that does not, and of those
        that do not the one that misses least comes first. Finite in any case.
        """
        key = self.minimise or self.maximise or "success_rate"
        sign = 1.0 if self.minimise is not None else -1.0
        wanted, *conditions = check(metrics, [Gate(key, ">=", 0.0), *self.conditions])
        missed = [_violation(result.gate, result.value) for result in conditions if not result.passed]
        if wanted.value is None:
            missed.append(NO_VALUE)
        if missed or wanted.value is None:
            return sign * (PENALTY + sum(missed))
        return min(max(wanted.value, -CEILING), CEILING)


def _as_key(key: str, check_them: Callable[[], None]) -> None:
    """Gates speak of `gates`; here they stand under another key."""
    try:
        check_them()
    except ConfigError as error:
        raise ConfigError(key, error.problem, error.hint) from error


def _violation(gate: Gate, value: float | None) -> float:
    if value is None:
        return NO_VALUE
    return abs(value - gate.limit) / max(abs(gate.limit), 1.0)
