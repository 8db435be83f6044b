"""The gymnasium environment all table tasks share. One step is one control period."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from envs.actions import command_of
from envs.cameras import Cameras, SensorNoise
from envs.scene import Layout
from envs.world import Physics, World
from robots.g1.body import g1_spec
from vla_sim.errors import ConfigError, nearest
from vla_sim.rng import stream
from vla_sim.spec import CameraSpec
from vla_sim.types import Command, Frame, Mode, RobotState, Verdict

OBS_MODES = ("state", "rgb", "rgbd")
Obs = dict[str, Any]


class TabletopEnv(gym.Env[Obs, dict[str, Any]]):
    """A humanoid on its feet in front of a table.

    Action: `base_velocity` [3] in -1...1 of the robot's fastest, `joints` [17] upper-body targets in -1...1 between
    their limits, `grips` [2] (0 closed, 1 open), `mode` (0 track, 1 hold, 2 damp). Anything not finite is taken as
    hold; the rest is clipped to the space. `envs.actions` converts to and from a `Command` in radians.

    Observation: `joints` [29] rad, `joint_velocities` [29] rad/s, `grips` [2]; with `obs_mode="state"` also the
    privileged `target_position`, `target_velocity`, `tray_position` [3] m and `target_yaw` [1] rad in the base frame;
    with "rgb" the head camera's `rgb` uint8[240, 320, 3]; with "rgbd" also `depth` float32[240, 320] m (0 = nothing).

    `info`: `instruction`, `success`, `reason` ("" while it runs), `time_s`.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 20}  # noqa: RUF012 (gymnasium's own convention)
    time_limit_s = 30.0

    def __init__(
        self,
        obs_mode: str = "state",
        render_mode: str | None = None,
        control_rate_hz: float = 100.0,
        physics_rate_hz: float = 500.0,
        solver_iterations: int = 50,
        rgb_noise: float = 5.0,
        depth_noise_m: float = 0.002,
    ) -> None:
        if obs_mode not in OBS_MODES:
            raise ConfigError("env.obs_mode", f"unknown mode {obs_mode!r}", nearest(obs_mode, OBS_MODES))
        physics = Physics(physics_rate_hz, solver_iterations)
        physics.substeps(control_rate_hz)  # before anything is built on a rate that cannot work
        self.obs_mode, self.render_mode = obs_mode, render_mode
        self.world = World(g1_spec(control_rate_hz), physics)
        self.cameras = Cameras(self.world, SensorNoise(rgb_noise, depth_noise_m))
        self.robot_spec = self.world.spec
        self.action_space = self._action_space()
        self.observation_space = self._observation_space()
        self._verdict: Verdict | None = None

    # -- what a task defines ------------------------------------------------------------------------------------
    def draw(self, rng: np.random.Generator) -> Layout:
        """A layout from a seeded generator."""
        raise TypeError(f"{type(self).__name__} draws no layout")

    def judge(self) -> Verdict | None:
        """Success or failure in the present state; None to go on."""
        raise TypeError(f"{type(self).__name__} has no task")

    @property
    def instruction(self) -> str:
        """What the robot is asked to do."""
        raise TypeError(f"{type(self).__name__} has no task")

    # -- gymnasium ----------------------------------------------------------------------------------------------
    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Obs, dict[str, Any]]:
        """A new scene; with a seed, the same bits every time."""
        super().reset(seed=seed)
        self.restart(seed if seed is not None else int(self.np_random.integers(2**31)))
        return self._observation(), self._info()

    def step(self, action: dict[str, Any]) -> tuple[Obs, float, bool, bool, dict[str, Any]]:
        """One control period. Reward 1 at success, else 0."""
        self.advance(command_of(action, self.robot_spec))
        verdict = self._verdict
        timed_out = verdict is not None and verdict.reason == "time_out"
        ended = verdict is not None and not timed_out
        reward = 1.0 if verdict is not None and verdict.success else 0.0
        return self._observation(), reward, ended, timed_out, self._info()

    def render(self) -> Any:
        """The third-person view, uint8[480, 640, 3]."""
        return self.capture("third_person").rgb if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        """Free the physics client. Safe to call twice."""
        self.world.close()

    # -- what a simulated robot needs -----------------------------------------------------------------------------
    @property
    def camera_specs(self) -> dict[str, CameraSpec]:
        """Every camera there is: the robot's own and those in the room."""
        return self.cameras.specs

    def restart(self, seed: int) -> None:
        """A new scene without observing it."""
        self.world.build(self.draw(stream(seed, 0, "layout")))
        self.cameras.rebuild(seed)
        self._verdict = None

    def advance(self, command: Command) -> Command:
        """One control period of the world under `command`, without observing; returns the command in force."""
        sent = self.world.robot.apply(self._in_limits(command))
        self.world.step()
        if self._verdict is None:
            self._verdict = self._judge_all()
        return sent

    def robot_state(self) -> RobotState:
        """Proprioception now."""
        return self.world.robot.state(self.world.time_s)

    def capture(self, camera: str) -> Frame:
        """An image now."""
        return self.cameras.capture(camera)

    @property
    def verdict(self) -> Verdict | None:
        """How the episode ended; None while it runs."""
        return self._verdict

    # -- inside -------------------------------------------------------------------------------------------------
    def _judge_all(self) -> Verdict | None:
        if self.world.robot.fallen:
            return Verdict(False, "robot_fell")
        verdict = self.judge()
        if verdict is None and self.world.time_s >= self.time_limit_s - 1e-9:
            return Verdict(False, "time_out")
        return verdict

    def _in_limits(self, command: Command) -> Command:
        numbers = (command.joints_rad, command.grips, command.base_velocity)
        spec = self.robot_spec
        spec.check(command)
        if not all(np.isfinite(x).all() for x in numbers):
            return Command(np.zeros(len(spec.upper_joints)), np.zeros(len(spec.hands)), mode=Mode.HOLD)
        joints = np.clip(command.joints_rad, spec.lower_rad, spec.upper_rad)
        return Command(joints, np.clip(command.grips, 0, 1), command.base_velocity, command.mode)

    def _action_space(self) -> spaces.Dict:
        spec = self.robot_spec
        return spaces.Dict(
            {
                "base_velocity": spaces.Box(-1.0, 1.0, (3,), np.float64),
                "joints": spaces.Box(-1.0, 1.0, (len(spec.upper_joints),), np.float64),
                "grips": spaces.Box(0.0, 1.0, (len(spec.hands),), np.float64),
                "mode": spaces.Discrete(len(Mode)),
            }
        )

    def _observation_space(self) -> spaces.Dict:
        n, wide = len(self.robot_spec.joints), 1e6
        space: dict[str, spaces.Space[Any]] = {
            "joints": spaces.Box(-10.0, 10.0, (n,), np.float64),
            "joint_velocities": spaces.Box(-wide, wide, (n,), np.float64),
            "grips": spaces.Box(-1.0, 2.0, (len(self.robot_spec.hands),), np.float64),
        }
        if self.obs_mode == "state":
            for name in ("target_position", "target_velocity", "tray_position"):
                space[name] = spaces.Box(-wide, wide, (3,), np.float64)
            space["target_yaw"] = spaces.Box(-np.pi, np.pi, (1,), np.float64)
            return spaces.Dict(space)
        i = self.robot_spec.cameras["head"].intrinsics
        space["rgb"] = spaces.Box(0, 255, (i.height, i.width, 3), np.uint8)
        if self.obs_mode == "rgbd":
            space["depth"] = spaces.Box(0.0, 1e3, (i.height, i.width), np.float32)
        return spaces.Dict(space)

    def _observation(self) -> Obs:
        state = self.robot_state()
        obs: Obs = {
            "joints": np.clip(state.joints_rad, -10.0, 10.0),
            "joint_velocities": state.joints_rad_s,
            "grips": np.clip(state.grips, -1.0, 2.0),
        }
        if self.obs_mode == "state":
            return {**obs, **self._privileged()}
        frame = self.capture("head")
        obs["rgb"] = frame.rgb
        if self.obs_mode == "rgbd" and frame.depth_m is not None:
            obs["depth"] = np.where(np.isfinite(frame.depth_m), np.maximum(frame.depth_m, 0), 0).astype(np.float32)
        return obs

    def _privileged(self) -> Obs:
        target = self.world.objects[0]
        position, rotation = self.world.pose(target)
        tray = self.world.pose(self.world.tray)[0] if self.world.tray is not None else np.zeros(3)
        return {
            "target_position": position,
            "target_velocity": self.world.velocity(target),
            "target_yaw": np.array([np.arctan2(rotation[1, 0], rotation[0, 0])]),
            "tray_position": tray,
        }

    def _info(self) -> dict[str, Any]:
        verdict = self._verdict
        return {
            "instruction": self.instruction,
            "success": verdict is not None and verdict.success,
            "reason": "" if verdict is None else verdict.reason,
            "time_s": self.world.time_s,
        }
