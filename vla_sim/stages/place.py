"""Place: carry what is held over a tray, lower it, let go, come back, and look whether it lies there."""

from __future__ import annotations

import numpy as np

from vla_sim.catalogue import SHAPES
from vla_sim.stages.skills import Arms, Skill, Tick, highest_on_way, obstacles
from vla_sim.stages.vectors import norm
from vla_sim.types import Array, GraspRequest, ObjectQuery

CLEAR_SIDE_M, CLEAR_BELOW_M = 0.10, 0.03  # what is carried passes this far over anything this near its way
TRAY_FLOOR_M, DROP_M = 0.005, 0.008
TOWARDS_HAND_M = 0.03  # beside the tray's middle, on the hand's own side
NEAR_EDGE_M = 0.01


class Place(Skill):
    """Put what is held into `query`."""

    first_phase = "aim"

    def __init__(self, arms: Arms, query: ObjectQuery, held: ObjectQuery) -> None:
        super().__init__(arms)
        self.query, self.held = query, held
        self._spot = np.zeros(3)
        self._support_m = 0.0
        self._anchor = np.zeros(3)
        self._start = np.zeros(3)
        self._homing = 0
        self._over_m = 0.0
        self._risen = False

    def _aim(self, tick: Tick) -> str | None:
        assert self.arms.servo is not None
        self._hold_still(tick)
        tray = tick.estimates[str(self.query)]
        if tray is None:
            if self.elapsed_s(tick) > self.config.not_seen_s:
                self.end(False, "not_seen")
            return None
        if self.grasp is not None:
            self._start = self.arms.servo.position.copy()
            return "carry"
        if self.request is None:
            side = 1.0 if self.arms.servo.hand == "left" else -1.0
            self._support_m = tray.detection.top_m - SHAPES[self.query.shape].height_m
            height = self._support_m + self.arms.held_height_m + TRAY_FLOOR_M + DROP_M
            self._spot = np.array([*tray.position_in_base[:2], height]) + [-NEAR_EDGE_M, side * TOWARDS_HAND_M, 0.0]
            yaw = float(np.clip(np.arctan2(self.arms.servo.rotation[1, 0], self.arms.servo.rotation[0, 0]), -0.5, 0.5))
            self.request = GraspRequest(
                self.arms.servo.hand, self._spot, (yaw, 0.0, 0.25, -0.25), 0.10, tick.state.joints_rad, self._support_m,
                obstacles(tick.others, self.query, self.held),
            )  # fmt: skip
            way = self.arms.servo.position, self._spot
            top = highest_on_way(self.request.obstacles, *way, width_m=CLEAR_SIDE_M)
            over_m = self._support_m + self.arms.ik.space.carry_m
            self._over_m = max(over_m, top + CLEAR_BELOW_M + self.arms.held_height_m)
        return None

    def _hold_still(self, tick: Tick) -> None:
        assert self.arms.servo is not None
        self.arms.move_grip(0.0)
        servo = self.arms.servo
        servo.track(tick.state, self.arms.targets_rad, servo.position.copy(), servo.rotation, settle=False)

    def _track(self, tick: Tick, goal: Array, speed_m_s: float | None = None) -> Array:
        assert self.arms.servo is not None and self.grasp is not None
        rotation = self.grasp.rotation_in_base
        return self.arms.servo.track(tick.state, self.arms.targets_rad, goal, rotation, speed_m_s=speed_m_s)

    def _carry(self, tick: Tick) -> str | None:
        assert self.arms.servo is not None and self.grasp is not None
        self.arms.servo.posture_rad = self.grasp.posture_rad
        self.arms.move_grip(0.0)
        above = self._spot.copy()
        above[2] = max(self._spot[2] + 0.09, self._over_m)
        if not self._risen:  # straight up first, when something stands in the way
            above[:2] = self._start[:2]
        tool = self._track(tick, above, 0.4)
        if not self._risen and tool[2] > above[2] - 0.03:
            self._risen = True
            return None
        if self.arms.empty(tick.state):
            self._anchor = self.arms.servo.position.copy()
            self._homing = -1
            return "retreat"
        return "lower" if (self._risen and norm(tool - above) < 0.015) or self.elapsed_s(tick) > 4.0 else None

    def _lower(self, tick: Tick) -> str | None:
        assert self.arms.servo is not None
        self.arms.move_grip(0.0)
        self._track(tick, self._spot, self.config.descend_m_s)
        return "open" if norm(self.arms.servo.position - self._spot) < 0.006 or self.elapsed_s(tick) > 2.0 else None

    def _open(self, tick: Tick) -> str | None:
        assert self.arms.servo is not None
        self.arms.move_grip(1.0)
        self._track(tick, self._spot)
        self._anchor = self._spot
        return "retreat" if self.elapsed_s(tick) > 0.35 else None

    def _retreat(self, tick: Tick) -> str | None:
        assert self.arms.servo is not None and self.grasp is not None
        self.arms.move_grip(1.0)
        back = self._anchor - 0.10 * self.grasp.rotation_in_base[:, 0]
        back[2] = max(back[2], self._anchor[2])
        self._track(tick, back)
        return "aside" if norm(self.arms.servo.position - back) < 0.015 or self.elapsed_s(tick) > 1.5 else None

    def _aside(self, tick: Tick) -> str | None:
        assert self.arms.servo is not None
        side = 1.0 if self.arms.servo.hand == "left" else -1.0
        self.arms.servo.posture_rad = None
        x, y = self.arms.ik.space.aside_xy_m
        goal = np.array([x, side * y, self._support_m + self.arms.ik.space.hover_m])
        self._track(tick, goal)
        return "home" if norm(self.arms.servo.position - goal) < 0.03 or self.elapsed_s(tick) > 2.0 else None

    def _home(self, tick: Tick) -> str | None:
        assert self.arms.servo is not None
        position, rotation = self.arms.ready_tool(self.arms.servo.hand)
        self.arms.servo.track(tick.state, self.arms.targets_rad, position, rotation)
        if norm(self.arms.servo.position - position) < 0.03 or self.elapsed_s(tick) > 2.0:
            self.end(self._homing == 0, "" if self._homing == 0 else "dropped")
        return None
