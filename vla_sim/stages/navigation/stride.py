"""The body under way: how fast it truly is, where it is without the sway of its steps, and how commands change."""

from __future__ import annotations

import math

import numpy as np

from vla_sim.stages.navigation.config import NavigationConfig
from vla_sim.stages.navigation.dwa import toward
from vla_sim.stages.planar import rotate, wrap
from vla_sim.types import Array

PAUSE_S = 0.6  # without a request, and what was known of the body is old
TRUST_S = 1.5  # the measured velocity sways; over this time it is believed
SMOOTH_S, REST_SMOOTH_S = 0.6, 0.2  # of the place, while walking and while standing
STANDS_M_S = 0.02


class Stride:
    """`velocity` [3] and `place_in_odom` [3] are free of sway; `command` [3] is the last one given."""

    def __init__(self, config: NavigationConfig) -> None:
        self._config = config
        self._time_s: float | None = None
        self._dt_s = config.period_s
        self.command, self.velocity, self.place_in_odom = np.zeros(3), np.zeros(3), np.zeros(3)

    def update(self, time_s: float, heading_in_odom: Array, measured: Array) -> None:
        """Take in where odometry says the body is, and how fast it says it goes."""
        c = self._config
        elapsed_s = math.inf if self._time_s is None else time_s - self._time_s
        self._time_s = time_s
        if elapsed_s > PAUSE_S:
            self._dt_s = c.period_s
            self.command, self.velocity = np.zeros(3), np.asarray(measured, float).copy()
            self.place_in_odom = np.asarray(heading_in_odom, float).copy()
            return
        self._dt_s = elapsed_s
        follows = 1.0 - math.exp(-elapsed_s / c.lag_s)
        self.velocity = self.velocity + follows * (self.command - self.velocity)
        self.velocity = self.velocity + (1.0 - math.exp(-elapsed_s / TRUST_S)) * (measured - self.velocity)
        self._smooth(heading_in_odom)

    def _smooth(self, heading: Array) -> None:
        dt, place = self._dt_s, self.place_in_odom
        went = rotate(place[2], self.velocity) * dt
        expected = np.array([place[0] + went[0], place[1] + went[1], place[2] + self.velocity[2] * dt])
        share = 1.0 - math.exp(-dt / (REST_SMOOTH_S if self.rests else SMOOTH_S))
        error = heading - expected
        error[2] = wrap(error[2])
        self.place_in_odom = expected + share * error
        self.place_in_odom[2] = wrap(self.place_in_odom[2])

    @property
    def rests(self) -> bool:
        """Whether it was told to stand and has come to it."""
        speed = math.hypot(self.velocity[0], self.velocity[1])
        return not self.command.any() and speed < 2.0 * STANDS_M_S and abs(self.velocity[2]) < 2.0 * STANDS_M_S

    def go(self, target: Array) -> Array:
        """[3] the command that leads to `target` [3] no faster than the body may change its speed."""
        c, dt, now = self._config, max(self._dt_s, 1e-3), self.command
        self.command = np.array(
            [
                toward(now[0], target[0], c.acceleration_m_s2 * dt, c.brake_m_s2 * dt),
                toward(now[1], target[1], c.side_acceleration_m_s2 * dt, c.side_acceleration_m_s2 * dt),
                toward(now[2], target[2], c.turn_acceleration_rad_s2 * dt, 2.0 * c.turn_acceleration_rad_s2 * dt),
            ]
        )
        return self.command
