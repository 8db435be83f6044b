"""The last steps to a pose: straight there in small, slowing steps, and the exact pose in front of a table."""

from __future__ import annotations

import math

import numpy as np

from vla_sim.stages.navigation.config import NavigationConfig
from vla_sim.stages.navigation.occupancy import corners_of
from vla_sim.stages.navigation.stride import STANDS_M_S, Stride
from vla_sim.stages.planar import compose, rotate, seen_from
from vla_sim.types import Array, SiteMap

GAIN = 0.9  # 1/s, on the error that is left once the body has come to rest
INNER = 0.35  # share of a tolerance within which it is told to stand
CREEP_M_S, CREEP_RAD_S = 0.03, 0.05  # slower commands may move no biped
CREEPS, STUCK = 2.5, 0.2  # so many tolerances away, and slower than this share of them, it creeps
BACK_M_S = 0.10
SETTLE_S = 1.0  # of standing before the pose is judged
SURFACE_M = 0.6  # a table nearer to a goal than this is what the goal is about
BORDER_M = 0.10  # of what counts as the table itself
AHEAD_M = (0.05, 1.0, 0.8)  # near and far end, and half the width, of an unknown table in front of a goal


def servo(error: Array, velocity: Array, limits: Array, tolerance: Array) -> Array:
    """[3] velocity towards an error [3] in the robot's frame, no faster than `limits` [3], zero within `tolerance` [3].

    `velocity` [3] times the lag, already taken off the error, is how far the body goes by itself.
    """
    wanted = np.clip(GAIN * error, -limits, limits)
    creep = np.minimum([CREEP_M_S, CREEP_M_S, CREEP_RAD_S], limits)
    stuck = (np.abs(wanted) < creep) & (np.abs(velocity) < STUCK * creep) & (np.abs(error) > CREEPS * tolerance)
    stuck[0] = np.abs(wanted[0]) < creep[0]  # ahead there is no sway that could make it chatter
    wanted = np.where(stuck, np.sign(wanted) * creep, wanted)
    return np.where(np.abs(error) < tolerance, 0.0, wanted)


def coasting(error: Array, velocity: Array, lag_s: float) -> Array:
    """[3] the error that is left when the body is told to stand now."""
    return error - lag_s * velocity


def table_outline(goal: Array, site: SiteMap) -> Array:
    """[4, 2] what a goal is in front of: the nearest surface of the site, or whatever stands ahead of the goal."""
    best_m, outline = SURFACE_M, None
    for surface in site.surfaces:
        local = seen_from(surface.pose, goal)[:2]
        off_m = float(np.hypot(*np.maximum(np.abs(local) - 0.5 * surface.size_m, 0.0)))
        if off_m < best_m:
            best_m, outline = off_m, corners_of(surface, BORDER_M)
    if outline is not None:
        return outline
    near, far, half = AHEAD_M
    ends = ((near, -half), (far, -half), (far, half), (near, half))
    return np.array([compose(goal, np.array([x, y, 0.0]))[:2] for x, y in ends])


class Docking:
    """Walks to an exact pose and rests there. `done` once it stands within tolerance."""

    def __init__(self, config: NavigationConfig) -> None:
        self._config = config
        self._rest_s: float | None = None
        self.done = False

    def takes_over(self, pose: Array, goal: Array, engaged: bool) -> bool:
        """Whether the robot is in front of the goal, so near that it may walk straight to it."""
        place = seen_from(goal, pose)
        reach_m = self._config.dock_from_m + (0.2 if engaged else 0.0)
        ahead = place[0] <= 0.02 or (place[0] <= 0.10 and abs(place[1]) < 0.3)
        return ahead and math.hypot(place[0], place[1]) <= reach_m

    def target(self, time_s: float, place: Array, goal: Array, stride: Stride) -> Array:
        """[3] the velocity to aim at; `place` [3] is the robot without sway, in the site like `goal` [3]."""
        c = self._config
        error = -seen_from(goal, place)  # along the goal's own axes: ahead, aside, turn
        speed = np.append(rotate(-error[2], stride.velocity), stride.velocity[2])
        final = coasting(error, speed, c.lag_s)
        tolerance = np.array([c.dock_m, c.dock_m, c.dock_rad])
        if self._rest_s is not None:
            return self._rest(time_s, error, tolerance, stride)
        if (np.abs(final) < INNER * tolerance).all():
            self._rest_s = time_s
            return np.zeros(3)
        limits = np.array([c.dock_m_s, c.dock_m_s, c.dock_turn_rad_s])
        limits[0] *= _alignment(error) if final[0] > 0 else BACK_M_S / c.dock_m_s
        wanted = servo(final, speed, limits, 0.8 * INNER * tolerance)
        return np.append(rotate(error[2], wanted), wanted[2])

    def _rest(self, time_s: float, error: Array, tolerance: Array, stride: Stride) -> Array:
        """Stand until the body is still, then judge; what is outside goes on walking."""
        assert self._rest_s is not None
        still = float(np.hypot(*stride.velocity[:2])) < STANDS_M_S and abs(stride.velocity[2]) < 2.0 * STANDS_M_S
        if time_s - self._rest_s < SETTLE_S or not still:
            return np.zeros(3)
        off = np.append(float(np.hypot(*error[:2])), abs(error[2]))
        self.done = bool((off <= tolerance[1:] * (1.3 if self.done else 1.0)).all())
        if not self.done:
            self._rest_s = None
        return np.zeros(3)


def _alignment(error: Array) -> float:
    """0-1, how fast to go ahead: the nearer, the better it must be in line."""
    aside_m, off_rad = 0.06 + 0.5 * max(error[0] - 0.1, 0.0), 0.12 + 0.6 * max(error[0] - 0.1, 0.0)
    return float(max(0.0, 1.0 - abs(error[1]) / aside_m) * max(0.0, 1.0 - abs(error[2]) / off_rad))
