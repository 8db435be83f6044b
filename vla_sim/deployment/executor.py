"""Asking a stage, in simulated time: computed from its input, delivered when the deployment would have delivered it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar

from vla_sim.clock import NS, VirtualClock, to_ns
from vla_sim.deployment.cache import MISSING
from vla_sim.deployment.placement import Placement
from vla_sim.deployment.request import Attempt, Request
from vla_sim.deployment.routing import Health, Hop, Routes
from vla_sim.deployment.site import Served, Site
from vla_sim.deployment.span import Answer, Span, Status
from vla_sim.deployment.wire import Codec, Message, Wire, payload_bytes
from vla_sim.errors import ConfigError, nearest

In = TypeVar("In")
Out = TypeVar("Out")

REJECTION_BYTES = 64  # what a full site sends back
SIMPLIFIED = "{}_simplified"  # name of the latency profile of a stage's lighter version


class VirtualExecutor:
    """Runs stages where the placement says, on the clock's time.

    A request ends in exactly one call of `on_done`, with the answer that came first, and one `Span` in `sink` for each
    site that was tried; neither ever happens inside `submit`. A lost request ends at its deadline, or `give_up_s` after
    its start when it has none. `routes` say where it goes when a site is down, rejects or is slow.
    `delay_override` imposes on a stage the time from the start of a request to its answer, s: no queue, no link.
    Inputs must not be changed after they were submitted. Raises ConfigError for a placement on unknown sites.
    """

    def __init__(
        self,
        clock: VirtualClock,
        placement: Placement,
        sites: Mapping[str, Site],
        sink: Callable[[Span], None],
        *,
        episode: int = 0,
        delay_override: Mapping[str, float] | None = None,
        codec: Codec | None = None,
        give_up_s: float = 5.0,
        routes: Routes | None = None,
        health: Health | None = None,
    ) -> None:
        self._clock, self._placement, self._sites, self._sink = clock, placement, dict(sites), sink
        self._episode, self._codec, self._give_up_ns = episode, codec or Wire(), to_ns(give_up_s)
        self._routes = routes or Routes({}, self._sites)
        self._health = health or Health(None, clock, {})
        self._delay_ns = {stage: to_ns(delay_s) for stage, delay_s in (delay_override or {}).items()}
        for stage, delay_ns in self._delay_ns.items():
            if delay_ns < 0:
                raise ConfigError(f"delay of {stage}", f"must not be negative, got {delay_ns / NS} s")
        self._requests = 0
        self._in_flight: Counter[str] = Counter()
        self._open: dict[str, dict[int, int]] = {}  # starts of open requests, ns, by stage and number
        self._took_ns: dict[str, int] = {}  # the newest answer
        self.reuse_answers = False  # whether caches that are to spare are asked
        self.counters: Counter[tuple[str, Status]] = Counter()  # of finished attempts, by stage and status

    def check(self, stages: Iterable[str], simplified: Collection[str] = ()) -> None:
        """Raise ConfigError now if one of these stages could not be served later; `simplified` have a lighter one."""
        for stage in stages:
            if stage in self._delay_ns:
                continue
            for hop in self._hops(stage):
                light = hop.mode == "simplified" and stage in simplified
                self._sites[hop.site].device.profile(SIMPLIFIED.format(stage) if light else stage)

    def in_flight(self, stage: str) -> int:
        """Requests to a stage under way in the deployment; an imposed delay occupies nothing and does not count."""
        return self._in_flight[stage]

    @property
    def on_robot(self) -> Site:
        """The computer on the robot: where safety runs."""
        return self._sites[self._placement.site("safety")]

    def response_s(self, stage: str) -> float | None:
        """How long the newest answer since the last call took, or the longest open request has waited, if longer.

        None when there is neither.
        """
        waits_ns = [self._clock.now_ns - start_ns for start_ns in self._open.get(stage, {}).values()]
        if stage in self._took_ns:
            waits_ns.append(self._took_ns.pop(stage))
        return max(waits_ns) / NS if waits_ns else None

    def submit(
        self,
        stage_name: str,
        stage: Callable[[In], Out],
        value: In,
        *,
        deadline_s: float | None,
        on_done: Callable[[Answer[Out]], None],
        on_deadline: Callable[[int], None] | None = None,
        t_origin_s: float | None = None,
        wire: Codec | None = None,
        simplified: Callable[[In], Out] | None = None,
        effort: float = 1.0,
        light: bool = False,
    ) -> int:
        """Ask a stage; returns the number of the request.

        The request starts at `t_origin_s`, when its input was measured (None = now); `deadline_s` counts from there.
        `on_deadline` is told the number at the deadline if no answer has come; one that comes just then is in time.
        `wire` replaces the codec for this request. `simplified` is the stage's lighter version, taken at once if
        `light`; `effort` is the share of the usual compute time that this input costs. A stage runs when its input
        reaches the site, so never if the input is lost or rejected; it sees what was sent. Raises ValueError for an
        origin in the future or a deadline that is not positive.
        """
        start_ns = self._clock.now_ns if t_origin_s is None else to_ns(t_origin_s)
        if start_ns > self._clock.now_ns:
            raise ValueError(f"{stage_name}: its input of {t_origin_s} s lies in the future ({self._clock.now_s} s)")
        if deadline_s is not None and not deadline_s > 0:
            raise ValueError(f"{stage_name}: a deadline must be positive, got {deadline_s} s")
        request = Request(
            number=self._requests,
            stage=stage_name,
            value=value,
            call=stage,
            simplified=simplified,
            codec=wire or self._codec,
            start_ns=start_ns,
            deadline_ns=None if deadline_s is None else start_ns + to_ns(deadline_s),
            on_done=on_done,
            on_deadline=on_deadline,
            hops=self._reachable(stage_name),
            effort=effort,
            light=light,
        )
        self._requests += 1
        self._in_flight[stage_name] += stage_name not in self._delay_ns
        self._open.setdefault(stage_name, {})[request.number] = start_ns
        if request.deadline_ns is not None:
            self._at(request.deadline_ns, partial(self._deadline, request))
        if stage_name in self._delay_ns:
            self._impose(request, start_ns + self._delay_ns[stage_name])
        else:
            self._try_next(request)
        return request.number

    # -- where ---------------------------------------------------------------------------------------------------
    def _hops(self, stage: str) -> tuple[Hop, ...]:
        name = self._placement.site(stage)
        if name not in self._sites:
            raise ConfigError(f"placement of {stage}", f"unknown site {name!r}", nearest(name, self._sites))
        return self._routes.hops(name)

    def _reachable(self, stage: str) -> tuple[Hop, ...]:
        """The places to try now; one that is known to be down is passed over while there is another."""
        hops = self._hops(stage)
        up = tuple(hop for hop in hops if self._health.up(hop.site))
        return up or hops[:1]

    def _at(self, when_ns: int, event: Callable[[], None]) -> None:
        self._clock.call_at_ns(max(when_ns, self._clock.now_ns), event)

    def _impose(self, request: Request, end_ns: int) -> None:
        attempt = Attempt(request, request.hops[0].site, "full", 0)
        attempt.marks_ns = [request.start_ns, request.start_ns]
        request.open, request.tried = 1, len(request.hops)
        attempt.compute(request.value)
        self._at(end_ns, partial(self._finish, attempt))

    def _try_next(self, request: Request) -> None:
        """Ask the next site on the way; the one after it follows if this one takes too long."""
        if request.tried == len(request.hops):
            return
        hop = request.hops[request.tried]
        request.tried += 1
        request.open += 1
        site = self._sites[hop.site]
        light = (request.light or hop.mode == "simplified") and request.simplified is not None
        attempt = Attempt(request, site.name, "simplified" if light else "full", hop.number)
        if hop.after_ns is not None and request.tried < len(request.hops):
            self._clock.call_at_ns(self._clock.now_ns + hop.after_ns, partial(self._hedge, request, request.tried))
        if site.on_robot:
            self._arrive(attempt, site, request.value)
        else:
            self._send(attempt, site, request.codec.encode(request.value))

    def _hedge(self, request: Request, number: int) -> None:
        if request.tried == number and not (request.answered or request.expired):
            self._try_next(request)

    # -- there and back ------------------------------------------------------------------------------------------
    def _send(self, attempt: Attempt, site: Site, message: Message) -> None:
        attempt.bytes_up = message.n_bytes
        arrive = partial(self._decode_and_arrive, attempt, site, message)
        site.path.send(self._clock, message.n_bytes, "up", arrive, partial(self._lose, attempt))

    def _decode_and_arrive(self, attempt: Attempt, site: Site, message: Message) -> None:
        self._arrive(attempt, site, attempt.request.codec.decode(message))

    def _arrive(self, attempt: Attempt, site: Site, value: Any) -> None:
        attempt.marks_ns.append(self._clock.now_ns)
        if self._known(attempt, site, value):
            return
        stage = attempt.request.stage
        profile = SIMPLIFIED.format(stage) if attempt.mode == "simplified" else None
        took_s = self._measure(attempt, site, value)
        done = partial(self._served, attempt, site, value)
        if site.offer(stage, done, profile, attempt.request.effort, took_s):
            if took_s is None:
                attempt.compute(value)
            return
        attempt.status = "rejected"
        attempt.marks_ns += [self._clock.now_ns] * 2
        if site.on_robot:  # an event of its own, because this may still be inside `submit`
            self._clock.call_in(0.0, partial(self._finish, attempt))
        else:
            self._reply(attempt, site, REJECTION_BYTES)

    @staticmethod
    def _measure(attempt: Attempt, site: Site, value: Any) -> float | None:
        """Compute now and charge what it really took, for a stage that asks for it; None = charge the profile."""
        call = attempt.request.call
        if getattr(call, "charge", "profile") != "measured" or site.full:
            return None
        attempt.compute(value)
        return float(call.last_took_s)  # type: ignore[attr-defined]

    def _known(self, attempt: Attempt, site: Site, value: Any) -> bool:
        """Answer from the site's cache if it knows the question."""
        cache = site.cache(attempt.request.stage, reuse=self.reuse_answers)
        if cache is None or attempt.mode == "simplified":
            return False
        found = cache.recall(value)
        if found is MISSING:
            return False
        attempt.mode, attempt.value = "cached", found
        started_ns = self._clock.now_ns
        self._clock.call_in(cache.hit_s, lambda: self._answer(attempt, site, Served(started_ns)))
        return True

    def _served(self, attempt: Attempt, site: Site, value: Any, served: Served) -> None:
        cache = site.cache(attempt.request.stage, reuse=True)
        if cache is not None and attempt.mode == "full" and attempt.error is None:
            cache.remember(value, attempt.value)
        self._answer(attempt, site, served)

    def _answer(self, attempt: Attempt, site: Site, served: Served) -> None:
        attempt.marks_ns += [served.started_ns, self._clock.now_ns]
        attempt.batch = served.batch
        if site.on_robot:
            self._finish(attempt)
        elif attempt.error is not None:
            self._reply(attempt, site, payload_bytes(str(attempt.error)))
        else:
            message = attempt.request.codec.encode(attempt.value)
            attempt.value = attempt.request.codec.decode(message)
            self._reply(attempt, site, message.n_bytes)

    def _reply(self, attempt: Attempt, site: Site, n_bytes: int) -> None:
        attempt.bytes_down = n_bytes
        finish, lose = partial(self._finish, attempt), partial(self._lose, attempt)
        site.path.send(self._clock, n_bytes, "down", finish, lose)

    # -- the end -------------------------------------------------------------------------------------------------
    def _lose(self, attempt: Attempt) -> None:
        """The caller never hears of it: it ends when the caller gives up, or has another answer."""
        attempt.status, attempt.value, attempt.error = "lost", None, None
        request = attempt.request
        request.open -= 1
        if request.answered:
            self._close(attempt)
            return
        request.lost.append(attempt)
        if request.deadline_ns is None:
            self._at(request.start_ns + self._give_up_ns, partial(self._give_up, request))
        elif request.expired:
            self._give_up(request)

    def _give_up(self, request: Request) -> None:
        """All that was tried is lost, and there is no more time."""
        if request.answered or request.open or not request.lost:
            return
        *others, last = request.lost
        for attempt in others:
            self._close(attempt)
        request.lost = []
        self._end(last)

    def _deadline(self, request: Request) -> None:
        # Once round the queue, so that an answer due at this very instant is in time.
        self._clock.call_in(0.0, partial(self._expire, request))

    def _expire(self, request: Request) -> None:
        if request.answered:
            return
        request.expired = True
        if request.on_deadline is not None:
            request.on_deadline(request.number)
        self._give_up(request)

    def _finish(self, attempt: Attempt) -> None:
        request = attempt.request
        request.open -= 1
        if request.answered:
            attempt.status = "superseded"
            self._close(attempt)
        elif attempt.status == "rejected" and request.tried < len(request.hops) and not request.expired:
            self._close(attempt)
            self._try_next(request)
        elif attempt.status == "rejected" and (request.open or request.lost):
            self._close(attempt)  # another may still answer
            if request.expired:
                self._give_up(request)
        else:
            if attempt.status == "ok" and request.deadline_ns is not None and self._clock.now_ns > request.deadline_ns:
                attempt.status = "late"
            self._end(attempt)

    def _end(self, attempt: Attempt) -> None:
        """The request is over, with this attempt."""
        request = attempt.request
        request.answered = True
        span = self._close(attempt)
        for lost in request.lost:
            self._close(lost)
        self._in_flight[request.stage] -= request.stage not in self._delay_ns
        del self._open[request.stage][request.number]
        if span.status != "lost":
            self._took_ns[request.stage] = self._clock.now_ns - request.start_ns
        request.on_done(Answer(attempt.value, span, attempt.error))

    def _close(self, attempt: Attempt) -> Span:
        span = attempt.span(self._episode, self._clock.now_ns)
        self.counters[span.stage, span.status] += 1
        self._sink(span)
        return span
