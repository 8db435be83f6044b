"""Skills of the legs: go somewhere, look for something and step up to it, step back, follow."""

from __future__ import annotations

import numpy as np

from vla_sim.stages import planar
from vla_sim.stages.skills import Arms, Skill, Tick
from vla_sim.stages.walking import Goal, Walk
from vla_sim.types import Array, ObjectQuery, Surface

REST_M_S = 0.05
SETTLE_S = 0.5  # of standing before the robot trusts its feet
WALK_LIMIT_S, DOCK_LIMIT_S = 90.0, 25.0
DOCK_TRIES = 3
DOCKED_M, DOCKED_RAD = 0.03, np.radians(3.0)
BACK_M_S, BACK_LIMIT_S = 0.2, 6.0
NEAR_ENOUGH = 0.7  # of what counts as docked, at which it stops trying to come nearer
LOOK_S, GLIMPSE_S = 0.6, 3.0
SIDE_LOOKS_M = (0.0, 0.45, -0.45)


class LegSkill(Skill):
    """A skill that walks. What is held is watched on the way."""

    def __init__(self, arms: Arms, walk: Walk) -> None:
        super().__init__(arms)
        self.walk = walk

    def tick(self, tick: Tick) -> None:
        """One control period; a hand found empty ends it."""
        if self.arms.holding and self.arms.empty(tick.state):
            self.walk.stop()
            self.end(False, "dropped")
            return
        super().tick(tick)

    def _go(self, tick: Tick, goal: Array, mode: str = "go_to") -> None:
        self.walk.go(Goal(goal, mode), tick.now_s)

    def _resting(self, tick: Tick) -> bool:
        """Whether it has stood still in this phase for long enough."""
        speed = float(np.abs(tick.state.base_velocity[:2]).max())
        if not tick.state.standing or speed > REST_M_S:
            self._stood_s = None
        elif self._stood_s is None:
            self._stood_s = tick.now_s
        return self._stood_s is not None and tick.now_s - self._stood_s >= SETTLE_S

    _stood_s: float | None = None

    @property
    def looks(self) -> bool:
        """Whether this phase has use for a camera."""
        return False


class GoTo(LegSkill):
    """Walk to a pose of the feet in the site, and stand."""

    first_phase = "set_out"

    def __init__(self, arms: Arms, walk: Walk, goal_in_site: Array) -> None:
        super().__init__(arms, walk)
        self.goal_in_site = goal_in_site

    def _set_out(self, tick: Tick) -> str:
        self._go(tick, self.walk.goal_of_heading(self.goal_in_site, tick.state))
        return "walk"

    def _walk(self, tick: Tick) -> str | None:
        self.arms.approach(self.arms.tucked_rad)
        if self.walk.status == "no_way":
            self.walk.stop()
            self.end(False, "no_way")
        elif self.walk.status == "arrived":
            self.walk.stop()
            return "arrive"
        elif self.elapsed_s(tick) > WALK_LIMIT_S:
            self.walk.stop()
            self.end(False, "never_arrived")
        return None

    def _arrive(self, tick: Tick) -> str | None:
        if self._resting(tick) or self.elapsed_s(tick) > 4.0:
            self.end(True)
        return None


class Follow(LegSkill):
    """Walk behind a person until somebody ends it."""

    first_phase = "follow"

    def _follow(self, tick: Tick) -> str | None:
        self.arms.approach(self.arms.tucked_rad)
        if self.walk.goal is None:
            self._go(tick, self.walk.heading_in_site(tick.state), "follow")
        return None


