"""Asking a stage, in simulated time: computed from its input, delivered when the deployment would have delivered it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar

from vla_sim.clock import NS, VirtualClock, to_ns
from vla_sim.deployment.placement import Placement
from vla_sim.deployment.site import Site
from vla_sim.deployment.span import Answer, Span, Status
from vla_sim.deployment.wire import Codec, Message, Wire, payload_bytes
from vla_sim.errors import ConfigError, Refused, VlaSimError, nearest

In = TypeVar("In")
Out = TypeVar("Out")

REJECTION_BYTES = 64  # what a full site sends back


@dataclass(slots=True)
class _Request:
    """A request under way. Each mark is the time a part of it ended."""

    number: int
    stage: str
    site: str
    call: Callable[[Any], Any]
    codec: Codec
    start_ns: int
    deadline_ns: int | None
    on_done: Callable[[Answer[Any]], None]
    on_deadline: Callable[[int], None] | None
    status: Status = "ok"
    value: Any = None
    error: VlaSimError | None = None
    bytes_up: int = 0
    bytes_down: int = 0
    marks_ns: list[int] = field(default_factory=list)  # ends of uplink, queue, compute, downlink
    done: bool = False
    expired: bool = False  # its deadline has passed without an answer
    lost: bool = False

    def compute(self, value: Any) -> None:
        """Call the stage; an error it raises on purpose travels like an answer."""
        try:
            self.value = self.call(value)
        except Refused as error:
            self.status, self.error = "refused", error
        except VlaSimError as error:
            self.status, self.error = "failed", error


class VirtualExecutor:
    """Runs stages where the placement says, on the clock's time.

    A request ends in exactly one call of `on_done` and one `Span` in `sink`; neither ever happens inside `submit`.
    A lost request ends at its deadline, or `give_up_s` after its start when it has none.
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
    ) -> None:
        self._clock, self._placement, self._sites, self._sink = clock, placement, dict(sites), sink
        self._episode, self._codec, self._give_up_ns = episode, codec or Wire(), to_ns(give_up_s)
        self._delay_ns = {stage: to_ns(delay_s) for stage, delay_s in (delay_override or {}).items()}
        for stage, delay_ns in self._delay_ns.items():
            if delay_ns < 0:
                raise ConfigError(f"delay of {stage}", f"must not be negative, got {delay_ns / NS} s")
        self._requests = 0
        self._in_flight: Counter[str] = Counter()
        self.counters: Counter[tuple[str, Status]] = Counter()  # of finished requests, by stage and status

    def check(self, stages: Iterable[str]) -> None:
        """Raise ConfigError now if one of these stages could not be served later."""
        for stage in stages:
            if stage not in self._delay_ns:
                self._site(stage).device.profile(stage)

    def in_flight(self, stage: str) -> int:
        """Requests to a stage under way in the deployment; an imposed delay occupies nothing and does not count."""
        return self._in_flight[stage]

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
    ) -> int:
        """Ask a stage; returns the number of the request.

        The request starts at `t_origin_s`, when its input was measured (None = now); `deadline_s` counts from there.
        `on_deadline` is told the number at the deadline if no answer has come; one that comes just then is in time.
        `wire` replaces the codec for this request. A stage runs when its input reaches the site, so never if the input
        is lost or rejected; it sees what was sent. Raises ValueError for an origin in the future or a deadline that is
        not positive.
        """
        start_ns = self._clock.now_ns if t_origin_s is None else to_ns(t_origin_s)
        if start_ns > self._clock.now_ns:
            raise ValueError(f"{stage_name}: its input of {t_origin_s} s lies in the future ({self._clock.now_s} s)")
        if deadline_s is not None and not deadline_s > 0:
            raise ValueError(f"{stage_name}: a deadline must be positive, got {deadline_s} s")
        site = self._site(stage_name)
        request = _Request(
            number=self._requests,
            stage=stage_name,
            site=site.name,
            call=stage,
            codec=wire or self._codec,
            start_ns=start_ns,
            deadline_ns=None if deadline_s is None else start_ns + to_ns(deadline_s),
            on_done=on_done,
            on_deadline=on_deadline,
        )
        self._requests += 1
        self._in_flight[stage_name] += stage_name not in self._delay_ns
        if request.deadline_ns is not None:
            self._at(request.deadline_ns, partial(self._deadline, request))
        if stage_name in self._delay_ns:
            self._impose(request, value, start_ns + self._delay_ns[stage_name])
        elif site.on_robot:
            self._arrive(request, site, value)
        else:
            self._send(request, site, request.codec.encode(value))
        return request.number

    def _site(self, stage: str) -> Site:
        name = self._placement.site(stage)
        if name not in self._sites:
            raise ConfigError(f"placement of {stage}", f"unknown site {name!r}", nearest(name, self._sites))
        return self._sites[name]

    def _at(self, when_ns: int, event: Callable[[], None]) -> None:
        self._clock.call_at_ns(max(when_ns, self._clock.now_ns), event)

    def _impose(self, request: _Request, value: Any, end_ns: int) -> None:
        request.marks_ns = [request.start_ns, request.start_ns]
        request.compute(value)
        self._at(end_ns, partial(self._finish, request))

    def _send(self, request: _Request, site: Site, message: Message) -> None:
        request.bytes_up = message.n_bytes
        arrive = partial(self._decode_and_arrive, request, site, message)
        site.path.send(self._clock, message.n_bytes, "up", arrive, partial(self._lose, request))

    def _decode_and_arrive(self, request: _Request, site: Site, message: Message) -> None:
        self._arrive(request, site, request.codec.decode(message))

    def _arrive(self, request: _Request, site: Site, value: Any) -> None:
        request.marks_ns.append(self._clock.now_ns)
        if site.offer(request.stage, partial(self._served, request, site)):
            request.compute(value)
            return
        request.status = "rejected"
        request.marks_ns += [self._clock.now_ns] * 2
        if site.on_robot:  # an event of its own, because this may still be inside `submit`
            self._clock.call_in(0.0, partial(self._finish, request))
        else:
            self._reply(request, site, REJECTION_BYTES)

    def _served(self, request: _Request, site: Site, started_ns: int) -> None:
        request.marks_ns += [started_ns, self._clock.now_ns]
        if site.on_robot:
            self._finish(request)
        elif request.error is not None:
            self._reply(request, site, payload_bytes(str(request.error)))
        else:
            message = request.codec.encode(request.value)
            request.value = request.codec.decode(message)
            self._reply(request, site, message.n_bytes)

    def _reply(self, request: _Request, site: Site, n_bytes: int) -> None:
        request.bytes_down = n_bytes
        finish, lose = partial(self._finish, request), partial(self._lose, request)
        site.path.send(self._clock, n_bytes, "down", finish, lose)

    def _lose(self, request: _Request) -> None:
        """The caller never hears of it: it ends when the caller gives up."""
        request.status, request.lost, request.value, request.error = "lost", True, None, None
        if request.deadline_ns is None:
            self._at(request.start_ns + self._give_up_ns, partial(self._finish, request))
        elif request.expired:
            self._finish(request)

    def _deadline(self, request: _Request) -> None:
        # Once round the queue, so that an answer due at this very instant is in time.
        self._clock.call_in(0.0, partial(self._expire, request))

    def _expire(self, request: _Request) -> None:
        if request.done:
            return
        request.expired = True
        if request.on_deadline is not None:
            request.on_deadline(request.number)
        if request.lost:
            self._finish(request)

    def _finish(self, request: _Request) -> None:
        end_ns = self._clock.now_ns
        if request.status == "ok" and request.deadline_ns is not None and end_ns > request.deadline_ns:
            request.status = "late"
        request.done = True
        span = self._span(request, end_ns)
        self._in_flight[request.stage] -= request.stage not in self._delay_ns
        self.counters[request.stage, span.status] += 1
        self._sink(span)
        request.on_done(Answer(request.value, span, request.error))

    def _span(self, request: _Request, end_ns: int) -> Span:
        # The part under way when the request ended lasted until then; parts it never reached took no time.
        ends = [request.start_ns, *request.marks_ns, *[end_ns] * (4 - len(request.marks_ns))]
        uplink, queue, compute, downlink = ((b - a) / NS for a, b in pairwise(ends))
        deadline_ns = request.deadline_ns
        return Span(
            episode=self._episode,
            request=request.number,
            stage=request.stage,
            site=request.site,
            status=request.status,
            t_start_s=request.start_ns / NS,
            t_end_s=end_ns / NS,
            uplink_s=uplink,
            queue_s=queue,
            compute_s=compute,
            downlink_s=downlink,
            bytes_up=request.bytes_up,
            bytes_down=request.bytes_down,
            deadline_s=None if deadline_ns is None else (deadline_ns - request.start_ns) / NS,
        )
