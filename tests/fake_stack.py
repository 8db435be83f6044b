"""What the tests of agent and harness stand on: hands that need no arm, an executor that answers when told to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vla_sim.deployment.span import Answer, Span, Status
from vla_sim.errors import Refused, VlaSimError
from vla_sim.spec import RobotSpec
from vla_sim.stack import Stack
from vla_sim.stages.intent import IntentGrammar
from vla_sim.stages.motion import Motion
from vla_sim.stages.planner import RulePlanner
from vla_sim.stages.safety import SafetyFilter
from vla_sim.stages.skills import MotionConfig, Outcome, Tick
from vla_sim.stages.tracking import ObjectTracker
from vla_sim.stages.walking import Goal, Walk
from vla_sim.types import (
    Array,
    Command,
    Detection,
    Detections,
    Frame,
    Grasp,
    GraspRequest,
    NavigationAnswer,
    ObjectQuery,
    Plan,
    RobotState,
    SiteMap,
)

CUBE = ObjectQuery("cube", "red")


class ScriptedMotion(Motion):
    """Moves every joint by `step_rad` a tick and does nothing else unless its test says so."""

    def __init__(self, spec: RobotSpec) -> None:
        self.config, self._spec = MotionConfig(), spec
        self.step_rad = 0.01
        self.needs_sight = True
        self.wanted: GraspRequest | None = None
        self.ends: dict[int, Outcome] = {}  # how it ends, by the number of the tick
        self.plan: Plan | None = None
        self.plans = 0
        self.ticks: list[Tick] = []
        self.grasps: list[Grasp] = []
        self.outcome = None
        self.walk = Walk(spec)
        self.sees = True
        self.answers: list[NavigationAnswer] = []
        self.legs = False
        self.goal_now: Goal | None = None

    def reset(self, state: RobotState, site: SiteMap | None = None) -> None:
        self.walk.reset(state, site)
        self._targets = state.commanded_rad[self._spec.upper_index].copy()
        self.outcome, self.attempts, self.plan = None, 0, None
        self.ticks.clear()

    def start(self, plan: Plan) -> None:
        self.plan, self.plans = plan, self.plans + 1

    @property
    def queries(self) -> tuple[ObjectQuery, ...]:
        steps = self.plan.steps if self.plan is not None else ()
        return tuple(s.target for s in steps if s.action in ("pick", "place") and s.target is not None)

    @property
    def phase(self) -> str:
        return "scripted"

    @property
    def looks(self) -> bool:
        return self.sees

    @property
    def walking(self) -> bool:
        return self.legs

    @property
    def goal(self) -> Goal | None:
        return self.goal_now

    def navigate(self, answer: NavigationAnswer, now_s: float) -> None:
        self.answers.append(answer)

    @property
    def request(self) -> GraspRequest | None:
        return self.wanted

    def answer(self, grasp: Grasp) -> None:
        self.wanted = None
        self.grasps.append(grasp)

    def sight_needed(self) -> ObjectQuery | None:
        return self.queries[0] if self.needs_sight and self.queries else None

    def tick(self, tick: Tick) -> None:
        self.ticks.append(tick)
        self._targets = self._targets + self.step_rad
        self.outcome = self.ends.get(len(self.ticks), self.outcome)

    def command(self) -> Command:
        return Command(self._targets.copy(), np.ones(len(self._spec.hands)))

    def accept(self, sent: Command) -> None:
        self._targets = sent.joints_rad.copy()

    def tools_in_base(self, state: RobotState, joints_rad: Array) -> Array:
        return np.zeros((0, 3))


def fixed_grasp(request: GraspRequest) -> Grasp:
    return Grasp(request.hand, request.yaws_rad[0], np.eye(3), request.joints_rad, 0.0)


def sees_nothing(frame: Frame) -> Detections:
    return Detections(frame.time_s, ())


def cube_at(time_s: float, x: float = 0.3) -> Detections:
    """One red cube, seen whole."""
    return Detections(time_s, (Detection("cube", "red", np.array([x, 0.2, 0.725]), 0.0, 0.75, 1.0, 1.0),))


def sees_the_cube(frame: Frame) -> Detections:
    return cube_at(frame.time_s)


def scripted_stack(spec: RobotSpec, perception: Callable[[Frame], Detections] = sees_the_cube) -> Stack:
    """The real stages that need no body; scripted hands."""
    return Stack(
        IntentGrammar(), RulePlanner(), perception, fixed_grasp, ScriptedMotion(spec), SafetyFilter(spec),
        ObjectTracker,
    )  # fmt: skip


def motion_of(stack: Stack) -> ScriptedMotion:
    assert isinstance(stack.motion, ScriptedMotion)
    return stack.motion


@dataclass(frozen=True)
class Asked:
    """A request as it was submitted."""

    stage: str
    call: Callable[[Any], Any]
    value: Any
    deadline_s: float | None
    on_done: Callable[[Answer[Any]], None]
    on_deadline: Callable[[int], None] | None


@dataclass
class HandExecutor:
    """Keeps what it is asked; the test decides what becomes of each request."""

    asked: list[Asked] = field(default_factory=list)
    busy: dict[str, int] = field(default_factory=dict)

    def in_flight(self, stage: str) -> int:
        return self.busy.get(stage, 0)

    def submit(
        self, stage_name: str, stage: Callable[[Any], Any], value: Any, *, deadline_s: float | None,
        on_done: Callable[[Answer[Any]], None], on_deadline: Callable[[int], None] | None = None,
        t_origin_s: float | None = None, simplified: Callable[[Any], Any] | None = None, effort: float = 1.0,
        light: bool = False,
    ) -> int:  # fmt: skip
        self.asked.append(Asked(stage_name, stage, value, deadline_s, on_done, on_deadline))
        return len(self.asked) - 1

    def stages(self) -> list[str]:
        return [request.stage for request in self.asked]

    def answer(self, number: int, status: Status = "ok", at_s: float = 0.0) -> None:
        """End a request; the stage runs where a real executor would run it."""
        request, value = self.asked[number], None
        error: VlaSimError | None = None
        if status in ("ok", "late"):
            try:
                value = request.call(request.value)
            except Refused as problem:
                status, error = "refused", problem
            except VlaSimError as problem:
                status, error = "failed", problem
        span = Span(0, number, request.stage, "robot", status, 0, at_s, 0, 0, 0, 0, 0, 0, request.deadline_s)
        request.on_done(Answer(value, span, error))

    def miss(self, number: int) -> None:
        """The deadline of a request passes."""
        told = self.asked[number].on_deadline
        assert told is not None
        told(number)
