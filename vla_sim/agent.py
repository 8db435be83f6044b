"""The program on the robot: asks the stages, remembers what it knows, and has a command for every control tick.

It never waits and never asks where a stage runs or what time it is: it is told the time of each event. A late answer
means that it goes on with the last detection, or holds; both are counted.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from vla_sim.deployment.span import Answer
from vla_sim.spec import RobotSpec
from vla_sim.stack import AgentConfig, Stack
from vla_sim.stages.skills import Tick
from vla_sim.stages.tracking import Estimate, ObjectTracker
from vla_sim.types import (
    Command,
    Detections,
    Frame,
    Grasp,
    Intent,
    Mode,
    ObjectQuery,
    Observation,
    Plan,
    RobotState,
    Utterance,
    Verdict,
)

VIOLATION_RAD = 0.05  # beyond a joint's limit, measured
MOVED_RAD = 1e-4  # a target further than this from where it was is motion


class Executor(Protocol):
    """Whoever runs the stages: in virtual time a model of the deployment."""

    def in_flight(self, stage: str) -> int: ...

    def submit(
        self, stage_name: str, stage: Callable[[Any], Any], value: Any, *, deadline_s: float | None,
        on_done: Callable[[Answer[Any]], None], on_deadline: Callable[[int], None] | None = None,
        t_origin_s: float | None = None,
    ) -> int: ...  # fmt: skip


@dataclass(frozen=True, slots=True)
class TickReport:
    """What one control tick was like, for the record."""

    command: Command
    phase: str
    detection_age_s: float  # NaN when nothing was seen yet
    starved: bool
    stale: bool
    interventions: int


class Agent:
    """One episode's program. `begin`, then `tick` and `see` as time goes; answers come back by themselves."""

    def __init__(self, spec: RobotSpec, stack: Stack, executor: Executor, config: AgentConfig) -> None:
        self.spec, self.stack, self.executor, self.config = spec, stack, executor, config
        self.counts: Counter[str] = Counter()  # frames, frames_skipped, deadline_misses, retries, violations, ...
        self.verdict: Verdict | None = None  # set when the agent itself is at its end
        self.first_action_s: float | None = None
        self.reactions_s: list[float] = []  # image to first command that used it
        self._trackers: dict[str, ObjectTracker] = {}
        self._recent: deque[Detections] = deque(maxlen=config.frame_buffer)
        self._newest: Detections | None = None
        self._planned = self._stopped = False
        self._asked_grasp = False

    # -- the task -----------------------------------------------------------------------------------------------
    def begin(self, instruction: str, observation: Observation) -> None:
        """Hear an instruction at time 0."""
        state = observation.state
        self.stack.motion.reset(state)
        upper = state.commanded_rad[self.spec.upper_index]
        self._previous = Command(upper, np.ones(len(self.spec.hands)))
        self._still = upper.copy()
        self._ask("intent", self.stack.intent, Utterance(instruction), self._on_intent)

    def _on_intent(self, intent: Intent) -> None:
        self._ask("planning", self.stack.planning, intent, self._on_plan)

    def _on_plan(self, plan: Plan) -> None:
        self._planned = True
        if any(step.action == "stop" for step in plan.steps):
            self._stopped = True
            self.verdict = Verdict(True, "stopped")
            return
        self.stack.motion.start(plan)
        for query in self.stack.motion.queries:
            tracker = self._trackers[str(query)] = self.stack.tracker(query)
            for detections in self._recent:
                tracker.update(detections)

    def _ask(self, name: str, stage: Callable[[Any], Any], value: Any, use: Callable[[Any], None]) -> None:
        """Ask a stage the plan depends on; ask again when the deadline passes, until `retries` are used up."""
        tries = 0
        settled = False

        limit_s = self.config.deadlines_s.get(name)
        expired: set[int] = set()  # requests that were given up, and asked again, at their deadline

        def submit() -> None:
            self.executor.submit(name, stage, value, deadline_s=limit_s, on_done=done, on_deadline=missed)

        def missed(request: int) -> None:
            if settled:
                return
            expired.add(request)
            self.counts["deadline_misses"] += 1
            again()

        def again() -> None:
            nonlocal tries
            if tries < self.config.retries:
                tries += 1
                self.counts["retries"] += 1
                submit()
            elif self.verdict is None:
                self.verdict = Verdict(False, f"no_{name}")

        def done(answer: Answer[Any]) -> None:
            nonlocal settled
            if settled or self.verdict is not None:
                return
            status = answer.span.status
            if status in ("ok", "late"):
                settled = True
                use(answer.value)
            elif status in ("refused", "failed"):
                settled = True
                self.counts["refused"] += status == "refused"
                self.verdict = Verdict(False, f"{status}: {answer.error}")
            elif answer.span.request not in expired and (status == "rejected" or limit_s is None):
                again()

        submit()

    # -- seeing -------------------------------------------------------------------------------------------------
    def wants_frame(self) -> bool:
        """Whether an image taken now would be sent; a skipped one is counted and never rendered."""
        if self.verdict is not None:
            return False
        if self.executor.in_flight("perception") >= self.config.max_in_flight:
            self.counts["frames_skipped"] += 1
            return False
        return True

    def see(self, frame: Frame) -> None:
        """An image has arrived from the camera."""
        self.counts["frames"] += 1
        self.executor.submit(
            "perception", self.stack.perception, frame, deadline_s=self.config.deadlines_s.get("perception"),
            on_done=self._on_detections, on_deadline=self._on_late_frame, t_origin_s=frame.time_s,
        )  # fmt: skip

    def _on_late_frame(self, _: int) -> None:
        self.counts["deadline_misses"] += 1

    def _on_detections(self, answer: Answer[Detections]) -> None:
        # A late detection is still the newest there is; its age is in its time stamp.
        if answer.value is None:
            self.counts["frames_skipped"] += answer.span.status == "rejected"
            return
        self._recent.append(answer.value)
        if self._newest is None or answer.value.time_s > self._newest.time_s:
            self._newest = answer.value
        for tracker in self._trackers.values():
            tracker.update(answer.value)
        self._unused = answer.value.time_s

    _unused: float | None = None

    # -- acting -------------------------------------------------------------------------------------------------
    def tick(self, now_s: float, state: RobotState) -> TickReport:
        """The command for the control period that begins now."""
        estimates = {name: tracker.estimate(now_s) for name, tracker in self._trackers.items()}
        held = self._why_hold(estimates)
        age = self._age(estimates)
        if held:
            command, phase = Command(self._previous.joints_rad, self._previous.grips, mode=Mode.HOLD), held
        else:
            motion = self.stack.motion
            motion.tick(Tick(now_s, state, estimates, self._newest.items if self._newest is not None else ()))
            self._plan_grasp()
            if motion.outcome is not None and not motion.outcome.success:
                self.verdict = self.verdict or Verdict(False, motion.outcome.reason)
            command, phase = motion.command(), motion.phase
        tools = self.stack.motion.tools_in_base(state, command.joints_rad)
        safe, interventions = self.stack.safety.filter(command, self._previous, state, now_s - state.time_s, tools)
        self._note(now_s, safe, len(interventions), bool(held))
        self.counts["violations"] += self._beyond_limits(state)
        stale = not held and self._sight_matters() and age > self.stack.motion.config.stale_after_s
        self._previous = safe
        return TickReport(safe, phase, age, bool(held), stale, len(interventions))

    def _beyond_limits(self, state: RobotState) -> bool:
        """Whether a measured joint is where safety would never have sent it."""
        upper = state.joints_rad[self.spec.upper_index]
        low, high = self.spec.lower_rad - VIOLATION_RAD, self.spec.upper_rad + VIOLATION_RAD
        return not bool(np.all((upper >= low) & (upper <= high)))

    def _why_hold(self, estimates: dict[str, Estimate | None]) -> str:
        """Name of the phase in which there is nothing to act on; empty when there is."""
        if self._stopped:
            return "stopped"
        if not self._planned:
            return "wait_plan"
        query = self.stack.motion.sight_needed()
        seen = estimates.get(str(query)) if query is not None else None
        if seen is not None and seen.age_s > self.stack.motion.config.hold_after_s:
            return "wait_sight"
        return ""

    def _sight_matters(self) -> bool:
        return self.stack.motion.sight_needed() is not None

    def _age(self, estimates: dict[str, Estimate | None]) -> float:
        queries: tuple[ObjectQuery, ...] = self.stack.motion.queries
        seen = estimates.get(str(queries[0])) if queries else None
        return float("nan") if seen is None else seen.age_s

    def _plan_grasp(self) -> None:
        request = self.stack.motion.request
        if request is not None and not self._asked_grasp:
            self._asked_grasp = True
            self._ask("grasp", self.stack.grasp, request, self._on_grasp)

    def _on_grasp(self, grasp: Grasp) -> None:
        self._asked_grasp = False
        self.stack.motion.answer(grasp)

    def _note(self, now_s: float, sent: Command, interventions: int, held: bool) -> None:
        self.counts["starved_ticks"] += held
        self.counts["interventions"] += interventions
        if self._unused is not None:
            self.reactions_s.append(now_s - self._unused)
            self._unused = None
        if self.first_action_s is None and np.abs(sent.joints_rad - self._still).max() > MOVED_RAD:
            self.first_action_s = now_s
