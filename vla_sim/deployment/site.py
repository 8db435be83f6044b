"""A computer that serves stages: one queue, a number of servers, and the time each call takes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

import numpy as np

from vla_sim.clock import VirtualClock
from vla_sim.deployment.link import Path
from vla_sim.deployment.profile import Device
from vla_sim.errors import ConfigError

Done = Callable[[int], None]  # told when the service of the job began, ns


class Site:
    """First come, first served, by `servers` servers that all stages placed here share.

    `rngs` gives the generator of a named stream; each stage draws its compute times from one of its own.
    Raises ConfigError for a number of servers below 1 or a negative queue limit.
    """

    def __init__(
        self,
        name: str,
        device: Device,
        clock: VirtualClock,
        rngs: Callable[[str], np.random.Generator],
        *,
        servers: int = 1,
        queue_limit: int | None = None,
        path: Path | None = None,
    ) -> None:
        if servers < 1:
            raise ConfigError(f"{name}.servers", f"must be at least 1, got {servers}")
        if queue_limit is not None and queue_limit < 0:
            raise ConfigError(f"{name}.queue_limit", f"must not be negative, got {queue_limit}")
        self.name, self.device, self.path = name, device, path or Path()
        self._clock, self._rngs = clock, rngs
        self._idle, self._queue_limit = servers, queue_limit
        self._waiting: deque[tuple[str, Done]] = deque()
        self._streams: dict[str, np.random.Generator] = {}

    @property
    def on_robot(self) -> bool:
        """Whether no link lies between the robot and this site."""
        return not self.path.links

    @property
    def waiting(self) -> int:
        """Requests in the queue, without those in service."""
        return len(self._waiting)

    def offer(self, stage: str, done: Done) -> bool:
        """A request arrives now. False = rejected, the queue is full; else `done` is called when it has been served."""
        if self._idle:
            self._start(stage, done)
        elif self._queue_limit is None or len(self._waiting) < self._queue_limit:
            self._waiting.append((stage, done))
        else:
            return False
        return True

    def _start(self, stage: str, done: Done) -> None:
        self._idle -= 1
        if stage not in self._streams:
            self._streams[stage] = self._rngs(f"compute/{self.name}/{stage}")
        compute_s = self.device.profile(stage).sample_s(self._streams[stage])
        self._clock.call_in(compute_s, partial(self._finish, self._clock.now_ns, done))

    def _finish(self, started_ns: int, done: Done) -> None:
        self._idle += 1
        # The next in the queue starts before anyone hears of this end, or an answer's reaction could jump the queue.
        if self._waiting:
            self._start(*self._waiting.popleft())
        done(started_ns)
