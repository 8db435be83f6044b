"""How long each stage of a command may take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from vla_sim.errors import ConfigError, nearest

OWN_BUDGET = ("grasp",)  # limited on their own: they happen while the robot is already moving


@dataclass(frozen=True)
class Budget:
    """Limits of a command's stages, ms. All but grasp planning must fit into `total_ms` together."""

    total_ms: float = 2000.0
    voice_ms: float = 300.0
    intent_ms: float = 200.0
    planning_ms: float = 1000.0
    perception_ms: float = 300.0
    grasp_ms: float = 2000.0
    safety_ms: float = 100.0
    control_ms: float = 100.0

    def __post_init__(self) -> None:
        for key, limit in asdict(self).items():
            number = isinstance(limit, (int, float)) and not isinstance(limit, bool)
            if not number or not math.isfinite(limit) or limit <= 0:
                raise ConfigError(f"budget.{key}", f"must be a positive number of milliseconds, got {limit!r}")
        together = sum(limit for stage, limit in self.stages_ms.items() if stage not in OWN_BUDGET)
        if together > self.total_ms:
            raise ConfigError("budget.total_ms", f"is {self.total_ms:g}, but the stages add up to {together:g} ms")

    @property
    def stages_ms(self) -> dict[str, float]:
        """Limit of each stage, keyed by its name, in the order they run."""
        return {f.name.removesuffix("_ms"): float(getattr(self, f.name)) for f in fields(self) if f.name != "total_ms"}

    @classmethod
    def from_config(cls, group: Mapping[str, Any]) -> Budget:
        """The budget of a `budget` configuration group; raises ConfigError that names a wrong key or value."""
        known = [f.name for f in fields(cls)]
        for key in group:
            if key not in known:
                raise ConfigError(f"budget.{key}", "no such key", nearest(str(key), known))
        return cls(**group)
