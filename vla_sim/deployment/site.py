"""A computer that serves stages: one queue, a number of replicas, batches, other load, and the time each call takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from vla_sim.clock import NS, VirtualClock, to_ns
from vla_sim.deployment.adaptation import Utilisation
from vla_sim.deployment.background import BackgroundSpec, Pace
from vla_sim.deployment.batching import BatchSpec
from vla_sim.deployment.cache import Cache
from vla_sim.deployment.link import Path
from vla_sim.deployment.profile import Device
from vla_sim.deployment.resources import Urgency
from vla_sim.errors import ConfigError

_ORDER: dict[Urgency, int] = {"urgent": 0, "normal": 1, "background": 2}
LOAD_WINDOW_S = 1.0  # over which `load` is measured
ALONE = BatchSpec()


@dataclass(frozen=True, slots=True)
class Served:
    """How a job went: when its service began, and how many were served with it."""

    started_ns: int
    batch: int = 1


Done = Callable[[Served], None]


@dataclass(frozen=True, slots=True)
class _Job:
    stage: str
    profile: str  # name of the latency profile; `stage` but for a simplified mode
    effort: float  # of the work on a full input
    took_s: float | None  # known compute time; None = drawn from the profile
    arrived_ns: int
    done: Done
    order: int


class Site:
    """The most urgent first, then first come, first served, by `replicas` that all stages placed here share.

    Whichever replica is free takes the next batch: what a balancer that knows the least loaded one comes to. `batches`
    and caches are by stage; a stage without is served alone. `rngs` gives the generator of a named stream; each stage
    draws its compute times from one of its own. Raises ConfigError for fewer than 1 replica or a negative queue limit.
    """

    def __init__(
        self,
        name: str,
        device: Device,
        clock: VirtualClock,
        rngs: Callable[[str], np.random.Generator],
        *,
        replicas: int = 1,
        queue_limit: int | None = None,
        path: Path | None = None,
        batches: Mapping[str, BatchSpec] | None = None,
        background: Sequence[BackgroundSpec] = (),
        pace: Pace | None = None,
        urgency: Mapping[str, Urgency] | None = None,
        caches: Mapping[str, Cache] | None = None,
        spare_caches: Mapping[str, Cache] | None = None,
    ) -> None:
        if replicas < 1:
            raise ConfigError(f"{name}.replicas", f"must be at least 1, got {replicas}")
        if queue_limit is not None and queue_limit < 0:
            raise ConfigError(f"{name}.queue_limit", f"must not be negative, got {queue_limit}")
        self.name, self.device, self.path, self.replicas = name, device, path or Path(), replicas
        self._caches, self._spare = dict(caches or {}), dict(spare_caches or {})
        self._clock, self._rngs = clock, rngs
        self._idle, self._queue_limit = replicas, queue_limit
        self._batches, self._pace = dict(batches or {}), pace or Pace()
        self._urgency = {stage: _ORDER[how] for stage, how in (urgency or {}).items()}
        self._queue: list[_Job] = []
        self._use = Utilisation(LOAD_WINDOW_S, replicas)
        self._timer_ns: int | None = None
        self._streams: dict[str, np.random.Generator] = {}
        for number, load in enumerate(background):
            self._next_other(load, rngs(f"background/{name}/{number}"))

    @property
    def on_robot(self) -> bool:
        """Whether no link lies between the robot and this site."""
        return not self.path.links

    def cache(self, stage: str, *, reuse: bool = False) -> Cache | None:
        """What remembers a stage's answers here; one to spare only if answers are to be used again."""
        return self._caches.get(stage, self._spare.get(stage) if reuse else None)

    @property
    def waiting(self) -> int:
        """Requests in the queue, without those in service."""
        return len(self._queue)

    def load(self) -> tuple[float, float]:
        """Shares of the processor and the memory in use, 0-1: by its own work in the last second, and by others.

        Of the memory only what others take is known.
        """
        cpu, memory = self._pace.taken(self._clock.now_s)
        return cpu + (1.0 - cpu) * self._use.share(self._clock.now_s), memory

    def slowdown(self, stage: str) -> float:
        """How many times as long as on an idle computer a stage takes now."""
        return self._pace.slowdown(stage, self._clock.now_s)

    @property
    def full(self) -> bool:
        """Whether a request that arrives now is rejected."""
        return not self._idle and self._queue_limit is not None and len(self._queue) >= self._queue_limit

    def offer(
        self, stage: str, done: Done, profile: str | None = None, effort: float = 1.0, took_s: float | None = None
    ) -> bool:
        """A request arrives now. False = rejected, the queue is full; else `done` is called when it has been served.

        `profile` is the latency profile to charge instead of the stage's own, `effort` the share of it (0-1);
        `took_s` is known to be its compute time.
        """
        if self.full:
            return False
        job = _Job(stage, profile or stage, effort, took_s, self._clock.now_ns, done, self._urgency.get(stage, 1))
        # Behind those as urgent as itself, before those less urgent.
        at = len(self._queue)
        while at and self._queue[at - 1].order > job.order:
            at -= 1
        self._queue.insert(at, job)
        self._dispatch()
        return True

    def _dispatch(self) -> None:
        while self._idle:
            batch = self._next_batch()
            if not batch:
                return
            self._start(batch)

    def _next_batch(self) -> list[_Job]:
        """The first batch in the queue that is full or has waited long enough; sets a timer when there is none yet."""
        due_ns: int | None = None
        seen: set[str] = set()
        for job in self._queue:
            if job.profile in seen:
                continue
            seen.add(job.profile)
            spec = self._batches.get(job.stage, ALONE)
            batch = [other for other in self._queue if other.profile == job.profile][: spec.size]
            ready_ns = min(other.arrived_ns for other in batch) + to_ns(spec.wait_ms / 1e3)
            if len(batch) == spec.size or ready_ns <= self._clock.now_ns:
                return batch
            due_ns = ready_ns if due_ns is None else min(due_ns, ready_ns)
        if due_ns is not None and due_ns != self._timer_ns:
            self._timer_ns = due_ns
            self._clock.call_at_ns(due_ns, self._dispatch)
        return []

    def _start(self, batch: list[_Job]) -> None:
        chosen = {id(job) for job in batch}
        self._queue = [job for job in self._queue if id(job) not in chosen]
        self._idle -= 1
        name, spec = batch[0].profile, self._batches.get(batch[0].stage, ALONE)
        if name not in self._streams:
            self._streams[name] = self._rngs(f"compute/{self.name}/{name}")
        drawn_s = self.device.profile(name).sample_s(self._streams[name])
        longest_s = max(drawn_s * job.effort if job.took_s is None else job.took_s for job in batch)
        work_s = longest_s * spec.stretch(len(batch))
        end_ns = self._pace.end_ns(self._clock, work_s, batch[0].stage)
        self._use.busy(self._clock.now_s, end_ns / NS)
        self._clock.call_at_ns(end_ns, partial(self._finish, self._clock.now_ns, batch))

    def _finish(self, started_ns: int, batch: list[_Job]) -> None:
        self._idle += 1
        # The next in the queue starts before anyone hears of this end, or an answer's reaction could jump the queue.
        self._dispatch()
        for job in batch:
            job.done(Served(started_ns, len(batch)))

    def _next_other(self, load: BackgroundSpec, rng: np.random.Generator) -> None:
        self._clock.call_in(load.gap_s(rng), partial(self._other, load, rng))

    def _other(self, load: BackgroundSpec, rng: np.random.Generator) -> None:
        """Another robot's request: it takes its turn and is nobody's business here."""
        self.offer(load.stage, _forget)
        self._next_other(load, rng)


def _forget(_: Served) -> None:
    """Nobody waits for it here."""
