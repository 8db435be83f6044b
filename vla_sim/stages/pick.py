"""Pick: see, plan the grasp, come in from the standoff, close, lift. Closed loop on the newest detection."""

from __future__ import annotations

import numpy as np

from vla_sim.catalogue import SHAPES
from vla_sim.stages.skills import Arms, Skill, Tick, obstacles
from vla_sim.stages.tracking import Estimate
from vla_sim.stages.vectors import norm
from vla_sim.types import Array, GraspRequest, ObjectQuery

STATIC_GATE_M = 0.03  # a resting object does not jump further than this
YAWS_ROUND_DEG = (0.0, 15.0, 30.0, -15.0, -30.0, 45.0, -45.0)  # positive: turned towards the middle
YAWS_FACE_DEG = (0.0, 12.0, -12.0)  # off a cube's face: closing fingers turn it
YAW_MAX_RAD = np.radians(62)
LYING_HEIGHT_M = 0.036
BLOCKED_M = 0.012  # a tool pushed this far from where its joints should have it has met something


class Pick(Skill):
    """Take `query` with the nearer hand. Ends with success once it hangs in the air."""

    first_phase = "search"

    def __init__(self, arms: Arms, query: ObjectQuery) -> None:
        super().__init__(arms)
        self.query = query
        self._goal = np.zeros(3)
        self._planned = np.zeros(3)
        self._velocity = np.zeros(3)
        self._height = 0.0
        self._support_m = 0.0
        self._near = 0
        self._tried: list[float] = []
        self._standoff = self.config.standoff_m
        self._anchor = np.zeros(3)

    @property
    def waits_for_sight(self) -> bool:
        return self.phase in ("search", "approach")

    # -- seeing -------------------------------------------------------------------------------------------------
    def _see(self, tick: Tick) -> Estimate | None:
        estimate = tick.estimates[str(self.query)]
        if estimate is None:
            return None
        position = estimate.position_in_base
        rests = not estimate.moving
        if self.grasp is not None and rests and norm(position[:2] - self._planned[:2]) > STATIC_GATE_M:
            return estimate
        self._goal[:2] = position[:2]
        if self.grasp is None:
            self._choose_height(estimate)
        self._goal[2] = self._height
        self._velocity = estimate.velocity_in_base
        return estimate

    def _choose_height(self, estimate: Estimate) -> None:
        shape, seen = SHAPES[self.query.shape], estimate.detection
        if seen.lying:
            self._support_m = seen.top_m - shape.width_m
            self._height = self._support_m + LYING_HEIGHT_M
        else:
            self._support_m = seen.top_m - shape.height_m
            self._height = self._support_m + shape.grasp_height_m

    def _search(self, tick: Tick) -> str | None:
        estimate = self._see(tick)
        elapsed = self.elapsed_s(tick)
        if estimate is None:
            if elapsed > self.config.not_seen_s:
                self.end(False, "not_seen")
            return None
        hand = "left" if self._goal[1] > 0 else "right"
        if estimate.moving and abs(self._goal[1]) > self.arms.ik.space.reach_y_m:
            self._wait_beside(tick, hand)
            return None
        if elapsed < self.config.look_s:
            return None
        if self.grasp is not None:
            return self._begin(tick)
        if self.request is None:
            self.request = self._grasp_request(tick, estimate, hand)
        return None

    def _wait_beside(self, tick: Tick, hand: str) -> None:
        side = 1.0 if hand == "left" else -1.0
        servo, space = self.arms.use(hand, tick.state), self.arms.ik.space
        _, rotation = self.arms.ready_tool(hand)
        x, y = space.wait_xy_m
        beside = np.array([x, side * y, self._support_m + space.hover_m])
        servo.track(tick.state, self.arms.targets_rad, beside, rotation)

    def _grasp_request(self, tick: Tick, estimate: Estimate, hand: str) -> GraspRequest:
        side = 1.0 if hand == "left" else -1.0
        point = self._goal.copy()
        if estimate.moving:
            point[1] = side * self.arms.ik.space.intercept_y_m
        if SHAPES[self.query.shape].round:
            yaws = [-side * np.radians(yaw) for yaw in YAWS_ROUND_DEG]
        else:
            face = estimate.detection.yaw_rad
            turns = [f + np.radians(off) for f in (0.0, np.pi / 2, -np.pi / 2) for off in YAWS_FACE_DEG]
            yaws = [face + turn for turn in turns if abs(face + turn) < YAW_MAX_RAD]
        if estimate.moving and SHAPES[self.query.shape].round:
            yaws = [0.0]
        return GraspRequest(
            hand, point, tuple(float(y) for y in yaws), self.config.lift_m, tick.state.joints_rad, self._support_m,
            obstacles(tick.others, self.query), tuple(self._tried),
        )  # fmt: skip

    def _begin(self, tick: Tick) -> str:
        assert self.grasp is not None
        servo = self.arms.use(self.grasp.hand, tick.state)
        servo.posture_rad = self.grasp.posture_rad
        self._planned = self._goal.copy()
        self.attempts += 1
        self._near = 0
        return "approach"

    # -- moving -------------------------------------------------------------------------------------------------
    @property
    def _along(self) -> Array:
        assert self.grasp is not None
        return self.grasp.rotation_in_base[:, 0]

    def _track(
        self, tick: Tick, goal: Array, feed_forward: Array | None = None, settle: bool = True,
        speed_m_s: float | None = None,
    ) -> Array:  # fmt: skip
        assert self.arms.servo is not None and self.grasp is not None
        return self.arms.servo.track(
            tick.state, self.arms.targets_rad, goal, self.grasp.rotation_in_base,
            feed_forward=feed_forward, settle=settle, speed_m_s=speed_m_s,
        )  # fmt: skip

    def _approach(self, tick: Tick) -> str | None:
        estimate = self._see(tick)
        assert self.arms.servo is not None
        moving = estimate is not None and estimate.moving
        speed = estimate.speed_m_s if moving and estimate is not None else 0.0
        goal = self._goal - self.config.standoff_m * self._along
        high = norm(self.arms.servo.position[:2] - goal[:2]) > 0.05
        if high:
            goal = goal.copy()
            goal[2] = max(goal[2], self._support_m + self.arms.ik.space.cross_m)
        tool = self._track(tick, goal, self._velocity, settle=not moving)
        if self.arms.servo.pushed_m > BLOCKED_M:
            return self._give_way(tool)
        close = 0.012 + 0.15 * speed if moving else 0.008
        settled = moving or norm(self.arms.servo.velocity) < 0.03
        self._near = self._near + 1 if not high and settled and norm(tool - goal) < close else 0
        if self._near > (10 if moving else 0) or (not moving and self.elapsed_s(tick) > 4.0):
            self._standoff = self.config.standoff_m
            return "descend"
        if self.elapsed_s(tick) > 8.0:
            return self._miss("never_settled")
        return None

    def _descend(self, tick: Tick) -> str | None:
        estimate = self._see(tick)
        moving = estimate is not None and estimate.moving
        speed = estimate.speed_m_s if moving and estimate is not None else 0.0
        rate = self.config.descend_m_s
        self._standoff = max(0.0, self._standoff - rate * self.arms.period_s)
        down = self._velocity + self._along * (rate if self._standoff > 0 else 0.0)
        tool = self._track(tick, self._goal - self._standoff * self._along, down, settle=not moving)
        close = 0.010 + 0.1 * speed if moving else 0.005
        assert self.arms.servo is not None
        if self.arms.servo.pushed_m > BLOCKED_M:
            return self._give_way(tool)
        arrived = self._standoff <= 0 and norm(tool - self._goal) < close
        if arrived or self.elapsed_s(tick) > (1.0 if moving else 2.0):
            return "close"
        return None

    def _close(self, tick: Tick) -> str | None:
        estimate = self._see(tick)
        self.arms.move_grip(0.0)
        self._track(tick, self._goal, self._velocity, settle=not (estimate is not None and estimate.moving))
        if self.elapsed_s(tick) < self.config.close_s:
            return None
        assert self.arms.servo is not None
        self._anchor = self.arms.servo.position.copy()
        self.arms.held_height_m = self._height - self._support_m
        return self._miss("missed") if self.arms.empty(tick.state) else "lift"

    def _lift(self, tick: Tick) -> str | None:
        self.arms.move_grip(0.0)
        goal = self._anchor + [-0.01, 0.0, self.config.lift_m]
        self._track(tick, goal)
        assert self.arms.servo is not None
        if norm(self.arms.servo.position - goal) < 0.01 or self.elapsed_s(tick) > 2.0:
            if self.arms.empty(tick.state):
                return self._miss("dropped")
            self.end(True)
        return None

    def _give_way(self, tool: Array) -> str:
        """Stop pressing at once, or the robot, stiff on its feet, topples."""
        assert self.arms.servo is not None
        self.arms.servo.release(tool)
        return self._miss("blocked")

    # -- trying again -------------------------------------------------------------------------------------------
    def _miss(self, reason: str) -> str:
        assert self.arms.servo is not None
        assert self.grasp is not None
        self._tried.append(self.grasp.yaw_rad)  # the next attempt comes from elsewhere
        if self.attempts >= self.config.max_attempts:
            self.end(False, reason)
        self._anchor = self.arms.servo.position.copy()
        return "retreat"

    def _retreat(self, tick: Tick) -> str | None:
        self.arms.move_grip(1.0)
        goal = self._anchor - self.config.standoff_m * self._along
        goal[2] = max(goal[2], self._anchor[2]) + 0.05
        self._track(tick, goal)
        assert self.arms.servo is not None
        if norm(self.arms.servo.position - goal) < 0.02 or self.elapsed_s(tick) > 1.0:
            self.grasp = None
            self.arms.servo.posture_rad = None
            return "home"
        return None

    def _home(self, tick: Tick) -> str | None:
        """Out of the camera's way, so that the next look sees the whole table."""
        assert self.arms.servo is not None
        self.arms.move_grip(1.0)
        position, rotation = self.arms.ready_tool(self.arms.servo.hand)
        self.arms.servo.track(tick.state, self.arms.targets_rad, position, rotation)
        done = norm(self.arms.servo.position - position) < 0.05 or self.elapsed_s(tick) > 2.0
        return "search" if done else None