class StepUp(LegSkill):
    """Stand still, find `query` on a surface, and step up so that a hand (or both) can work there.

    Without a surface, what is seen is approached from where the robot stands.
    """

    first_phase = "look"

    def __init__(self, arms: Arms, walk: Walk, query: ObjectQuery, surface: Surface | None, beside_hand: bool) -> None:
        super().__init__(arms, walk)
        self.query, self.surface, self._beside_hand = query, surface, beside_hand
        self._looks_made = 0
        self._docks = 0
        self.base_goal = np.zeros(3)  # where in the site to stand

    @property
    def looks(self) -> bool:
        return self.phase in ("look", "aside")

    def _look(self, tick: Tick) -> str | None:
        ready = self.arms.approach(self.arms.ready_rad)
        if not (self._resting(tick) and ready):
            return None
        estimate = tick.estimates.get(str(self.query))
        if estimate is not None and self.elapsed_s(tick) > LOOK_S + SETTLE_S:
            here = self.walk.base_in_site(tick.state)
            self.base_goal = self._stand_at(planar.apply(here, estimate.position_in_base[:2]), here)
            return "dock"
        if self.elapsed_s(tick) > GLIMPSE_S + SETTLE_S:
            return self._look_elsewhere(tick)
        return None

    def _look_elsewhere(self, tick: Tick) -> str | None:
        self._looks_made += 1
        if self.surface is None or self._looks_made >= len(SIDE_LOOKS_M):
            self.end(False, "not_seen")
            return None
        goal = staging(self.surface, self.config.staging_m, SIDE_LOOKS_M[self._looks_made])
        self._go(tick, self.walk.goal_of_heading(goal, tick.state), "dock")
        return "aside"

    def _aside(self, tick: Tick) -> str | None:
        if self.walk.status == "arrived" or self.elapsed_s(tick) > DOCK_LIMIT_S:
            self.walk.stop()
            self._stood_s = None
            return "look"
        return None

    def _stand_at(self, point: Array, here: Array) -> Array:
        """[3] where to stand in the site for an object at `point` [2]."""
        if self.surface is None:
            bearing = float(np.arctan2(*(point - here[:2])[::-1]))
            return np.array(
                [*planar.apply(np.array([*point, bearing]), np.array([-self.config.tray_x_m, 0.0])), bearing]
            )
        local = planar.apply(planar.inverse(self.surface.pose), point)
        mine = planar.apply(planar.inverse(self.surface.pose), here[:2])
        side = self.config.hand_side_m if self._beside_hand else 0.0
        room = max(0.0, self.surface.size_m[1] / 2 - 0.15)
        places = [float(np.clip(local[1] + s * side, -room, room)) for s in (1.0, -1.0)]
        along = min(places, key=lambda y: abs(y - mine[1]))
        return staging(self.surface, self.config.edge_m, along)

    def _dock(self, tick: Tick) -> str | None:
        if self.walk.goal is None:
            self._docks += 1
            self._go(tick, self.walk.goal_of_heading(self.base_goal, tick.state), "dock")
        if self.walk.status == "no_way":
            self.walk.stop()
            self.end(False, "no_way")
        elif self.walk.status == "arrived" or self._docked(tick, NEAR_ENOUGH) or self.elapsed_s(tick) > DOCK_LIMIT_S:
            self.walk.stop()
            self._stood_s = None
            return "settle"
        return None

    def _docked(self, tick: Tick, share: float = 1.0) -> bool:
        """Whether both feet stand where they should, by a share of the tolerance."""
        off = planar.compose(planar.inverse(self.base_goal), self.walk.base_in_site(tick.state))
        near = np.hypot(off[0], off[1]) < share * DOCKED_M and abs(off[2]) < share * DOCKED_RAD
        return bool(near and tick.state.standing)

    def _settle(self, tick: Tick) -> str | None:
        if not self._resting(tick) and self.elapsed_s(tick) < 4.0:
            return None
        if self._docked(tick) or self._docks >= DOCK_TRIES:
            self.arms.begin_anew(tick.state)
            self.end(True)
            return None
        return "dock"


class StepBack(LegSkill):
    """Walk backwards, away from a table."""

    first_phase = "back"

    def _back(self, tick: Tick) -> str | None:
        self.arms.approach(self.arms.ready_rad)  # from where the way to the tucked posture is clear of the body
        here = tick.state.heading_in_odom
        if self._start is None:
            self._start = here.copy()
            self.walk.drive(np.array([-BACK_M_S, 0.0, 0.0]))
        gone = float(np.hypot(*(here - self._start)[:2]))
        if gone > self.config.step_back_m or self.elapsed_s(tick) > BACK_LIMIT_S:
            self.walk.stop()
            self.end(True)
        return None

    _start: Array | None = None


def staging(surface: Surface, distance_m: float, along_m: float = 0.0) -> Array:
    """[3] a pose in the site: `distance_m` before a surface's front edge, facing it, `along_m` to the left."""
    local = np.array([-surface.size_m[0] / 2 - distance_m, along_m, 0.0])
    return planar.compose(surface.pose, local)
