"""The scripted expert: the stack's own hands guided by the simulator's truth instead of a camera.

It shows that a task can be done, and labels demonstrations. It speaks to any environment of ours through gymnasium
alone: observations of `obs_mode="state"` in, commands out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vla_sim.catalogue import SHAPES
from vla_sim.spec import RobotSpec
from vla_sim.stages.grasp import GraspPlanner
from vla_sim.stages.intent import IntentGrammar
from vla_sim.stages.motion import Motion
from vla_sim.stages.planner import RulePlanner
from vla_sim.stages.skills import MotionConfig, Tick
from vla_sim.stages.tracking import Estimate
from vla_sim.types import Array, Command, Detection, ObjectQuery, RobotState, Utterance

MOVING_M_S = 0.015


class Expert:
    """Acts on privileged observations. `reset` with each episode, then `act` once a step."""

    def __init__(self, spec: RobotSpec, config: MotionConfig | None = None) -> None:
        self._spec = spec
        self._motion = Motion(spec, config)
        self._plan_grasp = GraspPlanner(spec)

    def reset(self, obs: dict[str, Any], info: dict[str, Any]) -> None:
        """Take up the task named by `info["instruction"]`."""
        self._commanded = np.array(obs["joints"], dtype=np.float64)
        self._motion.reset(self._state(obs, info))
        plan = RulePlanner()(IntentGrammar()(Utterance(info["instruction"])))
        self._motion.start(plan)

    def act(self, obs: dict[str, Any], info: dict[str, Any]) -> Command:
        """The command for one step (`envs.actions.action_of` makes an action of it)."""
        motion, state = self._motion, self._state(obs, info)
        estimates: dict[str, Estimate | None] = {
            str(query): self._truth(query, obs, info["time_s"]) for query in motion.queries
        }
        motion.tick(Tick(info["time_s"], state, estimates))
        if motion.request is not None:
            motion.answer(self._plan_grasp(motion.request))
        command = motion.command()
        self._commanded[self._spec.upper_index] = command.joints_rad
        return command

    def _state(self, obs: dict[str, Any], info: dict[str, Any]) -> RobotState:
        joints, speeds = np.array(obs["joints"]), np.array(obs["joint_velocities"])
        return RobotState(float(info["time_s"]), joints, speeds, np.array(obs["grips"]), self._commanded.copy())

    def _truth(self, query: ObjectQuery, obs: dict[str, Any], now_s: float) -> Estimate:
        shape = SHAPES[query.shape]
        tray = shape.kind == "tray"
        position: Array = np.array(obs["tray_position"] if tray else obs["target_position"])
        velocity: Array = np.zeros(3) if tray else np.array([*obs["target_velocity"][:2], 0.0])
        speed = float(np.hypot(*velocity[:2]))
        yaw = 0.0 if tray or shape.round else float(_quarter(obs["target_yaw"][0]))
        seen = Detection(query.shape, query.colour or "", position, yaw, position[2] + shape.height_m / 2, 1.0, 1.0)
        moving = speed > MOVING_M_S and position[2] < 0.9 and self._motion.phase in ("search", "approach", "descend")
        still = np.zeros(3)
        return Estimate(seen, position, velocity if moving else still, now_s, 0.0, moving, speed)


def _quarter(yaw_rad: float) -> float:
    """A cube's yaw, which repeats every quarter turn, within (-pi/4, pi/4]."""
    return float((yaw_rad + np.pi / 4) % (np.pi / 2) - np.pi / 4)
