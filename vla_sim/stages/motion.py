"""Motion: carries out a plan with the arms, one control tick at a time, closed loop on the newest detections."""

from __future__ import annotations

import numpy as np

from vla_sim.catalogue import SHAPES
from vla_sim.spec import RobotSpec
from vla_sim.stages.pick import Pick
from vla_sim.stages.place import Place
from vla_sim.stages.skills import Arms, MotionConfig, Outcome, Skill, Tick
from vla_sim.stages.tracking import Estimate
from vla_sim.types import Array, Command, Grasp, GraspRequest, ObjectQuery, Plan, RobotState

IN_TRAY_MARGIN_M = 0.01


class Motion:
    """The skills of one plan, in order; a slip sends it back to picking until `max_attempts` are used up."""

    def __init__(self, spec: RobotSpec, config: MotionConfig | None = None) -> None:
        self.config = config or MotionConfig()
        self._arms = Arms(spec, self.config)
        self._upper = spec.upper_index
        self._skill: Skill | None = None
        self.outcome: Outcome | None = None

    def reset(self, state: RobotState) -> None:
        """Forget the plan; start from the posture the robot has."""
        self._arms.reset(state)
        self._skill, self.outcome = None, None
        self._pick: ObjectQuery | None = None
        self._place: ObjectQuery | None = None
        self.attempts = 0

    def start(self, plan: Plan) -> None:
        """Take up a validated plan."""
        for step in plan.steps:
            if step.action == "pick":
                self._pick = step.target
            elif step.action == "place":
                self._place = step.target
        if self._pick is not None:
            self._skill = Pick(self._arms, self._pick)

    @property
    def queries(self) -> tuple[ObjectQuery, ...]:
        """The objects whose whereabouts the plan needs."""
        return tuple(query for query in (self._pick, self._place) if query is not None)

    @property
    def phase(self) -> str:
        """What the hands are doing."""
        return self._skill.phase if self._skill is not None else "idle"

    @property
    def request(self) -> GraspRequest | None:
        """A grasp the current skill wants planned."""
        return self._skill.request if self._skill is not None else None

    def answer(self, grasp: Grasp) -> None:
        """The planner's answer."""
        if self._skill is not None:
            self._skill.answer(grasp)

    def sight_needed(self) -> ObjectQuery | None:
        """The object that must be in view to go on now."""
        if isinstance(self._skill, Pick) and self._skill.waits_for_sight:
            return self._pick
        return None

    def tick(self, tick: Tick) -> None:
        """One control period of the current skill."""
        if self._skill is None or self.outcome is not None:
            return
        before = self._skill.attempts
        self._skill.tick(tick)
        self.attempts += self._skill.attempts - before
        if self._skill.outcome is not None:
            self._follow(self._skill.outcome, tick)

    def _follow(self, ended: Outcome, tick: Tick) -> None:
        if isinstance(self._skill, Pick):
            if not ended.success or self._place is None:
                self.outcome = ended
            else:
                assert self._pick is not None
                self._skill = Place(self._arms, self._place, self._pick)
        elif ended.success and self._seen_in_tray(tick):
            self.outcome = ended
        elif self.attempts >= self.config.max_attempts:
            self.outcome = Outcome(False, ended.reason or "not_in_tray")
        else:
            assert self._pick is not None
            again = Pick(self._arms, self._pick)
            again.attempts = self.attempts
            self._skill = again

    def _seen_in_tray(self, tick: Tick) -> bool:
        target, tray = (tick.estimates[str(query)] for query in self.queries)
        if target is None or tray is None:
            return False
        return _inside(target, tray)

    def command(self) -> Command:
        """The targets the skill has set."""
        return Command(self._arms.targets_rad[self._upper].copy(), self._arms.grips.copy())

    def tools_in_base(self, state: RobotState, joints_rad: Array) -> Array:
        """[n_hands, 3] where the tools would be with the upper-body targets [n_upper], legs as measured."""
        q = state.joints_rad.copy()
        q[self._upper] = joints_rad
        self._arms.ik.model.update(q)
        return self._arms.ik.tool_positions()


def _inside(target: Estimate, tray: Estimate) -> bool:
    offset = target.position_in_base[:2] - tray.position_in_base[:2]
    cos, sin = np.cos(tray.detection.yaw_rad), np.sin(tray.detection.yaw_rad)
    local = np.array([cos * offset[0] + sin * offset[1], cos * offset[1] - sin * offset[0]])
    shape = SHAPES[tray.detection.shape]
    half = np.array([shape.width_m, shape.depth_m]) / 2 + IN_TRAY_MARGIN_M
    return bool(np.all(np.abs(local) < half))
