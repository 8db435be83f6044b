"""What the skills know of the robot's place on the floor, and what they ask of navigation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vla_sim.errors import Refused
from vla_sim.spec import RobotSpec
from vla_sim.stages import planar
from vla_sim.types import Array, NavigationAnswer, RobotState, SiteMap

VALID_S = 0.35  # an answer is walked by for this long when no newer one comes


@dataclass(frozen=True)
class Goal:
    """Where to walk, and how. See `NavigationRequest`."""

    pose_in_site: Array  # [3]
    mode: str = "go_to"
    person_hint_in_site: Array | None = None


class Walk:
    """Walking as the skills see it: set a goal, watch the status."""

    def __init__(self, spec: RobotSpec) -> None:
        self.can_walk = any(speed > 0 for speed in spec.base_velocity_max)
        self._name = spec.name
        self.site = SiteMap()
        self._forget()

    def _forget(self) -> None:
        self.goal: Goal | None = None
        self._driven: Array | None = None
        self.status = ""
        self.odom_in_site = np.zeros(3)
        self.start_in_site = np.zeros(3)
        self._velocity, self._until_s = np.zeros(3), -1.0
        self._asked_s = 0.0
        self.docking = False

    def reset(self, state: RobotState, site: SiteMap | None) -> None:
        """An episode begins: odometry is exact."""
        self._forget()
        self.site = site or SiteMap()
        self.start_in_site = planar.of_pose(state.pose_base_in_odom)

    def require(self) -> None:
        """Refused when this robot cannot walk."""
        if not self.can_walk:
            raise Refused("planning", f"the {self._name} stands: it cannot walk", "ask for what is within its reach")

    def go(self, goal: Goal, now_s: float) -> None:
        """Walk there from now on."""
        self.goal, self.status, self._asked_s, self._driven = goal, "moving", now_s, None
        self.docking = goal.mode == "dock"

    def drive(self, velocity: Array) -> None:
        """Walk at `velocity` [3] until `stop`, without asking for the way; safety still looks where it goes."""
        self.goal, self._driven = None, velocity

    def stop(self) -> None:
        """Stand."""
        self.goal = self._driven = None
        self._velocity = np.zeros(3)
        self._until_s = -1.0

    def answer(self, answer: NavigationAnswer, now_s: float) -> None:
        """Navigation has spoken; what it says of a goal given up meanwhile is not walked by."""
        self.odom_in_site = answer.pose_odom_in_site
        if self.goal is None or answer.time_s < self._asked_s:
            return
        self.status = answer.status
        self._velocity, self._until_s = answer.velocity, now_s + VALID_S

    def velocity(self, now_s: float) -> Array:
        """[3] what to ask of the legs now."""
        if self._driven is not None:
            return self._driven
        return self._velocity if self.goal is not None and now_s <= self._until_s else np.zeros(3)

    def unguided(self, now_s: float) -> bool:
        """Whether it stands on its way because no answer has come for too long."""
        return self.goal is not None and now_s > max(self._until_s, self._asked_s + VALID_S)

    def base_in_site(self, state: RobotState) -> Array:
        """[3] where the middle of the feet is; exact only while it stands."""
        return planar.compose(self.odom_in_site, planar.of_pose(state.pose_base_in_odom))

    def heading_in_site(self, state: RobotState) -> Array:
        """[3] where the trunk is."""
        return planar.compose(self.odom_in_site, state.heading_in_odom)

    def goal_of_heading(self, base_goal: Array, state: RobotState) -> Array:
        """[3] where the trunk must come for the feet to stand at `base_goal`; asked while standing."""
        trunk_in_base = planar.compose(planar.inverse(self.base_in_site(state)), self.heading_in_site(state))
        trunk_in_base[2] = 0.0
        return planar.compose(base_goal, trunk_in_base)
