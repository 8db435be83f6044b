"""A deployment against its budget: what the least is, what is to be expected, and how often that is in time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Literal

import numpy as np

from vla_sim.analysis.latency import STRATA, Floor, Spread, floors, resampled_ms, tick_wait_ms
from vla_sim.analysis.rehearsal import SECONDS, Rehearsed, rehearse
from vla_sim.analysis.scenario import COMMAND, LOOP, Scenario
from vla_sim.types import Array

MET = 0.95  # of the requests within the limit
TOTAL = "total"
State = Literal["met", "not always met", "missed", "cannot be met"]


@dataclass(frozen=True)
class Verdict:
    """On one stage, or on the whole command."""

    stage: str
    limit_ms: float
    floor: Spread
    expected: Spread | None  # with queues and losses; None = it was never answered
    within: float  # 0-1, share of requests that are expected to be answered within the limit

    @property
    def state(self) -> State:
        if self.floor.p50_ms > self.limit_ms:
            return "cannot be met"
        if self.within >= MET:
            return "met"
        return "not always met" if self.within >= 0.5 else "missed"

    @property
    def met(self) -> bool:
        return self.state == "met"


@dataclass(frozen=True)
class Evaluation:
    """All that is worked out of a scenario's latencies."""

    scenario: Scenario
    floors: dict[str, Floor]
    rehearsed: dict[str, Rehearsed]
    verdicts: dict[str, Verdict]  # by stage, then of the total

    @property
    def failing(self) -> list[str]:
        """What does not meet its limit."""
        return [name for name, verdict in self.verdicts.items() if not verdict.met]

    @property
    def beyond_reach(self) -> list[str]:
        """Of what even the floor exceeds the limit."""
        return [name for name, verdict in self.verdicts.items() if verdict.state == "cannot be met"]


def evaluate(scenario: Scenario, seconds: float = SECONDS) -> Evaluation:
    """Floors, a rehearsal of `seconds`, and both against the budget."""
    least = floors(scenario)
    played = rehearse(scenario, least, seconds)
    limits = scenario.budget.stages_ms
    verdicts = {
        stage: _stage_verdict(stage, limits[stage], least[stage], played.get(stage))
        for stage in least
        if stage in limits
    }
    verdicts[TOTAL] = _total_verdict(scenario, least, played)
    return Evaluation(scenario, least, played, verdicts)


def _stage_verdict(stage: str, limit_ms: float, least: Floor, played: Rehearsed | None) -> Verdict:
    if stage in LOOP:
        return Verdict(stage, limit_ms, least.total, least.total, float(np.mean(least.samples_ms <= limit_ms)))
    expected, within = None, None
    if played is not None:
        expected, within = played.total, played.within(limit_ms)
    return Verdict(stage, limit_ms, least.total, expected, within or 0.0)


def _total_verdict(scenario: Scenario, least: Mapping[str, Floor], played: Mapping[str, Rehearsed]) -> Verdict:
    """Of a command: its stages one after the other, and the wait for the control tick that acts on them."""
    parts = [stage for stage in COMMAND if stage in least]
    tick_ms = np.zeros(STRATA) if scenario.control_rate_hz is None else tick_wait_ms(scenario.control_rate_hz)
    floor_ms: Array = reduce(np.add, (least[stage].samples_ms for stage in parts), tick_ms)
    limit_ms = scenario.budget.total_ms
    unanswered = [stage for stage in parts if stage not in LOOP and not (stage in played and played[stage].answered)]
    if unanswered:
        return Verdict(TOTAL, limit_ms, Spread.of(floor_ms), None, 0.0)
    expected_ms, answered = tick_ms, 1.0
    for stage in parts:
        if stage in LOOP:
            expected_ms = expected_ms + least[stage].samples_ms
        else:
            expected_ms = expected_ms + resampled_ms(played[stage].samples_ms, f"total/{stage}")
            answered *= played[stage].answered_share or 0.0
    within = answered * float(np.mean(expected_ms <= limit_ms))
    return Verdict(TOTAL, limit_ms, Spread.of(floor_ms), Spread.of(expected_ms), within)
