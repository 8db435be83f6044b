"""Stopping: from a speed to a way, and back. The speed is kept for the reaction time, then falls evenly."""

from __future__ import annotations

import math

from numba import njit


@njit(cache=True, error_model="numpy")
def stopping_distance(speed: float, deceleration: float, reaction: float) -> float:
    """The way a base at `speed` m/s (at least 0) still makes, m."""
    return speed * reaction + speed * speed / (2.0 * deceleration)


@njit(cache=True, error_model="numpy")
def speed_within(distance: float, deceleration: float, reaction: float) -> float:
    """The speed from which the base stops within `distance` m; 0 when there is no way left."""
    if not distance > 0.0:
        return 0.0
    lost = deceleration * reaction
    # Written so that a short way loses no digits: (sqrt(l² + 2 a d) - l) = 2 a d / (sqrt(l² + 2 a d) + l).
    return 2.0 * deceleration * distance / (math.sqrt(lost * lost + 2.0 * deceleration * distance) + lost)
