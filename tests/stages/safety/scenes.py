"""A toy robot on the floor, walls as a lidar shows them, and one call through the filter."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from vla_sim.spec import LidarSpec, RobotSpec
from vla_sim.stages.safety import Intervention, SafetyFilter, Surroundings
from vla_sim.types import Array, Command, Mode, Region, RobotState, Scan, SiteMap

JOINTS = ("hip", "shoulder", "elbow")
BASE_MAX = (0.6, 0.25, 0.7)
LIDAR = LidarSpec("head", 180, (0.0,), 12.0, 10.0)
SPEC = RobotSpec(
    "toy", 100.0, JOINTS, JOINTS[1:], ("left",), np.full(2, -1.0), np.full(2, 1.0), np.array([1.0, 2.0]), {}, None,
    BASE_MAX, LIDAR,
)  # fmt: skip
STEP = np.array([0.01, 0.02])
NO_TOOLS = np.empty((0, 3))
DECELERATION, REACTION_S, RADIUS_M, MARGIN_M = 0.5, 0.3, 0.30, 0.10
PERIOD_S = 0.01

velocities = st.tuples(*(st.floats(-v, v) for v in BASE_MAX)).map(np.array)


def command(base: Any = (0, 0, 0), joints: Any = (0, 0), mode: Mode = Mode.TRACK) -> Command:
    return Command(np.array(joints, float), np.ones(1), np.array(base, float), mode)


def pose(x: float = 0.0, y: float = 0.0, yaw: float = 0.0, z: float = 0.0) -> Array:
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
    matrix[:3, 3] = x, y, z
    return matrix


def state(x: float = 0.0, y: float = 0.0, yaw: float = 0.0, time_s: float = 0.0, **more: Any) -> RobotState:
    zeros = np.zeros(3)
    return RobotState(time_s, zeros, zeros, np.ones(1), zeros, pose(x, y, yaw), np.array([x, y, yaw]), **more)


def scan(points: Any = (), time_s: float = 0.0, at: Array | None = None) -> Scan:
    """Points [n, 3] in base, every one a hit."""
    cloud = np.asarray(points, np.float32).reshape(-1, 3)
    return Scan(time_s, cloud, np.ones(len(cloud), bool), np.array([0.0, 0.0, 1.2]), np.eye(4) if at is None else at)


def wall(x: float, half_width: float = 1.0, z: float = 0.8, n: int = 81) -> Array:
    """[n, 3] points across the way, at a distance ahead."""
    return np.column_stack((np.full(n, x), np.linspace(-half_width, half_width, n), np.full(n, z)))


def around(**known: Any) -> Surroundings:
    return Surroundings(**{"scan": scan(), **known})


def site(corners: Any, kind: str = "forbidden", name: str = "stairs") -> SiteMap:
    return SiteMap(regions=(Region("hall", "room", np.array([[-9.0, -9], [9, -9], [9, 9], [-9, 9]])),
                            Region(name, kind, np.asarray(corners, float))))  # fmt: skip


def through(
    wanted: Command,
    surroundings: Surroundings | None,
    here: RobotState | None = None,
    previous: Command | None = None,
    safety: SafetyFilter | None = None,
    tools: Array = NO_TOOLS,
) -> tuple[Command, tuple[Intervention, ...]]:
    safety, here, previous = safety or SafetyFilter(SPEC), here or state(), previous or command()
    return safety.filter(wanted, previous, here, None, tools, surroundings)


def rules(changes: tuple[Intervention, ...]) -> list[str]:
    return [change.rule for change in changes]


def stopping_m(speed: float) -> float:
    return speed * REACTION_S + speed**2 / (2 * DECELERATION)


def same(a: Command, b: Command) -> bool:
    pairs = ((a.joints_rad, b.joints_rad), (a.grips, b.grips), (a.base_velocity, b.base_velocity))
    return a.mode is b.mode and all(np.array_equal(x, y) for x, y in pairs)
