"""Every exception of the project: one root, each carrying its data."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class VlaSimError(Exception):
    """Root of all errors this project raises on purpose. Its text is one line a user can act on."""


class ConfigError(VlaSimError):
    """The configuration cannot be used. Ends a command with exit code 2."""

    def __init__(self, key: str, problem: str, hint: str = "") -> None:
        self.key, self.problem, self.hint = key, problem, hint
        super().__init__(f"{key}: {problem}" + (f"; {hint}" if hint else ""))


class SpecMismatch(VlaSimError):
    """Two sides of a seam disagree on shape, unit, frame or range."""

    def __init__(self, seam: str, expected: object, got: object) -> None:
        self.seam, self.expected, self.got = seam, expected, got
        super().__init__(f"{seam}: expected {expected}, got {got}")


class RecordError(VlaSimError):
    """A run folder is missing, truncated or does not hold what its manifest says. Exit code 2."""

    def __init__(self, path: object, problem: str) -> None:
        self.path, self.problem = str(path), problem
        super().__init__(f"{path}: {problem}")


class Refused(VlaSimError):
    """The stack will not do what it was told; `stage` says where, `reason` why, `hint` what it could do instead."""

    def __init__(self, stage: str, reason: str, hint: str = "") -> None:
        self.stage, self.reason, self.hint = stage, reason, hint
        super().__init__(f"{stage} refused: {reason}" + (f"; {hint}" if hint else ""))


class PlanInvalid(VlaSimError):
    """A plan does not follow the schema; `step` is the index of the offending step."""

    def __init__(self, step: int, problem: str) -> None:
        self.step, self.problem = step, problem
        super().__init__(f"plan step {step}: {problem}")


class DeadlineMissed(VlaSimError):
    """An answer came later than its caller could wait."""

    def __init__(self, stage: str, budget_s: float, took_s: float) -> None:
        self.stage, self.budget_s, self.took_s = stage, budget_s, took_s
        super().__init__(f"{stage}: took {took_s:.3f} s of {budget_s:.3f} s")


def nearest(word: str, choices: Iterable[str]) -> str:
    """A hint that names the closest valid choice, or all of them when none is close.

    >>> nearest("clod", ["cloud", "edge", "hybrid"])
    "did you mean 'cloud'? (cloud, edge, hybrid)"
    """
    options = sorted(choices)
    close = difflib.get_close_matches(word, options, n=1, cutoff=0.5)
    listed = ", ".join(options)
    return f"did you mean '{close[0]}'? ({listed})" if close else f"choose one of: {listed}"
