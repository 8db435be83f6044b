"""The walker: joint targets for both legs from a commanded velocity, on its own estimate of where it is."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from robots.g1.walking import core
from robots.g1.walking.config import RATE_HZ, SensorNoise, WalkerConfig, as_record
from robots.g1.walking.sensors import draw_biases, draws_per_tick
from robots.g1.walking.state import ESTIMATE, GAIT, MODES, STAND, Records, sensors_dtype, signals_dtype, work_dtype
from robots.g1.walking.tree import read_tree
from robots.g1.walking.truth import Truth
from vla_sim.errors import ConfigError
from vla_sim.rng import stream
from vla_sim.types import Array

DRAWN_AHEAD = 250  # ticks of sensor noise drawn at once
LEGS = 12


class Walker:
    """Walks one body. Call `reset`, then every `period_s` fill `truth` and call `tick`.

    Position control of the legs at a gain of 0.2 a physics step at 500 Hz, with the motors' full effort, is what the
    controller's numbers belong to.
    """

    rate_hz = RATE_HZ
    period_s = 1.0 / RATE_HZ

    def __init__(
        self,
        urdf: Path,
        joint_names: tuple[str, ...],
        config: WalkerConfig | None = None,
        noise: SensorNoise | None = None,
    ) -> None:
        self.config, self.noise = config or WalkerConfig(), noise or SensorNoise()
        names = tuple(joint_names)
        n = len(names)
        self._tree = read_tree(urdf, names)
        self._config, self._noise = as_record(self.config), as_record(self.noise)
        self._signals, self._work = np.zeros(1, signals_dtype(n)), np.zeros(1, work_dtype(n))
        self._sensors, self._estimate, self._gait = (np.zeros(1, d) for d in (sensors_dtype(n), ESTIMATE, GAIT))
        io = self._signals[0]
        self.truth = Truth(**{name: io[name] for name in Truth.__dataclass_fields__})
        self._target, self._command = io["target"], io["command"]
        self._pool = np.zeros((DRAWN_AHEAD, draws_per_tick(n)))

    # -- acting -------------------------------------------------------------------------------------------------
    def reset(
        self, commanded_rad: Array, seed: int, x: float = 0.0, y: float = 0.0, yaw: float = 0.0
    ) -> tuple[Array, Array, Array]:
        """Stand at rest with the feet's middle at (x m, y m) and heading `yaw` rad, biases calibrated.

        `commanded_rad` [n] gives the upper body, and the legs' posture to start solving from. Returns the joint
        targets [n], and position [3] and quaternion [4] x y z w of the pelvis frame at which to put the body.
        """
        if len(commanded_rad) != len(self._target):
            raise ConfigError("walker", f"{len(commanded_rad)} joint angles for {len(self._target)} joints")
        for array in (self._signals, self._sensors, self._estimate, self._gait):
            array[:] = np.zeros(1, array.dtype)
        self._random = stream(seed, 0, "walker_sensors")
        self._next = DRAWN_AHEAD
        self._target[:] = commanded_rad
        self._place_feet(x, y, yaw)
        draw_biases(self._noise[0], self._random, self._sensors[0])
        still = self._random.standard_normal((max(1, round(self.config.calibration_s * RATE_HZ)), 6))
        self.truth.quaternion[:] = 0.0, 0.0, math.sin(0.5 * yaw), math.cos(0.5 * yaw)
        core.begin(*self._arrays(), still)
        return self._target.copy(), self.truth.position.copy(), self.truth.quaternion.copy()

    def _place_feet(self, x: float, y: float, yaw: float) -> None:
        g, half = self._gait[0], 0.5 * self.config.step_width_m
        aside = np.array([-math.sin(yaw), math.cos(yaw)])
        for foot, sign in enumerate((1.0, -1.0)):
            g["foot"][foot, :2] = np.array([x, y]) + sign * half * aside
        g["foot_yaw"][:] = g["yaw"] = g["yaw_next"] = yaw
        g["height"] = self.config.stand_height_m
        g["com"][:] = x, y, self.config.stand_height_m
        g["com_in_pelvis"][:] = 0.0, 0.0, 0.05
        g["path"][:] = x, y, yaw
        g["step_time"] = self.config.step_time_s

    def tick(self, upper_rad: Array, velocity: Array, halt: bool = False) -> Array:
        """One control period from `truth`. Returns the joint targets [n]; the array is the walker's own.

        `upper_rad` are the targets of the joints after the twelve of the legs, passed through; `velocity` [3] m/s
        ahead, m/s to the left, rad/s counter-clockwise. `halt` gives the velocity up at once.
        """
        if self._next == DRAWN_AHEAD:
            self._random.standard_normal(out=self._pool)
            self._next = 0
        self._target[LEGS:] = upper_rad
        self._command[:] = velocity
        io = self._signals[0]
        io["walk"] = float(not halt and max(abs(float(v)) for v in velocity) >= self.config.dead_band)
        io["halt"] = float(halt)
        core.tick(*self._arrays(), self._pool[self._next])
        self._next += 1
        return self._target

    def _arrays(self) -> tuple[Records, ...]:
        return (
            self._tree, self._config, self._noise, self._signals, self._sensors, self._estimate, self._gait, self._work,
        )  # fmt: skip

    # -- what it knows ------------------------------------------------------------------------------------------
    @property
    def pose_pelvis_in_odom(self) -> Array:
        """[4, 4] estimated pelvis frame; `odom` is the world as the robot was told it at its start."""
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = self._estimate[0]["rotation"], self._estimate[0]["position"]
        return pose

    @property
    def velocity_of_pelvis(self) -> Array:
        """[3] estimated, m/s ahead, to the left, up in the pelvis' heading."""
        e = self._estimate[0]
        c, s = math.cos(e["yaw"]), math.sin(e["yaw"])
        vx, vy, vz = e["velocity"]
        return np.array([c * vx + s * vy, c * vy - s * vx, vz])

    @property
    def yaw_rate(self) -> float:
        """Estimated, rad/s."""
        return float(self._estimate[0]["omega"][2])

    @property
    def heading_in_odom(self) -> Array:
        """[3] x m, y m, yaw rad of the feet's middle, estimated; moves on steadily while the feet step."""
        return np.array(self._gait[0]["heading"])

    @property
    def support_margin_m(self) -> float:
        """m by which the capture point lies inside the soles' convex hull (a swinging one's where it will land)."""
        return float(self._gait[0]["margin"])

    @property
    def phase(self) -> str:
        """stand, shift, step or balance."""
        return MODES[int(self._gait[0]["mode"])]

    @property
    def standing(self) -> bool:
        """Both feet on the floor and nothing to balance."""
        return int(self._gait[0]["mode"]) == STAND

    @property
    def steps(self) -> int:
        """Taken since `reset`."""
        return int(self._gait[0]["steps"])

    @property
    def time_s(self) -> float:
        """Since `reset`."""
        return float(self._gait[0]["time"])

    @property
    def fallen(self) -> bool:
        """Whether the estimate says that it has fallen, or is past saving; stays so until `reset`."""
        return bool(self._gait[0]["fallen"])
