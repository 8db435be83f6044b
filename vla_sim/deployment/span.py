"""What is known of one request when it is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from vla_sim.errors import VlaSimError

Status = Literal["ok", "late", "lost", "rejected", "refused", "failed", "superseded"]
Mode = Literal["full", "simplified", "cached"]
Out = TypeVar("Out")


@dataclass(frozen=True, slots=True)
class Span:
    """One request. `uplink_s + queue_s + compute_s + downlink_s` is `t_end_s - t_start_s`, whatever became of it.

    The uplink begins with the request, so it holds the sensor's own latency too. A message that got lost is charged to
    the leg it got lost on until its caller gave up.
    """

    episode: int
    request: int
    stage: str
    site: str
    status: Status
    t_start_s: float  # when its input was measured, or when it was asked
    t_end_s: float  # when the caller knew
    uplink_s: float
    queue_s: float
    compute_s: float
    downlink_s: float
    bytes_up: int
    bytes_down: int
    deadline_s: float | None  # after `t_start_s`
    attempt: int = 0  # 0 = the first site tried; fallbacks and hedges count on
    mode: Mode = "full"
    batch: int = 1  # requests served together


@dataclass(frozen=True, slots=True)
class Answer(Generic[Out]):
    """What comes back. `value` is there for status ok and late, `error` for refused and failed."""

    value: Out | None
    span: Span
    error: VlaSimError | None = None
