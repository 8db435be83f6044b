"""Keeps a route to a goal: plans it again when time has passed, when something stands on it, or when it was left."""

from __future__ import annotations

import math

import numpy as np

from vla_sim.stages.navigation.config import NavigationConfig
from vla_sim.stages.navigation.distance import Field, at
from vla_sim.stages.navigation.route import astar, prices, resampled, straightened
from vla_sim.stages.navigation.surroundings import Surroundings
from vla_sim.stages.planar import wrap
from vla_sim.types import Array

SPACING_M = 0.05
TURN_POINTS = 10  # this far along a route it is looked where it goes
AGAIN_S = 1.0  # a route is planned again after this time
SOONEST_S = 0.3  # and not before this one
OFF_M = 0.5  # from the route
AHEAD_M = 2.5  # of the route is looked at and handed on
KEPT = 0.8  # a route is left for another at less than this share of its price
SWITCHED_KEPT, SWITCHED_S = 0.5, 15.0  # and at less than this, so long after it was taken for another
LONGER, LONGER_M = 1.3, 1.0  # a way round that is longer than this, ...
WAIT_S = 4.5  # ... is taken once the old way has been barred for so long
TURN_M_RAD = 0.8  # what turning to a route costs, in metres of way
LOOSE = 0.9  # a route may pass things at this share of the least distance before it counts as blocked


