"""One episode in virtual time: robot, agent and deployment on one clock."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from vla_sim.agent import Agent, TickReport
from vla_sim.clock import NS, Stopwatch, VirtualClock, divides, nearest_divisor_hz, tick_ns, ticks_between
from vla_sim.deployment.adaptation import Adaptation
from vla_sim.deployment.background import LOOP_CPU_PERCENT
from vla_sim.deployment.config import DeploymentConfig, build
from vla_sim.deployment.profile import LatencyProfile
from vla_sim.deployment.runtime import Lateness, RuntimeConfig
from vla_sim.deployment.span import Span
from vla_sim.errors import ConfigError
from vla_sim.rng import episode_seed, stream
from vla_sim.robot import Robot
from vla_sim.stack import AgentConfig, Stack
from vla_sim.telemetry.recorder import EpisodeRow, Recorder, SpanRow
from vla_sim.telemetry.schema import ANSWERED
from vla_sim.types import Command, Frame, RobotState, Verdict

DELAYED_STAGES = ("perception", "policy", "grasp")  # what `delay_ms` imposes itself on
ADAPT_EVERY_S = 0.1
Watch = Callable[[int, Frame], None]  # told of every image the robot took


@dataclass(frozen=True)
class EpisodeSettings:
    """What is the same in every episode of a run."""

    seed: int
    deployment: DeploymentConfig
    agent: AgentConfig
    delay_s: float | None = None
    command: str | None = None
    grace_s: float = 2.0  # for the world to confirm what the agent believes it has done
    runtime: RuntimeConfig = field(default_factory=RuntimeConfig)


class Episode:
    """Runs one episode and writes it into a recorder. An exception inside fails the episode, not the run."""

    def __init__(self, robot: Robot, stack: Stack, settings: EpisodeSettings, recorder: Recorder, number: int) -> None:
        self.robot, self.stack, self.settings, self.recorder, self.number = robot, stack, settings, recorder, number
        self.clock = VirtualClock()
        self.seed = episode_seed(settings.seed, number)
        self._rate_hz = robot.spec.control_rate_hz
        self._camera_every = camera_every(settings.agent.camera_rate_hz, self._rate_hz)
        lidar = robot.spec.lidar
        self._lidar_every = 0 if lidar is None else camera_every(lidar.rate_hz, self._rate_hz, "lidar.rate_hz")
        self._ticks = self._images = self._scans = 0
        self._totals: Counter[str] = Counter()
        self._verdict: Verdict | None = None
        self._agent_done_ns: int | None = None
        self._upper = robot.spec.upper_index
        self._draws = _LoopCost(settings.deployment, settings.seed, number)
        self._lateness = Lateness(settings.runtime, stream(settings.seed, number, "loop/lateness"))
        adaptation = settings.deployment.deploy.adaptation
        self.adaptation = None if adaptation is None else Adaptation(adaptation)
        self._overdue: tuple[Command, float] | None = None  # a command under way for longer than a period

    def run(self, watch: Watch | None = None, film: Callable[[], None] | None = None) -> EpisodeRow:
        """Play the episode to its end. `watch` sees every camera frame, `film` is called at each camera tick."""
        watch_wall = Stopwatch()
        error, instruction = "", self.settings.command or ""
        self._watch, self._film = watch, film
        self.agent: Agent | None = None
        try:
            observation = self.robot.reset(self.seed)
            instruction = self.settings.command or self.robot.instruction or ""
            self.agent = self._start(instruction, observation.state)
            self.agent.begin(instruction, observation, self.robot.site_map)
            self.clock.run(until=lambda: self._verdict is not None)
        except ConfigError:
            raise
        except Exception as crash:  # noqa: BLE001 - a crashed episode counts as a failure and is listed
            error = traceback.format_exception_only(crash)[-1].strip()
            self.robot.stop("crashed")
            self._verdict = Verdict(False, "crashed")
        row = self._row(instruction, error, watch_wall.elapsed_s)
        self.recorder.episode(row)
        return row

    def _start(self, instruction: str, state: RobotState) -> Agent:
        override = None
        if self.settings.delay_s is not None:
            override = dict.fromkeys(DELAYED_STAGES, self.settings.delay_s)
        self._executor = executor = build(
            self.settings.deployment, self.clock, self.settings.seed, self.number, self._span, override
        )
        # The camera comes before the control tick of the same instant: it sees the world the tick acts on.
        self.clock.call_at_ns(0, self._camera_tick)
        if self.robot.spec.lidar is not None:
            self.clock.call_at_ns(0, self._lidar_tick)
        if self.adaptation is not None:
            self.adaptation.spec.check_rates(self._rate_hz, self.settings.agent.camera_rate_hz)
            self.clock.call_at_ns(0, self._adapt_tick)
        self.clock.call_at_ns(0, self._control_tick)
        return Agent(self.robot.spec, self.stack, executor, self.settings.agent)

    def _span(self, span: Span) -> None:
        self._totals["fallbacks"] += span.attempt > 0 and span.status in ANSWERED
        self.recorder.span(SpanRow(**{name: getattr(span, name) for name in SpanRow._fields}))

    def _camera_tick(self) -> None:
        assert self.agent is not None
        if self._film is not None:
            self._film()
        if self.agent.wants_frame():
            frame = self.robot.observe((self.settings.agent.camera,)).frames[self.settings.agent.camera]
            self._totals["frame_bytes"] += frame.rgb.nbytes + (0 if frame.depth_m is None else frame.depth_m.nbytes)
            if self._watch is not None:
                self._watch(self.clock.now_ns, frame)
            agent = self.agent
            self.clock.call_in(self.settings.agent.camera_latency_s, lambda: agent.see(frame))
        self._images += 1
        self._later(self._images * self._camera_every, self._camera_tick)

    def _lidar_tick(self) -> None:
        agent = self.agent
        assert agent is not None
        if agent.wants_scan():
            scan = self.robot.observe(scan=True).scan
            if scan is not None:
                self.clock.call_in(self.settings.agent.lidar_latency_s, lambda: agent.scan(scan))
        self._scans += 1
        self._later(self._scans * self._lidar_every, self._lidar_tick)

    def _adapt_tick(self) -> None:
        """Look at the load of the robot's computer, and give up or take back quality."""
        assert self.agent is not None and self.adaptation is not None
        cpu, memory = self._executor.on_robot.load()
        busy = min(1.0, cpu + LOOP_CPU_PERCENT / 100)
        response_s = self._executor.response_s("perception")
        self.agent.knobs = self.adaptation.observe(self.clock.now_s, busy, memory, response_s)
        self._executor.reuse_answers = self.agent.knobs.reuse_answers
        self.clock.call_in(ADAPT_EVERY_S, self._adapt_tick)

    def _control_tick(self) -> None:
        assert self.agent is not None
        if self._overdue is None and self._ticks % self.agent.knobs.control_every and self._sent is not None:
            self.robot.act(self._sent)
        elif self._overdue is None:
            self._run_loop()
        else:
            self._overrun(*self._overdue)
        self._ticks += 1
        self._judge()
        self._later(self._ticks, self._control_tick)

    def _run_loop(self) -> None:
        """One turn of the loop: look, decide, act. In a late one the command takes effect late."""
        assert self.agent is not None
        wall = Stopwatch()
        now_s = self.clock.now_s
        heard = self.robot.heard()
        if heard:
            self.agent.hear(heard, now_s)
        state = self.robot.observe().state
        report = self.agent.tick(now_s, state)
        if self.agent.verdict is not None:
            self.robot.stop(self.agent.verdict.reason)
        control_s, safety_s = self._draws.next()
        slower = self._executor.on_robot.slowdown("control")
        costs = control_s * slower, safety_s * slower
        begin_s, effect_s = self._lateness.next_s(sum(costs))
        if effect_s * self._rate_hz < 1.0:
            self._send(report.command, effect_s)
        else:
            self._overrun(report.command, effect_s)
        self._record(now_s + begin_s, state, report, costs, wall.elapsed_s)

    def _overrun(self, command: Command, effect_s: float) -> None:
        """The loop still works on an earlier tick: this one is skipped, never caught up with."""
        period_s = 1.0 / self._rate_hz
        if effect_s >= period_s:
            self.robot.act(self._sent if self._sent is not None else command)
            self._overdue = (command, effect_s - period_s)
        else:
            self._overdue = None
            self._send(command, effect_s)

    def _send(self, command: Command, effect_s: float) -> None:
        if effect_s:
            self.robot.act(command, late_s=effect_s)
        else:
            self.robot.act(command)
        self._sent = command

    _sent: Command | None = None

    def _later(self, tick: int, event: Callable[[], None]) -> None:
        """Run `event` at a control tick."""
        self.clock.call_at_ns(tick_ns(tick, self._rate_hz), event)

    def _record(
        self, begin_s: float, state: RobotState, report: TickReport, costs: tuple[float, float], wall_s: float
    ) -> None:
        control_s, safety_s = costs
        self._totals["stale_ticks"] += report.stale
        self.recorder.tick(
            self.number, self._ticks, begin_s, report.phase, state.joints_rad[self._upper], report.command.joints_rad,
            state.grips, detection_age_s=report.detection_age_s, starved=report.starved, stale=report.stale,
            interventions=report.interventions, control_s=control_s, safety_s=safety_s, step_wall_s=wall_s,
        )  # fmt: skip

    def _judge(self) -> None:
        """The world's word ends the episode; the agent's own end leaves the world a moment to confirm."""
        assert self.agent is not None
        self._verdict = self.robot.verdict()
        if self._verdict is not None:
            return
        if self.agent.verdict is not None:
            self._verdict = self.agent.verdict
            return
        outcome = self.stack.motion.outcome
        if outcome is not None and outcome.success:
            if self._agent_done_ns is None:
                self._agent_done_ns = self.clock.now_ns
            if self.clock.now_ns - self._agent_done_ns >= self.settings.grace_s * NS:
                self._verdict = Verdict(False, "not_confirmed")

    def _row(self, instruction: str, error: str, wall_s: float) -> EpisodeRow:
        verdict = self._verdict or Verdict(False, "no_events")
        counts = self.agent.counts if self.agent is not None else Counter[str]()
        return EpisodeRow(
            episode=self.number, seed=self.seed, instruction=instruction, success=verdict.success,
            reason=verdict.reason, error=error, sim_s=tick_ns(self._ticks, self._rate_hz) / NS, wall_s=wall_s,
            ttfa_s=self.agent.first_action_s if self.agent is not None else None,
            attempts=self.stack.motion.attempts if self.agent is not None else 0,
            starved_ticks=counts["starved_ticks"], stale_ticks=self._totals["stale_ticks"], ticks=self._ticks,
            frames=counts["frames"], frames_skipped=counts["frames_skipped"],
            deadline_misses=counts["deadline_misses"], retries=counts["retries"],
            interventions=counts["interventions"], violations=counts["violations"],
            fell=verdict.reason == "robot_fell", refused=counts["refused"] > 0,
            frame_bytes=self._totals["frame_bytes"], fallbacks=self._totals["fallbacks"],
            hold_s=self.agent.waiting.held_s if self.agent is not None else 0.0,
            safe_stops=int(verdict.reason == "safe_stop"),
            planned_by=_planned_by(self.stack),
            degraded_s=self.adaptation.degraded_s(self.clock.now_s) if self.adaptation is not None else 0.0,
        )  # fmt: skip


