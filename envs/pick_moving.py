"""VlaSim/PickMoving-v0: take the object that rides along on a belt. The task in which stale perception fails."""

from __future__ import annotations

import numpy as np

from envs import scene
from envs.judging import foot_height_m
from envs.scene import BELT_THICKNESS, Layout
from envs.tabletop import TabletopEnv
from vla_sim.errors import ConfigError
from vla_sim.types import Verdict

LIFTED_M, HELD_S = 0.06, 1.0
SHUT = 0.2  # a measured grip below this holds none of the objects
OUT_OF_REACH_Y = 0.22
LEAD_MAX_M = 0.2  # farther away it would lie on the end of the belt


class PickMovingEnv(TabletopEnv):
    """One object on a belt at about `speed_m_s`, steady or varying by `wobble`, and one grasp for it.

    Success: held in the air for 1 s. A hand that has closed on nothing, or let go, has `missed`.
    """

    time_limit_s = 20.0
    default_scene = "belt"

    def __init__(self, speed_m_s: float = 0.06, wobble: float = 0.0, lead_m: float = 0.0, **common: object) -> None:
        if not 0 < speed_m_s <= 0.5:
            raise ConfigError("env.speed_m_s", f"a belt moves at more than 0 and at most 0.5 m/s, got {speed_m_s:g}")
        if not 0 <= wobble <= 1:
            raise ConfigError("env.wobble", f"the share by which the speed varies lies in 0-1, got {wobble:g}")
        if not 0 <= lead_m <= LEAD_MAX_M:
            raise ConfigError("env.lead_m", f"the object starts 0 to {LEAD_MAX_M:g} m earlier, got {lead_m:g}")
        self.speed_m_s, self.wobble, self.lead_m = speed_m_s, wobble, lead_m
        super().__init__(**common)  # type: ignore[arg-type]

    def draw_before(self, rng: np.random.Generator) -> Layout:
        self._held_s = 0.0
        return scene.draw_pick_moving(rng, self.speed_m_s, self.wobble, self.zone, self.difficulty, self.lead_m)

    @property
    def instruction(self) -> str:
        return f"pick up the {self.world.layout.target.query}"

    def judge(self) -> Verdict | None:
        world = self.world
        position, _ = world.pose(world.objects[0])
        foot = foot_height_m(world, world.objects[0], world.layout.target.query.shape)
        lifted = foot > self.table_top_m + BELT_THICKNESS + LIFTED_M
        self._held_s = self._held_s + 1.0 / world.spec.control_rate_hz if lifted else 0.0
        if self._held_s >= HELD_S - 1e-9:
            return Verdict(True, "lifted")
        if world.robot_state.grips.min() < SHUT:
            return Verdict(False, "missed")
        if position[2] < self.table_top_m - 0.05:
            return Verdict(False, "object_fell")
        if self.from_start(position)[1] > OUT_OF_REACH_Y and not lifted:
            return Verdict(False, "out_of_reach")
        return None
