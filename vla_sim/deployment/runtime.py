"""How late the control loop's ticks are: the operating system's part of a deployment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vla_sim.deployment.profile import LatencyProfile


@dataclass(frozen=True)
class RuntimeConfig:
    """The group `runtime`. A tick begins `lateness` after it is due; None = always on time.

    With `execution_counts` what control and safety take to compute makes the command later still.
    """

    name: str = "ideal"
    lateness: LatencyProfile | None = None
    execution_counts: bool = False


class Lateness:
    """Draws of one episode, one a tick."""

    def __init__(self, config: RuntimeConfig, rng: np.random.Generator) -> None:
        self._config, self._rng = config, rng

    def next_s(self, execution_s: float) -> tuple[float, float]:
        """How late the next tick begins, and how late its command reaches the robot, s."""
        late_s = 0.0 if self._config.lateness is None else self._config.lateness.sample_s(self._rng)
        return late_s, late_s + (execution_s if self._config.execution_counts else 0.0)