def _planned_by(stack: Stack) -> str:
    """How the plans of the episode came about, for a planner that keeps account of it."""
    take = getattr(stack.planning, "take_outcomes", None)
    if take is None:
        return ""
    words = (":".join(filter(None, (o.source, "repaired" if o.repaired else "", o.reason))) for o in take())
    return ",".join(words)


class _LoopCost:
    """Modelled durations of the two stages that run in every control tick, drawn a block at a time."""

    BLOCK = 512

    def __init__(self, deployment: DeploymentConfig, seed: int, episode: int) -> None:
        sites = deployment.deploy.sites.values()
        on_robot = next(site for site in sites if not site.over_network and site.leg is None)
        device = deployment.devices[on_robot.device]
        self._sources = [
            (device.profile(stage), stream(seed, episode, f"loop/{stage}")) for stage in ("control", "safety")
        ]
        self._left: list[tuple[float, float]] = []

    def next(self) -> tuple[float, float]:
        """Durations of control and safety in the next tick, s."""
        if not self._left:
            control, safety = (_samples(profile, rng, self.BLOCK) for profile, rng in self._sources)
            self._left = list(zip(control, safety, strict=True))
        return self._left.pop()


def _samples(profile: LatencyProfile, rng: np.random.Generator, count: int) -> list[float]:
    return [profile.sample_s(rng) for _ in range(count)]


def camera_every(rate_hz: float, control_rate_hz: float, key: str = "cameras.rate_hz") -> int:
    """Control ticks from one image to the next; ConfigError naming `key` when the rates do not divide."""
    try:
        near = nearest_divisor_hz(rate_hz, control_rate_hz)
    except ValueError as error:
        raise ConfigError(key, str(error)) from None
    if not divides(rate_hz, control_rate_hz):
        problem = f"{rate_hz:g} Hz does not divide the control rate of {control_rate_hz:g} Hz"
        raise ConfigError(key, problem, f"the nearest rate that does is {near:.10g} Hz")
    return ticks_between(rate_hz, control_rate_hz)
