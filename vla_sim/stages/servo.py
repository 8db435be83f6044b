"""One arm following a Cartesian goal: limited speed and acceleration, then inverse kinematics, every control tick."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pinocchio as pin

from vla_sim.spec import RobotSpec
from vla_sim.stages.ik import ArmIK
from vla_sim.stages.vectors import clipped, norm
from vla_sim.types import Array, RobotState

OFFSET_DECAY_S = 0.1


@dataclass(frozen=True)
class ServoConfig:
    """Speeds of the tool in m/s and rad/s, gains in 1/s."""

    speed_m_s: float = 0.5
    acceleration_m_s2: float = 4.0
    turn_rad_s: float = 2.2
    gain_per_s: float = 7.0
    joint_speed_rad_s: float = 4.0
    waist_speed_rad_s: float = 0.6  # faster, and a robot in a stiff stance topples
    offset_gain_per_s: float = 1.5  # integrates what the motors leave, near a goal that rests
    offset_max_m: float = 0.02
    offset_speed_m_s: float = 0.08
    motor_lag_s: float = 0.03


class ArmServo:
    """Moves one tool. Holds the reference it has brought the arm to, not the measured pose."""

    def __init__(self, hand: str, spec: RobotSpec, ik: ArmIK, state: RobotState, config: ServoConfig) -> None:
        self.hand, self.config = hand, config
        self._ik, self._period_s = ik, 1.0 / spec.control_rate_hz
        self._chain, self._arm = ik.chain(hand), ik.arm_size[hand]
        own_rad_s = spec.velocity_rad_s[[spec.upper_joints.index(spec.joints[i]) for i in self._chain]]
        self._step_rad = np.minimum(config.joint_speed_rad_s, own_rad_s) * self._period_s
        start = ik.tool_in_base(hand, state.commanded_rad)
        self.position, self.rotation = start.translation.copy(), start.rotation.copy()
        self.velocity = np.zeros(3)
        self._offset = np.zeros(3)
        self._told_rad = state.commanded_rad
        self._measured = self.position.copy()
        self._speed_m_s = 0.0
        self.posture_rad: Array | None = None

    def track(
        self,
        state: RobotState,
        targets_rad: Array,
        goal: Array,
        rotation: Array,
        *,
        feed_forward: Array | None = None,
        speed_m_s: float | None = None,
        settle: bool = True,
    ) -> Array:
        """One control period towards a tool pose in base; writes this arm's joints into `targets_rad` [n].

        `feed_forward` [3] m/s is the goal's own velocity; `settle` lets the remaining error be integrated away (not
        for moving goals). Returns the measured tool position [3].
        """
        self._advance(goal, rotation, feed_forward, speed_m_s or self.config.speed_m_s)
        measured = self._ik.tool_in_base(self.hand, state.joints_rad).translation.copy()
        if settle and norm(self.velocity) < self.config.offset_speed_m_s:
            error = self.position - measured - self.velocity * self.config.motor_lag_s
            offset = self._offset + self.config.offset_gain_per_s * error * self._period_s
            self._offset = clipped(offset, -self.config.offset_max_m, self.config.offset_max_m)
        elif not settle:  # what was learnt at rest elsewhere does not hold here
            self._offset = self._offset * (1.0 - self._period_s / OFFSET_DECAY_S)
        self._speed_m_s = norm(measured - self._measured) / self._period_s
        self._measured = measured
        q = state.joints_rad.copy()
        q[self._chain] = targets_rad[self._chain]
        self._told_rad = q
        self._drive(state, targets_rad)
        return measured

    @property
    def pushed_m(self) -> float:
        """How much further the tool is from where its joints were told to be than its motion explains, m."""
        gap = norm(self._measured - self._ik.tool_in_base(self.hand, self._told_rad).translation)
        return gap - self.config.motor_lag_s * max(self._speed_m_s, norm(self.velocity))

    def release(self, tool: Array) -> None:
        """Take the measured tool position [3] as the reference, at rest: whatever was pressed against is let go."""
        self.position, self.velocity, self._offset = tool.copy(), np.zeros(3), np.zeros(3)

    def _advance(self, goal: Array, rotation: Array, feed_forward: Array | None, speed_m_s: float) -> None:
        dt, c = self._period_s, self.config
        wanted = c.gain_per_s * (goal - self.position)
        if feed_forward is not None:
            wanted = wanted + feed_forward
        wanted = wanted * min(1.0, speed_m_s / max(norm(wanted), 1e-9))
        change = wanted - self.velocity
        limit = c.acceleration_m_s2 * dt
        self.velocity = self.velocity + change * min(1.0, limit / max(norm(change), 1e-9))
        self.position = self.position + self.velocity * dt
        turn = pin.log3(rotation @ self.rotation.T)
        angle = norm(turn)
        share = min(1.0, c.gain_per_s * dt, c.turn_rad_s * dt / max(angle, 1e-9))
        self.rotation = pin.exp3(turn * share) @ self.rotation

    def _drive(self, state: RobotState, targets_rad: Array) -> None:
        """Legs as measured (they define the base), arm and waist as commanded: the arm's own lag cannot wind up."""
        dt, c = self._period_s, self.config
        chain, waist = self._chain, self._chain[self._arm :]
        q = state.joints_rad.copy()
        q[chain] = targets_rad[chain]
        goal = self.position + self._offset
        solved = self._ik.solve(self.hand, goal, self.rotation, q, posture_rad=self.posture_rad).joints_rad
        turn = solved[waist] - targets_rad[waist]
        limit = c.waist_speed_rad_s * dt
        if np.abs(turn).max() > limit:
            q[waist] = targets_rad[waist] + clipped(turn, -limit, limit)
            solved = self._ik.solve(
                self.hand, goal, self.rotation, q, waist=False, posture_rad=self.posture_rad
            ).joints_rad
        targets_rad[chain] += clipped(solved[chain] - targets_rad[chain], -self._step_rad, self._step_rad)
