"""Distance to people: speed and separation monitoring in the sense of ISO/TS 15066:2016, 5.5.4.

The protective separation distance (its formula 3, from ISO 13855:2010) is

    S = v_h (t_r + t_s) + v_r t_r + v_r² / (2 a) + C,    t_s = v_r / a

with v_h the person's speed towards the robot, v_r the robot's towards the person, t_r its reaction time, a its
deceleration, and C for intrusion and the uncertainty of both positions. Solved for v_r, the distance there is gives the
speed there may be: the base slows as a person comes nearer and stops when S exceeds the distance even at v_r = 0.
Motion away from a person is free.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from vla_sim.stages.safety.config import Braking, SeparationConfig
from vla_sim.stages.safety.surroundings import Surroundings
from vla_sim.types import Array


class Separation:
    """The rule for one robot."""

    def __init__(self, config: SeparationConfig, braking: Braking) -> None:
        self.config, self.braking = config, braking

    def speed_share(self, surroundings: Surroundings, velocity: Array) -> float:
        """What of the base velocity [3] is left, 0 to 1."""
        people = surroundings.people_in_base
        if not len(people):
            return 1.0
        brake, c = self.braking, self.config
        places = np.array(people, np.float64, order="C")
        measured = surroundings.people_velocity is not None
        velocities = np.array(surroundings.people_velocity, np.float64, order="C") if measured else places
        share = share_of_speed(
            places, velocities, measured, float(velocity[0]), float(velocity[1]),
            (brake.deceleration_m_s2, brake.reaction_s),
            (brake.radius_m + c.person_radius_m, c.intrusion_m, c.assumed_speed_m_s),
        )  # fmt: skip
        return float(share)

    def arm_share(self, surroundings: Surroundings) -> float:
        """What of their highest speed the arms have left, `arms_least` to 1."""
        people = surroundings.people_in_base
        if not len(people):
            return 1.0
        c = self.config
        if not np.isfinite(people).all():
            return c.arms_least
        near = (nearest(people) - c.arms_slowest_m) / (c.arms_slow_m - c.arms_slowest_m)
        return max(c.arms_least, min(1.0, near))


@njit(cache=True, error_model="numpy")
def share_of_speed(
    people: Array, velocities: Array, measured: bool, ahead: float, left: float, brake: tuple[float, float],
    distances: tuple[float, float, float],
) -> float:  # fmt: skip
    """Largest share of the velocity (`ahead`, `left`) m/s that keeps the protective distance to all people [k, 2].

    `velocities` [k, 2] are theirs when `measured`; `distances` both radii m, C m, and the speed m/s otherwise assumed.
    """
    deceleration, reaction = brake
    radii, intrusion, assumed = distances
    share = 1.0
    for i in range(people.shape[0]):
        distance = math.hypot(people[i, 0], people[i, 1])
        if not distance > 0.0:
            return 0.0  # inside a person there is no direction away from him
        x, y = people[i, 0] / distance, people[i, 1] / distance
        towards = ahead * x + left * y
        if towards <= 0.0:
            continue
        coming = max(0.0, -(velocities[i, 0] * x + velocities[i, 1] * y)) if measured else assumed
        room = distance - radii - intrusion - coming * reaction
        allowed = 0.0
        if room > 0.0:
            lost = deceleration * reaction + coming
            allowed = 2.0 * deceleration * room / (math.sqrt(lost * lost + 2.0 * deceleration * room) + lost)
        if towards > allowed * (1.0 + 1e-12):
            share = min(share, allowed / towards)
    return share


def nearest(people_in_base: Array) -> float:
    """Distance of the base's middle to the nearest of the people [k, 2], m; infinite without people."""
    return min((math.hypot(x, y) for x, y in people_in_base.tolist()), default=math.inf)
