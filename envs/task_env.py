"""The gymnasium environment all tasks share: any scene, any robot. One step is one control period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from envs import checks, randomise, scene_file
from envs.actions import command_of
from envs.cameras import Cameras, SensorNoise
from envs.lidar import Lidar
from envs.placing import furnished
from envs.randomise import Randomisation
from envs.scene import DIFFICULTIES, Layout
from envs.scene_file import Scene
from envs.site import site_map
from envs.world import Physics, World
from robots.body import BodyKind
from vla_sim.errors import ConfigError, nearest
from vla_sim.rng import stream
from vla_sim.spec import CameraSpec
from vla_sim.types import Array, Command, Frame, Mode, RobotState, Scan, SiteMap, Verdict

OBS_MODES = ("state", "rgb", "rgbd")
WIDE = 1e6
Obs = dict[str, Any]


class TaskEnv(gym.Env[Obs, dict[str, Any]]):
    """A humanoid in a scene, with a task.

    Action: `base_velocity` [3] in -1...1 of the robot's fastest, `joints` [n_upper] upper-body targets in -1...1
    between their limits, `grips` [n_hands] (0 closed, 1 open), `mode` (0 track, 1 hold, 2 damp). Anything not finite
    is taken as hold; the rest is clipped to the space. `envs.actions` converts to and from a `Command` in radians.

    Observation: `joints` [n] rad, `joint_velocities` [n] rad/s, `grips` [n_hands]; with `obs_mode="state"` also
    privileged figures, `base_in_site` [3] (x m, y m, yaw rad) and those that each task lists in `truths`, positions
    in the true base frame; with "rgb" the head camera's `rgb` uint8[H, W, 3]; with "rgbd" also `depth`
    float32[H, W] m (0 = nothing).

    `info`: `instruction`, `success`, `reason` ("" while it runs), `time_s`, `drawn` (what was randomised), and what
    a task adds.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 20}  # noqa: RUF012 (gymnasium's own convention)
    time_limit_s = 30.0
    default_scene = "table"
    on_foot = False  # whether the task leads from place to place: only a robot that walks can do it
    truths: tuple[tuple[str, int], ...] = ()  # name and length of each privileged figure
    collision_n: float | None = None  # more force than this on furniture, walls or people ends the task; None = never

    def __init__(
        self,
        body: BodyKind | None = None,
        scene: str | Path | Mapping[str, Any] | Scene | None = None,
        obs_mode: str = "state",
        render_mode: str | None = None,
        control_rate_hz: float = 100.0,
        physics_rate_hz: float = 500.0,
        solver_iterations: int = 50,
        rgb_noise: float = 5.0,
        depth_noise_m: float = 0.002,
        lidar_noise_m: float = 0.01,
        difficulty: str = "normal",
        randomise: Randomisation | Mapping[str, Any] | None = None,
        resolutions: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        if obs_mode not in OBS_MODES:
            raise ConfigError("env.obs_mode", f"unknown mode {obs_mode!r}", nearest(obs_mode, OBS_MODES))
        if difficulty not in DIFFICULTIES:
            hint = nearest(str(difficulty), DIFFICULTIES)
            raise ConfigError("env.difficulty", f"unknown difficulty {difficulty!r}", hint)
        physics = Physics(physics_rate_hz, solver_iterations)
        physics.substeps(control_rate_hz)  # before anything is built on a rate that cannot work
        self.obs_mode, self.render_mode, self.difficulty = obs_mode, render_mode, difficulty
        self.randomise = _randomisation(randomise)
        self.kind = body if body is not None else default_body()
        read = scene_file.load(scene if scene is not None else self.default_scene)
        self.scene = read.for_robot(self.kind.reach_zone().table_top_m)
        spec = self.kind.spec(control_rate_hz)
        if self.on_foot and not any(spec.base_velocity_max):
            problem = f"{spec.name} stands where it is, and this task leads from room to room"
            hint = "robot=g1 walks; for one that stands there are env=pick_place, pick_moving and reach"
            raise ConfigError("robot", problem, hint)
        self._check(spec.payload_kg)
        self.world = World(self.kind, physics, control_rate_hz, self.scene)
        self.cameras = Cameras(self.world, SensorNoise(rgb_noise, depth_noise_m))
        for camera, (width, height) in (resolutions or {}).items():
            self.cameras.resize(camera, int(width), int(height))
        self.lidar = Lidar(self.world, lidar_noise_m) if self.world.spec.lidar is not None else None
        self.robot_spec = self.world.spec
        self._site = site_map(self.scene)
        self.action_space = self._action_space()
        self.observation_space = self._observation_space()
        self._verdict: Verdict | None = None
        self._utterances: list[tuple[float, str]] = []

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

    def utterances(self) -> list[tuple[float, str]]:
        """What is said in the course of the episode: when (s) and what, in order. Asked once a reset."""
        return []

    def truth(self) -> dict[str, Array]:
        """The figures named in `truths`, now."""
        return {}

    # -- gymnasium ----------------------------------------------------------------------------------------------
    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Obs, dict[str, Any]]:
        """A new episode; with a seed, the same bits every time."""
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

    @property
    def site_map(self) -> SiteMap:
        """What the robot is told of the place. At the start its odometry agrees with it."""
        return self._site

    def restart(self, seed: int) -> None:
        """A new episode without observing it."""
        self._seed = seed
        layout = furnished(stream(seed, 0, "scene objects"), self.scene, self.draw(stream(seed, 0, "layout")))
        self.world.build(layout, seed, randomise.draw(self.randomise, seed))
        self.cameras.rebuild(seed)
        self._utterances = self.utterances()
        self._verdict = None
        self._pressed: tuple[float, str] = (0.0, "")

    def advance(self, command: Command, late_s: float = 0.0) -> Command:
        """One control period of the world under `command`, without observing; returns the command in force.

        It takes effect after `late_s` of the period, to the nearest physics step.
        """
        sent = self.world.act(self._in_limits(command), late_s)
        if self._verdict is None:
            self._verdict = self._judge_all()
        return sent

    def robot_state(self) -> RobotState:
        """Proprioception now."""
        return self.world.robot_state

    def capture(self, camera: str) -> Frame:
        """An image now."""
        return self.cameras.capture(camera)

    def scan(self) -> Scan:
        """The part of a lidar's turn that is due now; ConfigError for a robot without one."""
        if self.lidar is None:
            raise ConfigError("robot", "it has no lidar")
        return self.lidar.scan(self._seed)

    def heard(self) -> str | None:
        """What was said since the last call; None for nothing."""
        due = [text for time_s, text in self._utterances if time_s <= self.world.time_s + 1e-9]
        self._utterances = self._utterances[len(due) :]
        return ", ".join(due) if due else None

    @property
    def verdict(self) -> Verdict | None:
        """How the episode ended; None while it runs."""
        return self._verdict

    # -- inside -------------------------------------------------------------------------------------------------
    def _check(self, payload_kg: float) -> None:
        """Refuse what cannot work before anything is built."""
        checks.check_scene(self.scene, payload_kg / max(self.randomise.mass))

    def _judge_all(self) -> Verdict | None:
        if self.world.robot.fallen:
            return Verdict(False, "robot_fell")
        if self.collision_n is not None:
            for name, force in self.world.pressed().items():
                self._pressed = max(self._pressed, (force, name))
            if self._pressed[0] > self.collision_n:
                return Verdict(False, "collision")
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
        fastest = np.array(spec.base_velocity_max)
        velocity = np.clip(command.base_velocity, -fastest, fastest)
        return Command(joints, np.clip(command.grips, 0, 1), velocity, command.mode)

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
        n = len(self.robot_spec.joints)
        space: dict[str, spaces.Space[Any]] = {
            "joints": spaces.Box(-10.0, 10.0, (n,), np.float64),
            "joint_velocities": spaces.Box(-WIDE, WIDE, (n,), np.float64),
            "grips": spaces.Box(-1.0, 2.0, (len(self.robot_spec.hands),), np.float64),
        }
        if self.obs_mode == "state":
            for name, length in (("base_in_site", 3), *self.truths):
                space[name] = spaces.Box(-WIDE, WIDE, (length,), np.float64)
            return spaces.Dict(space)
        i = self.cameras.specs["head"].intrinsics
        space["rgb"] = spaces.Box(0, 255, (i.height, i.width, 3), np.uint8)
        if self.obs_mode == "rgbd":
            space["depth"] = spaces.Box(0.0, 1e3, (i.height, i.width), np.float32)
        return spaces.Dict(space)

    def _observation(self) -> Obs:
        state = self.robot_state()
        obs: Obs = {
            "joints": np.clip(state.joints_rad, -10.0, 10.0),
            "joint_velocities": np.clip(state.joints_rad_s, -WIDE, WIDE),
            "grips": np.clip(state.grips, -1.0, 2.0),
        }
        if self.obs_mode == "state":
            return {**obs, "base_in_site": self.world.base_pose(), **self.truth()}
        frame = self.capture("head")
        obs["rgb"] = frame.rgb
        if self.obs_mode == "rgbd" and frame.depth_m is not None:
            obs["depth"] = np.where(np.isfinite(frame.depth_m), np.maximum(frame.depth_m, 0), 0).astype(np.float32)
        return obs

    def _info(self) -> dict[str, Any]:
        verdict = self._verdict
        info: dict[str, Any] = {
            "instruction": self.instruction,
            "success": verdict is not None and verdict.success,
            "reason": "" if verdict is None else verdict.reason,
            "time_s": self.world.time_s,
            "drawn": self.world.drawn.as_info(),
        }
        if self.collision_n is not None:
            info["pressed_n"], info["pressed_on"] = self._pressed
        return info


def _randomisation(source: Randomisation | Mapping[str, Any] | None) -> Randomisation:
    return randomise.load(source)


def default_body() -> BodyKind:
    """The robot of an environment that was given none."""
    from robots.g1 import G1  # a choice, not a dependency: other robots do without it

    return G1()
