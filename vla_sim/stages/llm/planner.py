"""The planning stage that asks a language model. Whatever becomes of that, there is a valid plan in time."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from cachetools import TTLCache

from vla_sim.clock import Stopwatch
from vla_sim.errors import ConfigError
from vla_sim.mapping import read
from vla_sim.stages.llm import answer, question
from vla_sim.stages.llm.answer import Unusable
from vla_sim.stages.llm.background import Background
from vla_sim.stages.llm.endpoint import Endpoint, EndpointFailed
from vla_sim.stages.llm.limits import Breaker, Gate
from vla_sim.stages.llm.settings import Settings, check_priority
from vla_sim.stages.planner import RulePlanner
from vla_sim.types import Intent, Plan

NEWEST_OUTCOMES = 10_000  # kept until somebody takes them
RESTING = "resting"


@dataclass(frozen=True)
class Outcome:
    """How one plan came about."""

    plan: Plan
    source: Literal["endpoint", "cache", "rules"]
    reason: str = ""  # why the rules: the word of `EndpointFailed` or `Unusable`, "resting" (the breaker) or "stop"
    problem: str = ""  # one line on it, or on what was repaired
    repaired: bool = False  # the first answer was sent back, the second was good
    shared: bool = False  # it came with the answer to the same question of somebody else
    requests: int = 0  # sent for it
    took_s: float = 0.0  # wall time of the call


class LlmPlanner:
    """Plans by asking a language model; by rule when that gives no valid plan, and always to stop.

    Settings are those of `vla_sim.stages.llm.settings.Settings`, by name; `now_s` tells the time that limits and cache
    go by, wall time if not given. Raises ConfigError for settings that cannot work and a key that is not there.
    May be called from several threads. `counts` holds calls, asked, cached, shared, repaired, requests, retried,
    fell_back, and fell_back_<reason>. `last_took_s` is the wall time of this thread's last call, to be charged instead
    of the device's when `charge` is "measured".
    """

    def __init__(self, *, now_s: Callable[[], float] | None = None, **settings: Any) -> None:
        self.settings = read(Settings, settings, "stack.planning")
        watch = Stopwatch()
        self._now_s = now_s or (lambda: watch.elapsed_s)
        try:
            self._endpoint = Endpoint(self.settings, self._now_s)
        except ConfigError as error:
            raise ConfigError(f"stack.planning.{error.key}", error.problem, error.hint) from None
        self.counts: Counter[str] = Counter()
        self._outcomes: deque[Outcome] = deque(maxlen=NEWEST_OUTCOMES)
        self._rules = RulePlanner()
        self._gate = Gate(self.settings.max_concurrent)
        self._breaker = Breaker(self.settings.breaker_failures, self.settings.breaker_rest_s)
        self._cache: TTLCache[Intent, Plan] = TTLCache(
            self.settings.cache_size, self.settings.cache_ttl_s, timer=self._now_s
        )
        self._under_way: dict[Intent, asyncio.Task[Outcome]] = {}
        self._background = Background()
        self._last = threading.local()

    @property
    def charge(self) -> str:
        """Whose time a call is charged in simulated time: "profile" (the device's) or "measured" (`last_took_s`)."""
        return self.settings.charge

    @property
    def last_took_s(self) -> float:
        """Wall time of this thread's last call, s; 0 before the first."""
        return float(getattr(self._last, "took_s", 0.0))

    def __call__(self, intent: Intent) -> Plan:
        """As `RulePlanner`, with its refusals; blocks for at most `timeout_s` of wall time."""
        return self.plan(intent, self.settings.priority).plan

    def plan(self, intent: Intent, priority: int) -> Outcome:
        """A plan and how it came about; `priority` 0-10, 10 the most urgent of those that wait.

        Raises Refused or PlanInvalid for an intent that `RulePlanner` would not plan, without asking anybody.
        """
        check_priority(priority)
        watch = Stopwatch()
        by_rule = self._rules(intent)
        wanted = replace(intent, confidence=1.0)  # how sure the ear was changes no plan
        outcome = replace(self._background.run(self._plan(wanted, by_rule, priority)), took_s=watch.elapsed_s)
        self._last.took_s = outcome.took_s
        self._outcomes.append(outcome)
        return outcome

    def take_outcomes(self) -> list[Outcome]:
        """How the plans since the last call of this came about, oldest first, at most the newest 10,000."""
        return [self._outcomes.popleft() for _ in range(len(self._outcomes))]

    def close(self) -> None:
        """End the connections and the thread behind them; a later call would start both anew."""
        self._background.close(self._endpoint.close)

    # -- in the background's event loop, where nothing else touches the state ---------------------------------------
    async def _plan(self, wanted: Intent, by_rule: Plan, priority: int) -> Outcome:
        self.counts["calls"] += 1
        if wanted.verb == "stop":  # needs no thought, and no network
            return Outcome(by_rule, "rules", "stop")
        known = self._cache.get(wanted)
        if known is not None:
            self.counts["cached"] += 1
            return Outcome(known, "cache")
        task = self._under_way.get(wanted)
        if task is not None:
            self.counts["shared"] += 1
            return replace(await asyncio.shield(task), shared=True, requests=0)
        task = self._under_way[wanted] = asyncio.create_task(self._ask(wanted, by_rule, priority))
        task.add_done_callback(lambda _: self._under_way.pop(wanted, None))
        return await asyncio.shield(task)  # who shares it gets it even if this caller is interrupted

    async def _ask(self, wanted: Intent, by_rule: Plan, priority: int) -> Outcome:
        if not self._breaker.allows(self._now_s()):
            problem = f"{self.settings.breaker_failures} failures in a row; it is left alone for a while"
            return self._fall_back(by_rule, RESTING, problem, 0)
        self.counts["asked"] += 1
        tally: Counter[str] = Counter()
        watch, limit_s = Stopwatch(), self.settings.timeout_s
        try:
            async with asyncio.timeout(limit_s), self._gate.place(priority):
                outcome = await self._converse(wanted, by_rule, lambda: limit_s - watch.elapsed_s, tally)
        except (EndpointFailed, Unusable, TimeoutError) as error:
            if not (isinstance(error, EndpointFailed) and error.ours):
                self._breaker.failed(self._now_s())
            reason, problem = "timeout", f"no plan within {limit_s:g} s"
            if not isinstance(error, TimeoutError):
                reason, problem = error.reason, error.problem
            return self._fall_back(by_rule, reason, problem, tally["requests"])
        finally:
            self.counts.update(tally)
        self._breaker.succeeded()
        self._cache[wanted] = outcome.plan
        self.counts["repaired"] += outcome.repaired
        return outcome

    async def _converse(
        self, wanted: Intent, by_rule: Plan, patience_s: Callable[[], float], tally: Counter[str]
    ) -> Outcome:
        """A plan from the endpoint; a bad answer is sent back once with what is wrong with it."""
        messages = question.ask(wanted)
        text = await self._endpoint.complete(messages, patience_s, tally)
        try:
            return Outcome(answer.read(text, by_rule), "endpoint", requests=tally["requests"])
        except Unusable as error:
            problem = error.problem
        text = await self._endpoint.complete(question.ask_again(messages, text, problem), patience_s, tally)
        plan = answer.read(text, by_rule)
        return Outcome(plan, "endpoint", problem=problem, repaired=True, requests=tally["requests"])

    def _fall_back(self, by_rule: Plan, reason: str, problem: str, requests: int) -> Outcome:
        self.counts["fell_back"] += 1
        self.counts[f"fell_back_{reason}"] += 1
        return Outcome(by_rule, "rules", reason, problem, requests=requests)
