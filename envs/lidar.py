"""The lidar of a robot in a PyBullet world: rays that end on whatever is there but the robot itself."""

from __future__ import annotations

import math

import numpy as np
import pybullet as p
from numpy.typing import NDArray

from envs.world import ROBOT_GROUP, World
from vla_sim.errors import ConfigError
from vla_sim.rng import stream
from vla_sim.spec import LidarSpec
from vla_sim.types import Array, Scan

NEAR_M = 0.10  # nothing nearer is measured


class Lidar:
    """Takes the scans of a `World`; a turn comes in `LidarSpec.parts`, by the time."""

    def __init__(self, world: World, noise_m: float) -> None:
        spec = world.spec.lidar
        if spec is None:
            raise ConfigError("env", "this robot has no lidar")
        self.world, self.spec, self.noise_m = world, spec, noise_m
        self._directions = [directions(spec, part) for part in range(spec.parts)]

    def scan(self, seed: int) -> Scan:
        """The part of a turn that is due now. Noise depends on seed and time alone."""
        world, body = self.world, self.world.robot
        period = world.spec.control_rate_hz / self.spec.rate_hz
        rays = self._directions[int(world.ticks / period + 1e-9) % self.spec.parts]
        ranges, hit = self._cast(rays)
        rng = stream(seed, world.ticks, "lidar")
        noise = rng.normal(0.0, 1.0, len(rays)) * (self.noise_m * world.drawn.sensor_noise)
        ranges = np.where(hit, np.maximum(ranges + noise, NEAR_M), self.spec.range_m)
        state = body.state(world.time_s)
        body.model.update(state.joints_rad)
        known = body.model.pose_link_in_base(body.model.frame(self.spec.link)).homogeneous
        points = (rays * ranges[:, None]) @ known[:3, :3].T + known[:3, 3]
        return Scan(world.time_s, points.astype(np.float32), hit, known[:3, 3].copy(), state.pose_base_in_odom)

    def _cast(self, rays: Array) -> tuple[Array, NDArray[np.bool_]]:
        """Distances m and whether anything was hit, from the lidar's true place."""
        pose = self.world.robot.link_poses_in_world([self.world.robot.links[self.spec.link]])[0]
        ways = rays @ pose[:3, :3].T
        starts, ends = pose[:3, 3] + NEAR_M * ways, pose[:3, 3] + self.spec.range_m * ways
        found = p.rayTestBatch(
            starts.tolist(), ends.tolist(), numThreads=1, collisionFilterMask=~ROBOT_GROUP,
            physicsClientId=self.world.client,
        )  # fmt: skip
        shares = np.array([ray[2] for ray in found])
        hit = np.array([ray[0] >= 0 for ray in found])
        return NEAR_M + shares * (self.spec.range_m - NEAR_M), hit


def directions(spec: LidarSpec, part: int) -> Array:
    """[n, 3] unit vectors of one part of a turn in the lidar's frame (x forward, z up), ring by ring."""
    azimuths = 2 * math.pi * np.arange(part, spec.azimuths, spec.parts) / spec.azimuths
    rings = [
        np.column_stack((np.cos(e) * np.cos(azimuths), np.cos(e) * np.sin(azimuths), np.full(len(azimuths), np.sin(e))))
        for e in spec.elevations_rad
    ]
    return np.concatenate(rings)