class Guide:
    """`route` [m, 2] in the site from near the robot to near the goal; empty when there is none."""

    def __init__(self, config: NavigationConfig) -> None:
        self._config = config
        self.forget()

    def forget(self) -> None:
        """There is no goal."""
        self.route: Array = np.zeros((0, 2))
        self.hopeless = False  # the floor plan itself has no way
        self._goal: Array | None = None
        self._planned_s = self._switched_s = -math.inf
        self._barred_s: float | None = None  # since when something stands on the route

    @property
    def left_m(self) -> float:
        """Length of the route from where the robot is."""
        return length(self.route)

    def lead(self, time_s: float, around: Surroundings, goal: Array, slack_m: float, moved_m: float = 0.02) -> bool:
        """Whether there is a route that ends within `slack_m` of `goal` [2]; a goal `moved_m` away is a new one."""
        new = self._goal is None or math.hypot(*(goal - self._goal)) > moved_m
        age_s = time_s - self._planned_s
        if not new:
            self._pass_by(around.pose)
        if new or age_s >= AGAIN_S or (age_s >= SOONEST_S and self._spoilt(around)):
            self._goal, self._planned_s = goal.copy(), time_s
            self._plan(around, goal, slack_m, new)
        return len(self.route) > 0

    def ahead(self) -> Array:
        """[k, 2] the next piece of the route."""
        return self.route[: int(AHEAD_M / SPACING_M)]

    def barred_m(self, around: Surroundings) -> float:
        """Length of the route up to where something stands on it that is waited for; inf when nothing does."""
        if self._barred_s is None:
            return math.inf
        g, least_m = around.ground, LOOSE * self._config.least_m
        for k, p in enumerate(self.ahead()):
            if at(g.distance_m, g.x0_m, g.y0_m, g.cell_m, p[0], p[1]) < least_m:
                return k * SPACING_M
        return math.inf

    def _pass_by(self, pose: Array) -> None:
        """Drop what lies behind."""
        near = self.route[: int(1.0 / SPACING_M)]
        if len(near):
            self.route = self.route[int(np.hypot(*(near - pose[:2]).T).argmin()) :]

    def _spoilt(self, around: Surroundings) -> bool:
        if not len(self.route):
            return False  # it was looked for, and may be there in a second
        if math.hypot(*(self.route[0] - around.pose[:2])) > OFF_M:
            return True
        g, least_m = around.ground, LOOSE * self._config.least_m
        beyond = [p for p in self.ahead()[::2] if math.hypot(*(p - around.pose[:2])) > self._config.radius_m]
        return any(at(g.distance_m, g.x0_m, g.y0_m, g.cell_m, p[0], p[1]) < least_m for p in beyond)

    def _plan(self, around: Surroundings, goal: Array, slack_m: float, new: bool) -> None:
        if new:
            self.route, self._barred_s, self._switched_s = self.route[:0], None, -math.inf
        distance_m = around.refresh()
        found = self._search(around, distance_m, goal, slack_m)
        lasting_m = around.lasting_m()
        if lasting_m is not None:  # round somebody who pauses if that is near, else he is waited for
            through = self._search(around, lasting_m, goal, slack_m)
            if through is not None and (found is None or _is_longer(found[0], length(through[0]))):
                found, distance_m = through, lasting_m
        old_price = self._price_of(self.route, around, distance_m)
        if old_price < math.inf:
            self._barred_s = None
            kept = SWITCHED_KEPT if self._planned_s - self._switched_s < SWITCHED_S else KEPT
            if found is None or found[1] > kept * old_price:
                return
        elif self._waits(found):
            return
        if found is None:  # what bars the way may have gone: the robot goes and looks
            found = self._search(around, around.lately_m(), goal, slack_m)
        self.hopeless = found is None and self._search(around, around.plan_m, goal, slack_m) is None
        self.route = np.zeros((0, 2)) if found is None else found[0]

    def _waits(self, found: tuple[Array, float] | None) -> bool:
        """Whether to stay with a route that is barred, as all others are much longer."""
        if not len(self.route):
            return False
        if found is not None and not _is_longer(found[0], self.left_m):
            self._barred_s = None
            return False
        if self._barred_s is None:
            self._barred_s = self._planned_s
        if self._planned_s - self._barred_s < WAIT_S:
            return True
        self._barred_s, self._switched_s = None, self._planned_s
        return False

    def _prices(self, around: Surroundings, distance_m: Field) -> Field:
        extent = around.grid.extent
        return prices(distance_m, around.grid.unseen(), extent.cell(around.pose), extent.cell_m, self._config)

    def _price_of(self, route: Array, around: Surroundings, distance_m: Field) -> float:
        """What is to pay for a route from where the robot is, in cells; inf when it is barred or there is none."""
        if len(route) < 2:
            return math.inf
        extent = around.grid.extent
        cells = np.floor((route - extent.corner) / extent.cell_m).astype(np.int64)
        price = self._prices(around, distance_m)[cells[:, 1], cells[:, 0]]
        return (float(price.sum()) * SPACING_M + _turn_m(around.pose, route)) / extent.cell_m

    def _search(
        self, around: Surroundings, distance_m: Field, goal: Array, slack_m: float
    ) -> tuple[Array, float] | None:
        """[m, 2] the cheapest route, and its price in cells; None when there is no way."""
        extent = around.grid.extent
        start, end = extent.cell(around.pose), extent.cell(goal)
        price = self._prices(around, distance_m)
        path, reached, cost = astar(price, start, end)
        corners = extent.middle(straightened(price, path))
        if not reached and math.hypot(*(corners[-1] - goal)) > slack_m:
            return None
        corners[0] = around.pose[:2]
        if reached:
            corners = np.vstack([corners[:-1] if len(corners) > 1 else corners, goal])
        route = resampled(corners, SPACING_M)
        return route, cost + _turn_m(around.pose, route) / extent.cell_m


def length(route: Array) -> float:
    """Of a route [m, 2], m."""
    return float(np.hypot(*np.diff(route, axis=0).T).sum()) if len(route) > 1 else 0.0


def _is_longer(route: Array, than_m: float) -> bool:
    return length(route) > LONGER * than_m + LONGER_M


def _turn_m(pose: Array, route: Array) -> float:
    """The price of turning from `pose` [3] to a route, in metres of way."""
    ahead = route[min(TURN_POINTS, len(route) - 1)] - pose[:2]
    if math.hypot(*ahead) < 0.15:
        return 0.0
    return TURN_M_RAD * abs(wrap(math.atan2(ahead[1], ahead[0]) - float(pose[2])))
