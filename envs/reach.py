"""VlaSim/Reach-v0: touch the named object without pushing it over."""

from __future__ import annotations

import numpy as np
import pybullet as p

from envs import scene
from envs.scene import Layout
from envs.tabletop import TabletopEnv
from vla_sim.types import Verdict

NEAR_M, STAY_S = 0.03, 0.5
SHIFTED_M, TILTED_COS = 0.03, 0.97  # further or more tilted than this, the object was pushed
SETTLE_S = 0.3  # at the start objects sink onto the table and balls may roll a little


class ReachEnv(TabletopEnv):
    """Success: a finger stays within 3 cm of the named object's surface, and the object where it is.

    An object moved by more than 3 cm, or tilted by more than 14 degrees, was `pushed`. `info` also has `distance_m`,
    from the nearest finger to the object, at most 1.
    """

    time_limit_s = 20.0

    def draw_before(self, rng: np.random.Generator) -> Layout:
        """As in PickPlace, without a tray."""
        self._near_s, self._placed = 0.0, None
        drawn = scene.draw_pick_place(rng, self.zone, self.difficulty)
        return Layout(drawn.placements)

    @property
    def instruction(self) -> str:
        return f"touch the {self.world.layout.target.query}"

    def judge(self) -> Verdict | None:
        world = self.world
        position, rotation = world.pose(world.objects[0])
        if self._placed is None or world.time_s < SETTLE_S:
            self._placed = position
        upright = world.layout.target.query.shape == "ball" or rotation[2, 2] > TILTED_COS
        if np.linalg.norm(position - self._placed) > SHIFTED_M or not upright:
            return Verdict(False, "pushed")
        near = self._distance_m(NEAR_M) <= NEAR_M
        self._near_s = self._near_s + 1.0 / self.robot_spec.control_rate_hz if near else 0.0
        return Verdict(True, "reached") if self._near_s >= STAY_S - 1e-9 else None

    def _distance_m(self, most_m: float) -> float:
        """From the nearest finger to the target, at most `most_m` (infinite beyond)."""
        world = self.world
        fingers = [world.robot.links[name] for hand in world.robot.hands.values() for name in hand.fingers]
        found = [
            point[8]
            for link in fingers
            for point in p.getClosestPoints(world.robot.id, world.objects[0], most_m, link, -1, **world.on)
        ]
        return min(found, default=np.inf)

    def _info(self) -> dict[str, object]:
        return {**super()._info(), "distance_m": float(min(self._distance_m(1.0), 1.0))}

    _placed: np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None
