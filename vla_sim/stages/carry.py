"""Carry: bring what the hand holds close to the body, clear of the table, before the legs move."""

from __future__ import annotations

import numpy as np

from vla_sim.stages.skills import Skill, Tick
from vla_sim.stages.vectors import norm
from vla_sim.types import Array

RAISE_M, BACK_X_M = 0.20, 0.20
SLOW_M_S = 0.35


class Carry(Skill):
    """Straight up, towards the body, then to the ready pose with the fingers shut."""

    first_phase = "raise"

    def _towards(self, tick: Tick, goal: Array, rotation: Array) -> bool:
        servo = self.arms.servo
        assert servo is not None
        self.arms.move_grip(0.0)
        servo.track(tick.state, self.arms.targets_rad, goal, rotation, speed_m_s=SLOW_M_S)
        if self.arms.empty(tick.state):
            self.arms.holding = False
            self.end(False, "dropped")
        return norm(servo.position - goal) < 0.02

    def _raise(self, tick: Tick) -> str | None:
        assert self.arms.servo is not None
        if self._anchor is None:
            self._anchor = self.arms.servo.position.copy()
        goal = self._anchor + [0.0, 0.0, RAISE_M]
        done = self._towards(tick, goal, self.arms.servo.rotation.copy())
        return "retract" if done or self.elapsed_s(tick) > 2.0 else None

    _anchor: Array | None = None

    def _retract(self, tick: Tick) -> str | None:
        servo = self.arms.servo
        assert servo is not None and self._anchor is not None
        side = 1.0 if servo.hand == "left" else -1.0
        goal = np.array([BACK_X_M, side * max(0.22, abs(self._anchor[1])), self._anchor[2] + RAISE_M])
        servo.posture_rad = None
        done = self._towards(tick, goal, servo.rotation.copy())
        return "lower" if done or self.elapsed_s(tick) > 2.5 else None

    def _lower(self, tick: Tick) -> str | None:
        assert self.arms.servo is not None
        position, rotation = self.arms.ready_tool(self.arms.servo.hand)
        done = self._towards(tick, position, rotation)
        if done or self.elapsed_s(tick) > 2.5:
            self.end(True)
        return None
