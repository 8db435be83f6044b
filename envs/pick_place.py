"""VlaSim/PickPlace-v0: take the named object and put it in the tray."""

from __future__ import annotations

from typing import Any

import numpy as np

from envs import scene
from envs.scene import Layout
from envs.tabletop import TabletopEnv
from vla_sim.catalogue import SHAPES
from vla_sim.types import Verdict

SETTLED_M_S, SETTLED_TICKS_S = 0.05, 0.3
ABOVE_TRAY_M = 0.13  # the centre of a bottle that stands in the tray lies below this


class PickPlaceEnv(TabletopEnv):
    """Three to five objects and a tray. Success: the named object rests in the tray, let go."""

    time_limit_s = 30.0

    def draw(self, rng: np.random.Generator) -> Layout:
        self._rests_s = 0.0
        return scene.draw_pick_place(rng)

    @property
    def instruction(self) -> str:
        return f"put the {self.world.layout.target.query} in the tray"

    def judge(self) -> Verdict | None:
        world = self.world
        if world.pose(world.objects[0])[0][2] < scene.TABLE_TOP_M - 0.05:
            return Verdict(False, "object_fell")
        rests = self._in_tray(world.objects[0])
        self._rests_s = self._rests_s + 1.0 / world.spec.control_rate_hz if rests else 0.0
        return Verdict(True, "placed") if self._rests_s >= SETTLED_TICKS_S else None

    def _info(self) -> dict[str, Any]:
        """Also `others_fallen`: how many of the other objects lie on the floor."""
        heights = [self.world.pose(body)[0][2] for body in self.world.objects[1:]]
        return {**super()._info(), "others_fallen": sum(z < scene.TABLE_TOP_M - 0.05 for z in heights)}

    def _in_tray(self, body: int) -> bool:
        world = self.world
        assert world.tray is not None
        position, _ = world.pose(body)
        centre, rotation = world.pose(world.tray)
        local = rotation.T @ (position - centre)
        tray = SHAPES["tray"]
        inside = abs(local[0]) < tray.width_m / 2 and abs(local[1]) < tray.depth_m / 2
        low = scene.TABLE_TOP_M < position[2] < scene.TABLE_TOP_M + ABOVE_TRAY_M
        slow = float(np.linalg.norm(world.velocity(body))) < SETTLED_M_S
        return bool(inside and low and slow and not world.held(body))
