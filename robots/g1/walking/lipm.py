"""The linear inverted pendulum in closed form: how the divergent component of motion (DCM) moves within a step.

xi = com + com_velocity / w moves by xi' = w (xi - cop). In a step the centre of pressure goes straight from
`before` to the standing foot within the double support, and stays there.
"""

from __future__ import annotations

import math

from robots.g1.walking.config import GRAVITY_M_S2
from robots.g1.walking.rotations import compiled
from robots.g1.walking.state import Record


@compiled
def frequency(com_height_m: float) -> float:
    """1/s of the pendulum."""
    return math.sqrt(GRAVITY_M_S2 / com_height_m)


@compiled
def transition(w: float, step_time: float, double_support: float, t: float) -> tuple[float, float]:
    """(A, B): from time t to the step's end, xi_end = A xi + B before + (1 - A - B) foot."""
    grown = math.exp(w * max(step_time - t, 0.0))
    left = max(double_support - t, 0.0)
    before = -grown / double_support * (left - (1.0 - math.exp(-w * left)) / w)
    return grown, before


@compiled
def nominal_offset(c: Record, w: float, stance: int, vx: float, vy: float) -> tuple[float, float]:
    """DCM relative to the standing foot at the start of a step of the cyclic gait at a velocity, heading frame."""
    a, b = transition(w, c.step_time_s, c.double_support_s, 0.0)
    side = 1.0 if stance == 0 else -1.0
    ahead = (1.0 + b) * vx * c.step_time_s / (a - 1.0)
    aside = (1.0 + b) * vy * c.step_time_s / (a - 1.0) - (1.0 - b) * side * c.step_width_m / (1.0 + a)
    return ahead, aside
