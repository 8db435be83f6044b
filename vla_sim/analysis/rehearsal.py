"""A deployment played without a robot: its own executor, asked at the rates and with the sizes of the real thing.

What formulas cannot say of a queue that several stages, an image rate and a limit of requests under way share, is seen
here: how long requests wait, how many images are skipped, and what the whole takes when messages are lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from vla_sim.analysis.latency import Floor, Spread, sensor_ms
from vla_sim.analysis.scenario import ONCE, STREAMED, Parcel, Scenario
from vla_sim.analysis.traffic import COMMANDS_HZ, parcels
from vla_sim.clock import VirtualClock, tick_ns
from vla_sim.deployment.config import build
from vla_sim.deployment.executor import VirtualExecutor
from vla_sim.deployment.span import Answer, Span
from vla_sim.deployment.wire import Message
from vla_sim.rng import stream
from vla_sim.types import Array

EPISODE_S = 1.0 / COMMANDS_HZ
SECONDS = 240.0  # of simulated time
GRASP = "grasp"
TAKEN = ("ok", "late", "refused", "failed")  # an answer came


@dataclass(frozen=True)
class Rehearsed:
    """One stage. None = it was never answered."""

    stage: str
    asked: int
    answered: int
    wanted: int  # times it would have been asked with nothing in the way: images are skipped while two are under way
    elsewhere: int  # requests that were tried on a fallback too
    samples_ms: Array  # [answered] from the request's start to its answer
    queue: Spread | None  # at the site
    link_wait: Spread | None  # on the way longer than the empty links' median: waiting for them, or sent again
    total: Spread | None

    @property
    def answered_share(self) -> float | None:
        """Of requests, 0-1."""
        return self.answered / self.asked if self.asked else None

    def within(self, limit_ms: float) -> float | None:
        """Share of requests, 0-1, that are answered within a limit; one without an answer is not."""
        return float((self.samples_ms <= limit_ms).sum()) / self.asked if self.asked else None


def rehearse(
    scenario: Scenario,
    least: Mapping[str, Floor],
    seconds: float = SECONDS,
    seed: int = 0,
    episode_s: float = EPISODE_S,
) -> dict[str, Rehearsed]:
    """Play `seconds` of standing at work, and as many of walking if the stack can; the same for the same seed.

    `least` are the floors of the same scenario. As in a run, an episode begins with a command and nothing under way:
    intent and plan are asked for at once, images come from the start, and a grasp is planned somewhere in the middle.
    """
    way_ms = {s: floor.sensor_ms + floor.uplink.p50_ms + floor.downlink.p50_ms for s, floor in least.items()}
    found: dict[str, Rehearsed] = {}
    for streamed in (stage for stage in STREAMED if stage in scenario.stages):
        once = tuple(stage for stage in ONCE if stage in scenario.stages) if streamed == "perception" else ()
        spans, wanted = list[Span](), 0
        for number in range(max(1, round(seconds / episode_s))):
            episode = _Episode(scenario, streamed, once, episode_s, seed, number)
            spans += episode.run()
            wanted += episode.ticks
        for stage in (streamed, *once):
            found[stage] = _summary(stage, spans, wanted if stage == streamed else None, way_ms[stage])
    return found


@dataclass(frozen=True, slots=True)
class _Sized:
    """Something to send of which only the size is known."""

    n_bytes: int


class _Codec:
    """Sends what is only a size."""

    def encode(self, value: _Sized) -> Message:
        return Message(value, value.n_bytes)

    def decode(self, message: Message) -> Any:
        return message.body


@dataclass
class _Episode:
    """One streamed stage, and what a command asks for meanwhile."""

    scenario: Scenario
    streamed: str
    once: tuple[str, ...]
    length_s: float
    seed: int
    number: int
    spans: list[Span] = field(default_factory=list)
    ticks: int = 0

    def run(self) -> list[Span]:
        """The spans of all requests of the episode, the last answers waited for."""
        self.clock, self.sent = VirtualClock(), parcels(self.scenario)
        self.executor: VirtualExecutor = build(
            self.scenario.deployment, self.clock, self.seed, self.number, self.spans.append
        )
        self.open = 0
        self.clock.call_at_ns(0, self._tick)
        self._command(tuple(stage for stage in self.once if stage != GRASP))
        if GRASP in self.once:
            share = stream(self.seed, self.number, "analysis/grasp").uniform(0.25, 0.75)
            self.clock.call_in(share * self.length_s, lambda: self._ask(self.sent[GRASP], None))
        self.clock.run(until=lambda: self.clock.now_s >= self.length_s and not self.open)
        return self.spans

    def _tick(self) -> None:
        """The moment of an image or a scan."""
        if self.clock.now_s >= self.length_s:
            return
        parcel = self.sent[self.streamed]
        assert parcel.rate_hz is not None
        if self.executor.in_flight(self.streamed) < self.scenario.agent.max_in_flight:
            latency_s = sensor_ms(self.scenario, self.streamed) / 1e3
            self.clock.call_in(latency_s, partial(self._ask, parcel, self.clock.now_s))
        self.ticks += 1
        self.clock.call_at_ns(tick_ns(self.ticks, parcel.rate_hz), self._tick)

    def _command(self, left: tuple[str, ...]) -> None:
        """One stage after the other; without an answer there is no next."""
        if left:
            self._ask(self.sent[left[0]], None, lambda: self._command(left[1:]))

    def _ask(self, parcel: Parcel, origin_s: float | None, then: Callable[[], None] | None = None) -> None:
        answer = _Sized(parcel.down_bytes)
        self.open += 1

        def done(got: Answer[Any]) -> None:
            self.open -= 1
            if then is not None and got.value is not None:
                then()

        self.executor.submit(
            parcel.stage, lambda _: answer, _Sized(parcel.up_bytes), on_done=done, t_origin_s=origin_s,
            deadline_s=self.scenario.agent.deadlines_s.get(parcel.stage), wire=_Codec(),
            simplified=(lambda _: answer) if parcel.stage == "perception" else None,
        )  # fmt: skip


def _summary(stage: str, spans: Sequence[Span], wanted: int | None, way_ms: float) -> Rehearsed:
    """Of one stage; `way_ms` is the median of its sensor and empty links."""
    mine = [span for span in spans if span.stage == stage]
    taken = [span for span in mine if span.status in TAKEN]
    asked = len({(span.episode, span.request) for span in mine})
    queue_ms, links_ms, total_ms = (
        np.array([1e3 * value(span) for span in taken]) for value in (_queued_s, _on_the_way_s, _took_s)
    )
    return Rehearsed(
        stage,
        asked=asked,
        answered=len(taken),
        wanted=asked if wanted is None else wanted,
        elsewhere=len({(span.episode, span.request) for span in mine if span.attempt > 0}),
        samples_ms=total_ms,
        queue=Spread.of(queue_ms) if taken else None,
        link_wait=Spread.of(np.maximum(links_ms - way_ms, 0.0)) if taken else None,
        total=Spread.of(total_ms) if taken else None,
    )


def _queued_s(span: Span) -> float:
    return span.queue_s


def _on_the_way_s(span: Span) -> float:
    return span.uplink_s + span.downlink_s


def _took_s(span: Span) -> float:
    return span.t_end_s - span.t_start_s
