"""Keeps a route to a goal: plans it again when time has passed, when something stands on it, or when it was left."""

from __future__ import annotations

import math

import numpy as np

from vla_sim.stages.navigation.config import NavigationConfig
from vla_sim.stages.navigation.distance import Field, at
from vla_sim.stages.navigation.route import astar, prices, resampled, straightened
from vla_sim.stages.navigation.surroundings import Surroundings
from vla_sim.types import Array

SPACING_M = 0.05
AGAIN_S = 1.0  # a route is planned again after this time
SOONEST_S = 0.3  # and not before this one
OFF_M = 0.5  # from the route
AHEAD_M = 2.5  # of the route is looked at and handed on
KEPT = 0.8  # a route is left for another at less than this share of its price
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
        self._planned_s = -math.inf

    @property
    def left_m(self) -> float:
        """Length of the route from where the robot is."""
        return float(np.hypot(*np.diff(self.route, axis=0).T).sum()) if len(self.route) > 1 else 0.0

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
        found = self._search(around, around.refresh(), goal, slack_m, self.route[:0] if new else self.route)
        if found is None:  # what bars the way may have gone: the robot goes and looks
            found = self._search(around, around.lately_m(), goal, slack_m)
        self.hopeless = found is None and self._search(around, around.plan_m, goal, slack_m) is None
        self.route = np.zeros((0, 2)) if found is None else found

    def _search(
        self, around: Surroundings, distance_m: Field, goal: Array, slack_m: float, old: Array | None = None
    ) -> Array | None:
        """[m, 2] the cheapest route, or the `old` one if another is hardly cheaper; None when there is no way."""
        extent = around.grid.extent
        start, end = extent.cell(around.pose), extent.cell(goal)
        price = prices(distance_m, around.grid.unseen(), start, extent.cell_m, self._config)
        path, reached, cost = astar(price, start, end)
        corners = extent.middle(straightened(price, path))
        if not reached and math.hypot(*(corners[-1] - goal)) > slack_m:
            return None
        if old is not None and len(old) > 1 and reached:
            cells = np.floor((old - extent.corner) / extent.cell_m).astype(np.int64)
            if cost > KEPT * float(price[cells[:, 1], cells[:, 0]].sum()) * SPACING_M / extent.cell_m:
                return old
        corners[0] = around.pose[:2]
        if reached:
            corners = np.vstack([corners[:-1] if len(corners) > 1 else corners, goal])
        return resampled(corners, SPACING_M)
