"""A request under way, and the sites it was sent to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from vla_sim.clock import NS
from vla_sim.deployment.routing import Hop
from vla_sim.deployment.span import Answer, Mode, Span, Status
from vla_sim.deployment.wire import Codec
from vla_sim.errors import Refused, VlaSimError


@dataclass(slots=True)
class Request:
    """A question, whoever answers it."""

    number: int
    stage: str
    value: Any
    call: Callable[[Any], Any]
    simplified: Callable[[Any], Any] | None
    codec: Codec
    start_ns: int
    deadline_ns: int | None
    on_done: Callable[[Answer[Any]], None]
    on_deadline: Callable[[int], None] | None
    hops: tuple[Hop, ...]
    effort: float = 1.0  # share of the usual compute time
    light: bool = False  # the lighter version will do
    tried: int = 0  # of the hops
    open: int = 0  # attempts under way
    lost: list[Attempt] = field(default_factory=list)  # of which the caller does not know
    answered: bool = False  # or given up: nothing more is waited for
    expired: bool = False  # its deadline has passed without an answer


@dataclass(slots=True)
class Attempt:
    """A request at one site. Each mark is the time a part of it ended."""

    request: Request
    site: str
    mode: Mode
    number: int
    status: Status = "ok"
    value: Any = None
    error: VlaSimError | None = None
    bytes_up: int = 0
    bytes_down: int = 0
    batch: int = 1
    marks_ns: list[int] = field(default_factory=list)  # ends of uplink, queue, compute, downlink

    def compute(self, value: Any) -> None:
        """Call the stage; an error it raises on purpose travels like an answer."""
        request = self.request
        call = request.simplified if self.mode == "simplified" and request.simplified is not None else request.call
        try:
            self.value = call(value)
        except Refused as error:
            self.status, self.error = "refused", error
        except VlaSimError as error:
            self.status, self.error = "failed", error

    def span(self, episode: int, end_ns: int) -> Span:
        """What is recorded of it when it is over. The time before it was tried counts as uplink."""
        request = self.request
        # The part under way when the attempt ended lasted until then; parts it never reached took no time.
        ends = [request.start_ns, *self.marks_ns, *[end_ns] * (4 - len(self.marks_ns))]
        uplink, queue, compute, downlink = ((b - a) / NS for a, b in pairwise(ends))
        deadline_ns = request.deadline_ns
        return Span(
            episode=episode,
            request=request.number,
            stage=request.stage,
            site=self.site,
            status=self.status,
            t_start_s=request.start_ns / NS,
            t_end_s=end_ns / NS,
            uplink_s=uplink,
            queue_s=queue,
            compute_s=compute,
            downlink_s=downlink,
            bytes_up=self.bytes_up,
            bytes_down=self.bytes_down,
            deadline_s=None if deadline_ns is None else (deadline_ns - request.start_ns) / NS,
            attempt=self.number,
            mode=self.mode,
            batch=self.batch,
        )
