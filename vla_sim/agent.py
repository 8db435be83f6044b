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

from vla_sim.deployment.adaptation import Knobs
from vla_sim.deployment.span import Answer
from vla_sim.errors import Refused
from vla_sim.spec import RobotSpec
from vla_sim.stack import AgentConfig, Stack
from vla_sim.stages import anchoring, places, planar
from vla_sim.stages.intent import says_stop
from vla_sim.stages.lidar import ScanWindow, levelled, without
from vla_sim.stages.safety import EmergencyStop, Surroundings
from vla_sim.stages.simplified import factor_of, shrunk
from vla_sim.stages.skills import Tick
from vla_sim.stages.tracking import Estimate, ObjectTracker
from vla_sim.types import (
    Array,
    Command,
    Detections,
    Frame,
    Grasp,
    GraspRequest,
    Intent,
    Mode,
    NavigationAnswer,
    NavigationRequest,
    ObjectQuery,
    Observation,
    Plan,
    RobotState,
    Scan,
    SiteMap,
    Utterance,
    Verdict,
)
from vla_sim.waiting import Waiting

VIOLATION_RAD = 0.05  # beyond a joint's limit, measured
POSES = 200  # images whose answers are waited for
PEOPLE_S = 1.0  # people seen longer ago may be anywhere
MOVED_RAD = 1e-4  # a target further than this from where it was is motion


