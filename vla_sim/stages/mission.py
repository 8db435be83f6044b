"""From a plan's steps to the skills that carry them out, with the walking between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from vla_sim.stages import places
from vla_sim.stages.carry import Carry
from vla_sim.stages.going import Follow, GoTo, StepBack, StepUp, staging
from vla_sim.stages.navigation.lawful import check_way
from vla_sim.stages.pick import Pick
from vla_sim.stages.place import Place
from vla_sim.stages.reach import Reach
from vla_sim.stages.skills import Arms, Skill
from vla_sim.stages.walking import Walk
from vla_sim.types import Array, ObjectQuery, Plan, PlanStep, Region, Surface

ANY_TRAY = ObjectQuery("tray")
WALKS = ("go_to", "follow", "hand_over")


@dataclass
class Mission:
    """Skills to come, each made when its turn comes, and the objects to be watched for."""

    skills: list[Callable[[], Skill]] = field(default_factory=list)
    queries: tuple[ObjectQuery, ...] = ()
    pick: ObjectQuery | None = None


def compile(plan: Plan, arms: Arms, walk: Walk) -> Mission:
    """The skills of a plan.

    Raises Refused for a robot that cannot walk where it would have to, and for a way that no robot may take.
    """
    made = _Compiler(arms, walk)
    for i, step in enumerate(plan.steps):
        if step.action in WALKS:
            walk.require()
        made.add(step, plan.steps[i + 1 :])
    return made.mission


class _Compiler:
    def __init__(self, arms: Arms, walk: Walk) -> None:
        self.arms, self.walk, self.mission = arms, walk, Mission()
        self._moved = False  # since the last thing was done with the hands
        self._surface: Surface | None = None
        self._last = walk.start_in_site

    def add(self, step: PlanStep, later: Sequence[PlanStep]) -> None:
        """Skills for one step."""
        if step.action == "go_to":
            self._go_to(step.place)
        elif step.action == "follow":
            self._then(lambda: Follow(self.arms, self.walk))
        elif step.action in ("pick", "reach") and step.target is not None:
            self._take(step.action, step.target)
            self._carry_if_walking(later, holding=step.action == "pick")
        elif step.action == "place" and step.target is not None:
            self._put(step.target)
            self._carry_if_walking(later, holding=False)
        elif step.action == "hand_over":
            self._surface = None
            self._moved = True
            self._put(ANY_TRAY)

    def _then(self, make: Callable[[], Skill]) -> None:
        self.mission.skills.append(make)

    def _go_to(self, place: str) -> None:
        goal, self._surface = self._goal(place)
        if place not in ("start", "person"):
            places.check_zones(goal[:2], self.walk.site)
        check_way(self.walk.site, self._last, goal, place)
        self._last = goal
        self._then(lambda: GoTo(self.arms, self.walk, goal))
        self._moved = True

    def _goal(self, place: str) -> tuple[Array, Surface | None]:
        """[3] where to stand, and the surface stood before."""
        if place in ("start", "person"):
            return self.walk.start_in_site, None
        found = places.resolve(place, self.walk.site)
        if isinstance(found, Region):  # before its table, if it has one: there is room to stand
            found = places.surface_in(found.name, self.walk.site) or found
        if isinstance(found, Surface):
            return staging(found, self.arms.config.staging_m), found
        middle = found.corners.mean(axis=0)
        return np.array([*middle, 0.0]), None

    def _take(self, action: str, query: ObjectQuery) -> None:
        self._watch(query)
        self._step_up(query, beside_hand=True)
        if action == "pick":
            self.mission.pick = query
            self._then(lambda: Pick(self.arms, query))
        else:
            self._then(lambda: Reach(self.arms, query))

    def _put(self, tray: ObjectQuery) -> None:
        self._watch(tray)
        self._step_up(tray, beside_hand=False)
        held = self.mission.pick
        assert held is not None  # a validated plan picks before it places
        self._then(lambda: Place(self.arms, tray, held))

    def _step_up(self, query: ObjectQuery, beside_hand: bool) -> None:
        if self._moved:
            surface = self._surface
            self._then(lambda: StepUp(self.arms, self.walk, query, surface, beside_hand))
            self._moved = False

    def _carry_if_walking(self, later: Sequence[PlanStep], holding: bool) -> None:
        if any(step.action in WALKS for step in later):
            if holding:
                self._then(lambda: Carry(self.arms))
            self._then(lambda: StepBack(self.arms, self.walk))

    def _watch(self, query: ObjectQuery) -> None:
        if query not in self.mission.queries:
            self.mission.queries = (*self.mission.queries, query)
