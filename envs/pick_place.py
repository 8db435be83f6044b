"""VlaSim/PickPlace-v0: take the named object and put it in the tray."""

from __future__ import annotations

from typing import Any

import numpy as np

from envs import scene
from envs.judging import rests_in_tray
from envs.scene import Layout
from envs.tabletop import TabletopEnv
from vla_sim.types import Verdict

SETTLED_TICKS_S = 0.3


class PickPlaceEnv(TabletopEnv):
    """Two to five objects and a tray. Success: the named object rests in the tray, let go."""

    time_limit_s = 30.0

    def draw_before(self, rng: np.random.Generator) -> Layout:
        self._rests_s = 0.0
        return scene.draw_pick_place(rng, self.zone, self.difficulty)

    @property
    def instruction(self) -> str:
        return f"put the {self.world.layout.target.query} in the tray"

    def judge(self) -> Verdict | None:
        world = self.world
        if world.pose(world.objects[0])[0][2] < self.table_top_m - 0.05:
            return Verdict(False, "object_fell")
        rests = self._in_tray(world.objects[0])
        self._rests_s = self._rests_s + 1.0 / world.spec.control_rate_hz if rests else 0.0
        return Verdict(True, "placed") if self._rests_s >= SETTLED_TICKS_S else None

    def _info(self) -> dict[str, Any]:
        """Also `others_fallen`: how many of the other objects lie on the floor."""
        heights = [self.world.pose(body)[0][2] for body in self.world.objects[1:]]
        return {**super()._info(), "others_fallen": sum(z < self.table_top_m - 0.05 for z in heights)}

    def _in_tray(self, body: int) -> bool:
        world = self.world
        tray = world.tray_pose()
        assert tray is not None
        return rests_in_tray(world, body, tray)
