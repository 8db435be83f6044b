"""Safety: the last thing between the stack and the robot. Pure, without a clock; it never leaves the robot.

Whatever comes in, what goes out is finite, inside the joint limits and no faster than the joints may turn; told of its
surroundings, the robot also keeps its distance to itself, to things, people and zones. Nothing is changed silently:
every change is an `Intervention`.
"""

from vla_sim.stages.safety.config import (
    Braking,
    ObstacleConfig,
    SafetyConfig,
    SeparationConfig,
    TipOverConfig,
    ZoneConfig,
)
from vla_sim.stages.safety.e_stop import EmergencyStop
from vla_sim.stages.safety.filter import SafetyFilter
from vla_sim.stages.safety.rules import RULES, Intervention, Outcome, Rule
from vla_sim.stages.safety.surroundings import Surroundings

__all__ = [
    "RULES",
    "Braking",
    "EmergencyStop",
    "Intervention",
    "ObstacleConfig",
    "Outcome",
    "Rule",
    "SafetyConfig",
    "SafetyFilter",
    "SeparationConfig",
    "Surroundings",
    "TipOverConfig",
    "ZoneConfig",
]
