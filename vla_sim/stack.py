"""The stages an agent is made of, and the settings of the program that drives them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from vla_sim.errors import ConfigError
from vla_sim.stages.motion import Motion
from vla_sim.stages.safety import SafetyFilter
from vla_sim.stages.tracking import ObjectTracker
from vla_sim.types import Detections, Frame, Grasp, GraspRequest, Intent, ObjectQuery, Plan, Utterance


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


@dataclass(frozen=True)
class AgentConfig:
    """How the program on the robot asks and waits. Deadlines in seconds from the request."""

    camera: str = "head"
    camera_rate_hz: float = 20.0
    camera_latency_s: float = 0.015  # from the light to the agent
    max_in_flight: int = 2  # perception requests under way; a frame more is skipped
    frame_buffer: int = 5  # newest detections kept for a plan that comes late
    deadlines_s: dict[str, float] = field(
        default_factory=lambda: {"intent": 1.0, "planning": 5.0, "perception": 2.0, "grasp": 2.0}
    )
    retries: int = 3  # of intent, planning and grasp after a missed deadline

    def __post_init__(self) -> None:
        if not self.camera_rate_hz > 0:
            raise ConfigError("stack.agent.camera_rate_hz", f"a rate must be positive, got {self.camera_rate_hz:g} Hz")
        if self.camera_latency_s < 0:
            raise ConfigError("stack.agent.camera_latency_s", f"must not be negative, got {self.camera_latency_s:g}")
        for stage, limit_s in self.deadlines_s.items():
            if not limit_s > 0:
                raise ConfigError(f"stack.agent.deadlines_s.{stage}", f"must be positive, got {limit_s:g}")
