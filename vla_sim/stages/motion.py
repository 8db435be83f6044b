"""Motion: carries out a plan with arms and legs, one control tick at a time, closed loop on what is newest."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vla_sim.catalogue import SHAPES
from vla_sim.spec import RobotSpec
from vla_sim.stages import mission
from vla_sim.stages.going import LegSkill
from vla_sim.stages.pick import Pick
from vla_sim.stages.place import Place
from vla_sim.stages.skills import Arms, MotionConfig, Outcome, Skill, Tick
from vla_sim.stages.tracking import Estimate
from vla_sim.stages.walking import Goal, Walk
from vla_sim.types import (
    Array,
    Command,
    Grasp,
    GraspRequest,
    NavigationAnswer,
    ObjectQuery,
    Plan,
    RobotState,
    SiteMap,
)

IN_TRAY_MARGIN_M = 0.01


class Motion:
    """The skills of one plan, in order; a slip sends it back to picking until `max_attempts` are used up."""

    def __init__(self, spec: RobotSpec, config: MotionConfig | None = None) -> None:
        self.config = config or MotionConfig()
        self._arms = Arms(spec, self.config)
        self.walk = Walk(spec)
        self._upper = spec.upper_index
        self.skill: Skill | None = None  # the one under way
        self.outcome: Outcome | None = None

    def reset(self, state: RobotState, site: SiteMap | None = None) -> None:
        """Forget the plan; start from the posture and the place the robot has."""
        self._arms.reset(state)
        self.walk.reset(state, site)
        self._clear()
        self.attempts = 0

    def _clear(self) -> None:
        self.skill, self.outcome = None, None
        self._ahead: list[Callable[[], Skill]] = []
        self._queries: tuple[ObjectQuery, ...] = ()
        self._pick: ObjectQuery | None = None
        self._velocity = np.zeros(3)

    def start(self, plan: Plan) -> None:
        """Take up a validated plan, in place of the one before. Raises Refused for what this robot cannot do."""
        steps = mission.compile(plan, self._arms, self.walk)
        self.walk.stop()
        self._clear()
        self._queries, self._pick, self._ahead = steps.queries, steps.pick, list(steps.skills)
        self._next()

    def _next(self) -> None:
        self.skill = self._ahead.pop(0)() if self._ahead else None

    @property
    def queries(self) -> tuple[ObjectQuery, ...]:
        """The objects whose whereabouts the plan needs."""
        return self._queries

    @property
    def phase(self) -> str:
        """What the robot is doing."""
        return self.skill.phase if self.skill is not None else "idle"

    @property
    def request(self) -> GraspRequest | None:
        """A grasp the current skill wants planned."""
        return self.skill.request if self.skill is not None else None

    def answer(self, grasp: Grasp) -> None:
        """The planner's answer."""
        if self.skill is not None:
            self.skill.answer(grasp)

    @property
    def goal(self) -> Goal | None:
        """Where the current skill wants to walk."""
        return self.walk.goal

    def navigate(self, answer: NavigationAnswer, now_s: float) -> None:
        """Navigation's answer."""
        self.walk.answer(answer, now_s)

    @property
    def looks(self) -> bool:
        """Whether the camera is of use now: before there is a plan, and whenever the skill says so."""
        return self.skill is None or self.skill.looks

    def sight_needed(self) -> ObjectQuery | None:
        """The object that must be in view to go on now."""
        if isinstance(self.skill, Pick) and self.skill.waits_for_sight:
            return self._pick
        return None

    def tick(self, tick: Tick) -> None:
        """One control period of the current skill."""
        if self.skill is not None and self.outcome is None:
            before = self.skill.attempts
            self.skill.tick(tick)
            self.attempts += self.skill.attempts - before
            if self.skill.outcome is not None:
                self._follow(self.skill.outcome, tick)
        self._velocity = self.walk.velocity(tick.now_s)

    def _follow(self, ended: Outcome, tick: Tick) -> None:
        """What comes after a skill."""
        if isinstance(self.skill, Place):
            self._arms.holding = False
            if not (ended.success and self._seen_in_tray(self.skill.query, tick)):
                self._once_more(ended)
                return
        elif isinstance(self.skill, Pick):
            self._arms.holding = ended.success
        if not ended.success:
            self.outcome = ended
        elif self._ahead:
            self._next()
        else:
            self.outcome = ended

    def _once_more(self, ended: Outcome) -> None:
        """Pick it up again from where it fell, if it lies where the robot stands, and place it again."""
        assert isinstance(self.skill, Place) and self._pick is not None
        if self.attempts >= self.config.max_attempts:
            self.outcome = Outcome(False, ended.reason or "not_in_tray")
            return
        place, pick = self.skill.query, self._pick
        self._ahead.insert(0, lambda: Place(self._arms, place, pick))
        again = Pick(self._arms, pick)
        again.attempts = self.attempts
        self.skill = again

    def _seen_in_tray(self, tray_query: ObjectQuery, tick: Tick) -> bool:
        target, tray = (tick.estimates.get(str(query)) for query in (self._pick, tray_query))
        if target is None or tray is None:
            return False
        return _inside(target, tray)

    def command(self) -> Command:
        """The targets the skill has set."""
        return Command(self._arms.targets_rad[self._upper].copy(), self._arms.grips.copy(), self._velocity.copy())

    def accept(self, sent: Command) -> None:
        """What safety made of the command: the arms go on from there, instead of running ahead of it."""
        self._arms.targets_rad[self._upper] = sent.joints_rad

    def tools_in_base(self, state: RobotState, joints_rad: Array) -> Array:
        """[n_hands, 3] where the tools would be with the upper-body targets [n_upper], legs as measured."""
        q = state.joints_rad.copy()
        q[self._upper] = joints_rad
        self._arms.ik.model.update(q)
        return self._arms.ik.tool_positions()

    @property
    def walking(self) -> bool:
        """Whether the current skill uses the legs."""
        return isinstance(self.skill, LegSkill)


def _inside(target: Estimate, tray: Estimate) -> bool:
    offset = target.position_in_base[:2] - tray.position_in_base[:2]
    cos, sin = np.cos(tray.detection.yaw_rad), np.sin(tray.detection.yaw_rad)
    local = np.array([cos * offset[0] + sin * offset[1], cos * offset[1] - sin * offset[0]])
    shape = SHAPES[tray.detection.shape]
    half = np.array([shape.width_m, shape.depth_m]) / 2 + IN_TRAY_MARGIN_M
    return bool(np.all(np.abs(local) < half))