class Executor(Protocol):
    """Whoever runs the stages: in virtual time a model of the deployment."""

    def in_flight(self, stage: str) -> int: ...

    def submit(
        self, stage_name: str, stage: Callable[[Any], Any], value: Any, *, deadline_s: float | None,
        on_done: Callable[[Answer[Any]], None], on_deadline: Callable[[int], None] | None = None,
        t_origin_s: float | None = None, simplified: Callable[[Any], Any] | None = None, effort: float = 1.0,
        light: bool = False,
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
        self._upper = spec.upper_index
        self._lowest_rad, self._highest_rad = spec.lower_rad - VIOLATION_RAD, spec.upper_rad + VIOLATION_RAD
        self._trackers: dict[str, ObjectTracker] = {}
        self._recent: deque[Detections] = deque(maxlen=config.frame_buffer)
        self._newest: Detections | None = None
        self._planned = False
        self._stopped_s: float | None = None  # since when it has been told to stop
        self.emergency_stop = EmergencyStop()
        self._grasp_asked: GraspRequest | None = None
        self._site: SiteMap | None = None
        self._scans = ScanWindow()
        self._poses: dict[float, Array] = {}  # [3] where it stood, by the time of an image
        self._navigated_s = -np.inf
        self._walked: NavigationAnswer | None = None
        self.refusals: list[str] = []  # of commands heard in the course of the episode
        self.waiting = Waiting(config.safe_stop_after_s)
        self.knobs = Knobs()  # what is in force of the quality it could have
        self._images = 0  # that the camera could have taken
        self._frames_out = 0  # images whose answer has not come
        self._sync_until_s = -np.inf  # acts on what it saw until then

    # -- the task -----------------------------------------------------------------------------------------------
    def begin(self, instruction: str, observation: Observation, site: SiteMap | None = None) -> None:
        """Hear an instruction at time 0; `site` is what the operator has told of the place."""
        state = observation.state
        self._site = site
        self.stack.motion.reset(state, site)
        if self.stack.navigation is not None:
            self.stack.navigation.reset(site or SiteMap())
        upper = state.commanded_rad[self._upper]
        self._previous = Command(upper, np.ones(len(self.spec.hands)))
        self._still = upper.copy()
        self._state = state
        self._instruct(instruction, self._give_up)

    def hear(self, text: str, now_s: float) -> None:
        """Something was said in the course of the episode. A stop acts at once, on the robot, whatever else goes on;
        anything else takes the place of the task if it can be done, and is refused and counted if it cannot."""
        if says_stop(text):
            self._stopped_s = now_s if self._stopped_s is None else self._stopped_s
            self.emergency_stop.latch(f"heard {text!r}")
            self.stack.motion.walk.stop()
            return
        self._instruct(text, self._note_refusal)

    def _give_up(self, reason: str) -> None:
        self.verdict = Verdict(False, reason)

    def _note_refusal(self, reason: str) -> None:
        self.refusals.append(reason)

    def _instruct(self, instruction: str, refuse: Callable[[str], None]) -> None:
        def plan(intent: Intent) -> None:
            self._ask("planning", self.stack.planning, intent, take, refuse)

        def take(plan: Plan) -> None:
            try:
                self._take_up(plan)
            except Refused as refusal:
                self.counts["refused"] += 1
                refuse(f"refused: {refusal}")

        self._ask("intent", self.stack.intent, Utterance(instruction), plan, refuse)

    def _take_up(self, plan: Plan) -> None:
        if any(step.action == "stop" for step in plan.steps):
            self._planned = True
            self._stopped_s = 0.0
            self.verdict = Verdict(True, "stopped")
            return
        if self._site is not None:
            places.check_places(plan, self._site)
        self.stack.motion.start(plan)
        self._planned = True
        self._trackers.clear()
        for query in self.stack.motion.queries:
            tracker = self._trackers[str(query)] = self.stack.tracker(query)
            for detections in self._recent:
                tracker.update(detections)

    def _ask(
        self, name: str, stage: Callable[[Any], Any], value: Any, use: Callable[[Any], None],
        refuse: Callable[[str], None] | None = None,
    ) -> None:  # fmt: skip
        """Ask a stage the plan depends on; ask again when the deadline passes, until `retries` are used up.

        `refuse` is told why there will be no answer; without it, that is the end of the task.
        """
        refuse = refuse or self._give_up
        tries = 0
        settled = False

        limit_s = self.config.deadlines_s.get(name)
        expired: set[int] = set()  # requests that were given up, and asked again, at their deadline

        def submit() -> None:
            self.executor.submit(
                name, stage, value, deadline_s=limit_s, on_done=done, on_deadline=missed,
                simplified=self.stack.simplified.get(name), light=self.knobs.light_planner,
            )  # fmt: skip

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
                refuse(f"no_{name}")

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
                refuse(f"{status}: {answer.error}")
            elif answer.span.request not in expired and (status == "rejected" or limit_s is None):
                again()

        submit()

    # -- seeing -------------------------------------------------------------------------------------------------
    def wants_frame(self) -> bool:
        """Whether an image taken now would be sent; a skipped one is counted and never rendered.

        Pictures taken in the middle of a step show a base frame with one foot in the air; nothing is measured on them.
        """
        # Counted from the start, so that the images taken meet control ticks that compute.
        skipped = self._images % self.knobs.perception_every
        self._images += 1
        if self.verdict is not None or skipped or not (self.stack.motion.looks and self._state.standing):
            return False
        busy = self.executor.in_flight("perception") >= self.config.max_in_flight
        if busy or (self.config.mode == "sync" and (self._frames_out or self._state.time_s < self._sync_until_s)):
            self.counts["frames_skipped"] += 1
            return False
        return True

    def see(self, frame: Frame) -> None:
        """An image has arrived from the camera."""
        self.counts["frames"] += 1
        self._frames_out += 1
        self._poses[frame.time_s] = planar.of_pose(frame.pose_base_in_odom)
        while len(self._poses) > POSES:
            del self._poses[next(iter(self._poses))]
        scale, lighter = self.knobs.image_scale, self.stack.simplified.get("perception")
        if scale < 1:
            frame, lighter = shrunk(frame, factor_of(scale)), self.stack.perception  # it is small already
        self.executor.submit(
            "perception", self.stack.perception, frame, deadline_s=self.config.deadlines_s.get("perception"),
            on_done=self._on_detections, on_deadline=self._on_late_frame, t_origin_s=frame.time_s,
            simplified=lighter, effort=scale**2,
        )  # fmt: skip

    def _on_late_frame(self, _: int) -> None:
        self.counts["deadline_misses"] += 1

    def _on_detections(self, answer: Answer[Detections]) -> None:
        self._frames_out -= 1
        self._sync_until_s = answer.span.t_end_s + self.config.sync_act_s
        # A late detection is still the newest there is; its age is in its time stamp.
        if answer.value is None:
            self.counts["frames_skipped"] += answer.span.status == "rejected"
            return
        pose = self._poses.pop(answer.value.time_s, None)
        if pose is None:
            return  # as old as no answer
        seen = anchoring.detections_in_odom(answer.value, pose)
        self._recent.append(seen)
        if self._newest is None or seen.time_s > self._newest.time_s:
            self._newest = seen
        for tracker in self._trackers.values():
            tracker.update(seen)
        self._unused = seen.time_s

    _unused: float | None = None

    def wants_scan(self) -> bool:
        """Whether the lidar is of use now: a robot that stands at its work needs none."""
        return self.verdict is None and (self.stack.motion.walking or not self._state.standing)

    def scan(self, scan: Scan) -> None:
        """A part of a lidar's turn has arrived. What the hands hold is no obstacle."""
        tools = self.stack.motion.tools_in_base(self._state, self._previous.joints_rad)
        self._scans.add(levelled(without(scan, tools)))

    def _navigate(self, now_s: float, state: RobotState) -> None:
        """Ask for the way at navigation's own rate, from the newest whole turn."""
        goal, newest = self.stack.motion.goal, self._scans.whole()
        due = now_s - self._navigated_s >= 1.0 / self.config.navigation_rate_hz - 1e-9
        if self.stack.navigation is None or goal is None or newest is None or not due:
            return
        if self.executor.in_flight("navigation") >= self.config.max_in_flight:
            return
        self._navigated_s = now_s
        request = NavigationRequest(
            newest, state.heading_in_odom, state.base_velocity, goal.pose_in_site, goal.mode, goal.person_hint_in_site
        )
        self.executor.submit(
            "navigation", self.stack.navigation, request, deadline_s=self.config.deadlines_s.get("navigation"),
            on_done=self._on_navigation, on_deadline=self._on_late_frame, t_origin_s=newest.time_s,
        )  # fmt: skip

    def _on_navigation(self, answer: Answer[NavigationAnswer]) -> None:
        if answer.value is not None:
            self._walked = answer.value
            self.stack.motion.navigate(answer.value, self._state.time_s)

    # -- acting -------------------------------------------------------------------------------------------------
    def tick(self, now_s: float, state: RobotState) -> TickReport:
        """The command for the control period that begins now."""
        self._state = state
        here = planar.of_pose(state.pose_base_in_odom)
        estimates = {name: self._estimate(tracker, now_s, here) for name, tracker in self._trackers.items()}
        held = self._why_hold(estimates, now_s)
        self._stop_if_left_alone(now_s, held)
        age = self._age(estimates)
        if held:
            command, phase = Command(self._previous.joints_rad, self._previous.grips, mode=Mode.HOLD), held
        else:
            motion = self.stack.motion
            motion.tick(Tick(now_s, state, estimates, self._newest))
            self._plan_grasp()
            self._navigate(now_s, state)
            if motion.outcome is not None and not motion.outcome.success:
                self.verdict = self.verdict or Verdict(False, motion.outcome.reason)
            command, phase = motion.command(), motion.phase
        tools = self.stack.motion.tools_in_base(state, command.joints_rad)
        safe, interventions = self.stack.safety.filter(
            command, self._previous, state, now_s - state.time_s, tools, self._surroundings()
        )
        if interventions and not held:
            self.stack.motion.accept(safe)
        self._note(now_s, safe, len(interventions), bool(held))
        self.counts["violations"] += self._beyond_limits(state)
        stale = not held and self._sight_matters() and age > self.stack.motion.config.stale_after_s
        self._previous = safe
        return TickReport(safe, phase, age, bool(held), stale, len(interventions))

    @staticmethod
    def _estimate(tracker: ObjectTracker, now_s: float, here: Array) -> Estimate | None:
        estimate = tracker.estimate(now_s)
        return None if estimate is None else anchoring.estimate_in_base(estimate, here)

    def _surroundings(self) -> Surroundings:
        """What safety may know of the world."""
        walk = self.stack.motion.walk
        people = self._people()
        return Surroundings(
            scan=self._scans.recent(),
            people_in_base=people[:, :2],
            people_velocity=people[:, 2:],
            site=self._site,
            pose_odom_in_site=walk.odom_in_site,
            docking=walk.docking,
            stop_latched=self.emergency_stop.latched,
        )

    def _people(self) -> Array:
        """[k, 4] x, y m and vx, vy m/s in base of who was seen walking a moment ago, moved on to now."""
        seen, now_s = self._walked, self._state.time_s
        if seen is None or now_s - seen.time_s > PEOPLE_S or not len(seen.people_in_site):
            return np.zeros((0, 4))
        here = planar.inverse(self.stack.motion.walk.base_in_site(self._state))
        rows = []
        for person in seen.people_in_site:
            place = person[:2] + person[2:] * (now_s - seen.time_s)
            rows.append([*planar.apply(here, place), *planar.rotate(here[2], person[2:])])
        return np.array(rows)

    def _beyond_limits(self, state: RobotState) -> bool:
        """Whether a measured joint is where safety would never have sent it."""
        upper = state.joints_rad[self._upper]
        return not bool(((upper >= self._lowest_rad) & (upper <= self._highest_rad)).all())

    def _why_hold(self, estimates: dict[str, Estimate | None], now_s: float) -> str:
        """Name of the phase in which there is nothing to act on; empty when there is."""
        if self._stopped_s is not None:
            if now_s - self._stopped_s > self.config.stopped_s:
                self.verdict = self.verdict or Verdict(False, "stopped")
            return "stopped"
        if not self._planned:
            return "wait_plan"
        query = self.stack.motion.sight_needed()
        seen = estimates.get(str(query)) if query is not None else None
        if seen is not None and seen.age_s > self.stack.motion.config.hold_after_s:
            return "wait_sight"
        if self.config.mode == "sync" and query is not None and self._frames_out and now_s >= self._sync_until_s:
            return "wait_answer"
        return ""

    def _stop_if_left_alone(self, now_s: float, held: str) -> None:
        """The last resort: a robot whose questions nobody answers comes to a safe stop, and says so."""
        asked = self._grasp_asked is not None and not held
        waits = asked or held in ("wait_sight", "wait_answer") or self.stack.motion.walk.unguided(now_s)
        if self.waiting.note(now_s, waits) and self.verdict is None:
            self.emergency_stop.latch("nobody answers")
            self.stack.motion.walk.stop()
            self.verdict = Verdict(False, "safe_stop")

    def _sight_matters(self) -> bool:
        return self.stack.motion.sight_needed() is not None

    def _age(self, estimates: dict[str, Estimate | None]) -> float:
        queries: tuple[ObjectQuery, ...] = self.stack.motion.queries
        seen = estimates.get(str(queries[0])) if queries else None
        return float("nan") if seen is None else seen.age_s

    def _plan_grasp(self) -> None:
        request = self.stack.motion.request
        if request is not None and request is not self._grasp_asked:
            self._grasp_asked = request
            self._ask("grasp", self.stack.grasp, request, lambda grasp: self._on_grasp(request, grasp))

    def _on_grasp(self, request: GraspRequest, grasp: Grasp) -> None:
        if self.stack.motion.request is request:  # another task may have begun meanwhile
            self._grasp_asked = None
            self.stack.motion.answer(grasp)

    def _note(self, now_s: float, sent: Command, interventions: int, held: bool) -> None:
        self.counts["starved_ticks"] += held
        self.counts["interventions"] += interventions
        if self._unused is not None:
            self.reactions_s.append(now_s - self._unused)
            self._unused = None
        if self.first_action_s is None and np.abs(sent.joints_rad - self._still).max() > MOVED_RAD:
            self.first_action_s = now_s
