"""Stopping as soon as an answer is clear, without being wrong more often than promised however often one looks.

Looking after each episode at a fixed-sample interval and stopping when it pleases is wrong far more often than its 5 %.
What is here holds at every moment together: likelihood ratios, and mixtures of them, which under the hypothesis exceed
1/alpha at any time with a probability of at most alpha (Ville 1939; Wald 1945; Robbins 1970).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from vla_sim.errors import ConfigError
from vla_sim.harness.gates import Gate
from vla_sim.harness.statistics import confidence_sequence, mixture_evidence

Verdict = Literal["passes", "fails"]
Winner = Literal["first", "second", "alike"]


@dataclass(frozen=True)
class StopRule:
    """Key `stop_when`: no more episodes once it is clear whether the success rate passes a gate.

    Wald's sequential probability ratio test of the rates `margin` above against `margin` below the gate's limit: with a
    true rate at least so far from the limit, the wrong answer comes with a probability of about `alpha` at most.
    """

    gate: str = "success_rate >= 0.9"
    alpha: float = 0.05
    least: int = 10  # episodes before it is asked
    margin: float = 0.05  # in success rate; nearer the limit either answer will do

    def __post_init__(self) -> None:
        if self.parsed.key != "success_rate" or self.parsed.relation not in (">=", ">"):
            raise ConfigError(
                "gate", f"cannot stop on {self.gate!r}", "a lower limit on success_rate can be decided early"
            )
        if not 0 < self.parsed.limit <= 1:
            raise ConfigError("gate", f"a success rate of {self.parsed.limit:g}", "it lies between 0 and 1")
        if not 0 < self.alpha < 0.5:
            raise ConfigError("alpha", f"must lie between 0 and 0.5, got {self.alpha:g}", "usual is 0.05")
        if not 0 < self.margin < 1:
            raise ConfigError("margin", f"must lie between 0 and 1, got {self.margin:g}", "usual is 0.05")
        if self.least < 1:
            raise ConfigError("least", f"at least one episode, got {self.least}")

    @cached_property
    def parsed(self) -> Gate:
        """The gate, read."""
        return Gate.parse(self.gate)

    @property
    def rates(self) -> tuple[float, float]:
        """The success rates told apart: one that fails and one that passes. Near 0 and 1 they keep half the room."""
        limit = self.parsed.limit
        passing = limit + min(self.margin, (1 - limit) / 2)
        return limit - min(self.margin, limit / 2), passing


def decision(outcomes: Sequence[bool], rule: StopRule) -> Verdict | None:
    """What the episodes so far say about the gate; None while it is open. What was once decided stays decided."""
    fails, passes = rule.rates
    bound = math.log((1 - rule.alpha) / rule.alpha)
    won = math.log(passes / fails)
    lost = math.log((1 - passes) / (1 - fails)) if passes < 1 else -math.inf
    evidence = 0.0
    for count, success in enumerate(outcomes, 1):
        evidence += won if success else lost
        if count >= rule.least and abs(evidence) >= bound:
            return "passes" if evidence > 0 else "fails"
    return None


def decided(outcomes: Sequence[bool], rule: StopRule | None) -> bool:
    """Whether a run may stop. `outcomes`: success of the episodes in their order; without a rule it never stops."""
    return rule is not None and decision(outcomes, rule) is not None


class Sequential:
    """Compares the success of two variants episode by episode, until the comparison is decided.

    Only pairs with different outcomes speak for a side, and were both equally good each would be a coin. The mixture
    sequential probability ratio test of that coin (Robbins 1970; Johari, Koomen, Pekelis and Walsh 2022) decides for
    "first" or "second"; calling one better although they are equal has a probability of at most `alpha`, however often
    it is asked. With a `margin` (0-1), "alike" is decided when the rates are closer than that with the same confidence.
    """

    def __init__(self, alpha: float = 0.05, margin: float | None = None, least: int = 1) -> None:
        if not 0 < alpha < 1:
            raise ConfigError("alpha", f"must lie between 0 and 1, got {alpha:g}", "usual is 0.05")
        if margin is not None and not 0 < margin <= 1:
            raise ConfigError("margin", f"must lie between 0 and 1, got {margin:g}")
        if least < 1:
            raise ConfigError("least", f"at least one pair, got {least}")
        self._alpha, self._margin, self._least = alpha, margin, least
        self.pairs = self.only_first = self.only_second = 0
        self._decision: Winner | None = None

    def add(self, first: bool, second: bool) -> Winner | None:
        """One more episode, played by both; returns the decision so far."""
        self.pairs += 1
        self.only_first += first and not second
        self.only_second += second and not first
        if self._decision is None and self.pairs >= self._least:
            self._decision = self._decide()
        return self._decision

    @property
    def decision(self) -> Winner | None:
        """Who is better, or that neither is by the margin; None while it is open. It never changes again."""
        return self._decision

    @property
    def p_value(self) -> float:
        """Always-valid p-value of "both are equally good" at this moment, 0-1."""
        return min(1.0, math.exp(-mixture_evidence(self.only_first, self.only_second, 0.5)))

    @property
    def interval(self) -> tuple[float, float]:
        """Success of the first less that of the second, -1 to 1, at confidence 1 - alpha at all times together.

        Two sequences of alpha/2 each: of the share of pairs that differ, and of who wins those.
        """
        differing = self.only_first + self.only_second
        share = confidence_sequence(differing, self.pairs, self._alpha / 2)
        wins = confidence_sequence(self.only_first, differing, self._alpha / 2)
        ends = [part * (2 * won - 1) for part in share for won in wins]
        return min(ends), max(ends)

    def _decide(self) -> Winner | None:
        if mixture_evidence(self.only_first, self.only_second, 0.5) >= math.log(1 / self._alpha):
            return "first" if self.only_first > self.only_second else "second"
        if self._margin is not None:
            low, high = self.interval
            if -self._margin < low and high < self._margin:
                return "alike"
        return None
