"""What tasks with objects share; and those in which the robot stands at a table from the start."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from envs import scene
from envs.scene import Layout
from envs.task_env import TaskEnv
from robots.body import ReachZone
from vla_sim.errors import ConfigError
from vla_sim.types import Array


class TargetEnv(TaskEnv):
    """The first object is the target.

    `truths`: `target_position`, `target_velocity`, `tray_position` (zeros without a tray) [3] m and `target_yaw` [1]
    rad, in the base frame.
    """

    truths = (("target_position", 3), ("target_velocity", 3), ("tray_position", 3), ("target_yaw", 1))

    def truth(self) -> dict[str, Array]:
        """The figures named in `truths`, now."""
        world = self.world
        in_base = np.linalg.inv(world.robot.pose_base_in_world())
        target = world.objects[0]
        position, rotation = world.pose(target)
        tray, turned = world.tray_pose(), in_base[:3, :3] @ rotation
        return {
            "target_position": in_base[:3, :3] @ position + in_base[:3, 3],
            "target_velocity": in_base[:3, :3] @ world.velocity(target),
            "target_yaw": np.array([math.atan2(turned[1, 0], turned[0, 0])]),
            "tray_position": np.zeros(3) if tray is None else (in_base @ tray)[:3, 3],
        }


class TabletopEnv(TargetEnv):
    """The robot stands before `table` (the scene's first, unless named), where it reaches best."""

    def __init__(self, table: str | None = None, **common: object) -> None:
        self._table = table
        super().__init__(**common)  # type: ignore[arg-type]

    def _check(self, payload_kg: float) -> None:
        super()._check(payload_kg)
        if not self.scene.surfaces:
            raise ConfigError("env.scene", f"scene {self.scene.name} has no table")
        self.table = self.scene.surface(self._table or self.scene.surfaces[0].name, "env.table")

    @property
    def zone(self) -> ReachZone:
        """What the robot reaches, at the height of this table."""
        return replace(self.kind.reach_zone(), table_top_m=self.table_top_m)

    @property
    def table_top_m(self) -> float:
        """Height of the table."""
        return self.table.height_m or self.kind.reach_zone().table_top_m

    def draw(self, rng: np.random.Generator) -> Layout:
        """A layout before the table, and the robot's start there."""
        x, y, yaw = self.table.stand_at(self.zone.table_edge_x).tolist()
        return scene.moved(self.draw_before(rng), (x, y, yaw))

    def draw_before(self, rng: np.random.Generator) -> Layout:
        """A layout in the base frame of a robot that stands at the table."""
        raise TypeError(f"{type(self).__name__} draws no layout")

    def from_start(self, position: Array) -> Array:
        """[3] a point of the world in the frame of the robot's start."""
        x, y, yaw = self.world.layout.start
        c, s = math.cos(yaw), math.sin(yaw)
        return np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]]) @ (position - [x, y, 0.0])
