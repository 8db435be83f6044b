"""The stages an agent is made of, and the settings of the program that drives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from vla_sim.errors import ConfigError
from vla_sim.stages.motion import Motion
from vla_sim.stages.safety import SafetyFilter
from vla_sim.stages.tracking import ObjectTracker
from vla_sim.types import (
    Detections,
    Frame,
    Grasp,
    GraspRequest,
    Intent,
    NavigationAnswer,
    NavigationRequest,
    ObjectQuery,
    Plan,
    SiteMap,
    Utterance,
)


class Navigation(Protocol):
    """Finds the way from scans; remembers the map it makes of them."""

    def reset(self, site: SiteMap) -> None:
        """An episode begins at a place of which the operator has told this much."""

    def __call__(self, request: NavigationRequest) -> NavigationAnswer:
        """How to walk until the next answer."""


@dataclass(frozen=True)
class Stack:
    """One implementation a stage. Each is called with one input and returns one output."""

    intent: Callable[[Utterance], Intent]
    planning: Callable[[Intent], Plan]
    perception: Callable[[Frame], Detections]
    grasp: Callable[[GraspRequest], Grasp]
    motion: Motion
    safety: SafetyFilter
    tracker: Callable[[ObjectQuery], ObjectTracker]
    navigation: Navigation | None = None  # None = it cannot find its way
    simplified: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)  # lighter versions, by stage

    def close(self) -> None:
        """Release what a stage holds on to, such as connections."""
        for stage in (self.intent, self.planning, self.perception, self.grasp, self.navigation):
            close = getattr(stage, "close", None)
            if close is not None:
                close()


@dataclass(frozen=True)
class AgentConfig:
    """How the program on the robot asks and waits. Deadlines in seconds from the request."""

    camera: str = "head"
    camera_rate_hz: float = 20.0
    camera_latency_s: float = 0.015  # from the light to the agent
    lidar_latency_s: float = 0.005
    navigation_rate_hz: float = 10.0
    max_in_flight: int = 2  # perception requests under way; a frame more is skipped
    frame_buffer: int = 5  # newest detections kept for a plan that comes late
    deadlines_s: dict[str, float] = field(
        default_factory=lambda: {"intent": 1.0, "planning": 5.0, "perception": 2.0, "grasp": 2.0, "navigation": 0.6}
    )
    stopped_s: float = 5.0  # after a spoken stop the task is given up for good
    retries: int = 3  # of intent, planning and grasp after a missed deadline
    mode: Literal["async", "sync"] = "async"  # sync: holds still while it waits to see, then acts for `sync_act_s`
    sync_act_s: float = 0.4
    safe_stop_after_s: float | None = 5.0  # held for want of an answer this long, it stops for good; None = never

    def __post_init__(self) -> None:
        if not self.camera_rate_hz > 0:
            raise ConfigError("stack.agent.camera_rate_hz", f"a rate must be positive, got {self.camera_rate_hz:g} Hz")
        if not self.navigation_rate_hz > 0:
            problem = f"a rate must be positive, got {self.navigation_rate_hz:g} Hz"
            raise ConfigError("stack.agent.navigation_rate_hz", problem)
        if self.safe_stop_after_s is not None and not self.safe_stop_after_s > 0:
            problem = f"must be positive or null, got {self.safe_stop_after_s:g}"
            raise ConfigError("stack.agent.safe_stop_after_s", problem)
        for key in ("camera_latency_s", "lidar_latency_s", "sync_act_s"):
            if getattr(self, key) < 0:
                raise ConfigError(f"stack.agent.{key}", f"must not be negative, got {getattr(self, key):g}")
        for stage, limit_s in self.deadlines_s.items():
            if not limit_s > 0:
                raise ConfigError(f"stack.agent.deadlines_s.{stage}", f"must be positive, got {limit_s:g}")
