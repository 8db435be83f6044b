"""Reach: bring the tip of a hand to an object and touch it without pushing it over."""

from __future__ import annotations

from vla_sim.catalogue import SHAPES
from vla_sim.stages.pick import Pick
from vla_sim.stages.skills import Tick
from vla_sim.stages.vectors import norm
from vla_sim.types import Array

TIP_M, TOUCH_M = 0.02, 0.008  # the fingertips ahead of the tool, and how far from the surface they stop
SLOW_M_S = 0.12


class Reach(Pick):
    """Touch `query` with closed fingers, from the side the grasp planner finds; ends once the tip is there."""

    def _descend(self, tick: Tick) -> str | None:
        """Come in from the standoff until the tip is beside the object, and stay."""
        self._see(tick)
        self.arms.move_grip(0.0)
        radius = SHAPES[self.query.shape].width_m / 2
        stop = radius + TIP_M + TOUCH_M
        self._standoff = max(stop, self._standoff - SLOW_M_S * self.arms.period_s)
        goal: Array = self._goal - self._standoff * self._along
        tool = self._track(tick, goal)
        assert self.arms.servo is not None
        if self.arms.servo.pushed_m > 0.012:
            return self._give_way(tool)
        if (self._standoff <= stop and norm(tool - goal) < 0.006) or self.elapsed_s(tick) > 4.0:
            self.end(True)
        return None
