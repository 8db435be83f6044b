"""Episodes in virtual time on the mock robot, and the run folders made of them."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from robots.mock import MockRobot
from tests.fake_stack import motion_of, scripted_stack, sees_nothing
from vla_sim.deployment.adaptation import AdaptationSpec
from vla_sim.deployment.background import Squeeze
from vla_sim.deployment.config import DeployConfig, DeploymentConfig, PlacementConfig, SiteConfig
from vla_sim.deployment.link import LinkSpec
from vla_sim.deployment.profile import Device, LatencyProfile
from vla_sim.deployment.runtime import RuntimeConfig
from vla_sim.errors import ConfigError
from vla_sim.harness.budgets import Budget
from vla_sim.harness.episode import Episode, EpisodeSettings, camera_every
from vla_sim.harness.experiment import RunSettings, run_experiment
from vla_sim.rng import episode_seed
from vla_sim.stack import AgentConfig, Stack
from vla_sim.stages.perception import ColourShapeDetector
from vla_sim.stages.skills import Outcome
from vla_sim.telemetry.recorder import EpisodeRow, Recorder
from vla_sim.types import Command, Detections, Frame, Observation, Verdict

TASK = "put the red cube in the tray"
FRAME_BYTES = 32 * 24 * (3 + 4)


def deployment(**ms: float) -> DeploymentConfig:
    """One computer on the robot, with room for all; stages take 20 ms unless told otherwise."""
    profiles = {stage: LatencyProfile.constant(x, "test") for stage, x in {"control": 1.0, "safety": 0.5, **ms}.items()}
    device = Device("robot", profiles, LatencyProfile.constant(20.0, "test"))
    deploy = DeployConfig({"robot": SiteConfig("robot", replicas=4)}, PlacementConfig("robot"))
    return DeploymentConfig(deploy, LinkSpec("unused", None, None, 1.0, 0.0, 0.0, 1.0, "test"), {"robot": device})


def settings(where: DeploymentConfig | None = None, **how: Any) -> EpisodeSettings:
    return EpisodeSettings(3, where or deployment(), how.pop("agent", AgentConfig()), **how)


class Played:
    """One episode and what was recorded of it."""

    def __init__(
        self,
        how: EpisodeSettings | None = None,
        robot: MockRobot | None = None,
        prepare: Callable[[Stack], Stack] = lambda stack: stack,
        number: int = 0,
        **run: Any,
    ) -> None:
        self.robot = robot or MockRobot(time_limit_s=1.0, instruction=TASK)
        self.stack = prepare(scripted_stack(self.robot.spec))
        self.recorder = Recorder(self.robot.spec.upper_joints, self.robot.spec.hands)
        self.row: EpisodeRow = Episode(self.robot, self.stack, how or settings(), self.recorder, number).run(**run)

    def table(self, name: str) -> pd.DataFrame:
        return self.recorder.tables()[name].to_pandas()


# An episode


def test_an_episode_lasts_until_the_robots_word() -> None:
    row = Played().row
    assert (row.success, row.reason, row.error) == (False, "time_out", "")
    assert (row.ticks, row.sim_s) == (100, 1.0)
    assert (row.episode, row.seed, row.instruction) == (0, episode_seed(3, 0), TASK)
    assert not row.fell
    assert not row.refused


def test_the_rows_counts_are_those_of_the_tables() -> None:
    played = Played(settings(deployment(perception=180.0)))
    row, ticks, spans = played.row, played.table("ticks"), played.table("spans")
    assert len(ticks) == row.ticks
    assert list(ticks.tick) == list(range(row.ticks))
    assert ticks.t_s.to_numpy() == pytest.approx(np.arange(row.ticks) / 100)
    assert row.starved_ticks == ticks.starved.sum() > 0
    assert row.stale_ticks == ticks.stale.sum() > 0
    assert row.interventions == ticks.interventions.sum()
    assert row.frames + row.frames_skipped == 20  # camera ticks in a second
    assert row.frames_skipped > 0
    assert row.frame_bytes == row.frames * FRAME_BYTES
    assert (spans.stage == "perception").sum() <= row.frames  # the last are still under way
    assert (ticks.control_s.to_numpy(), ticks.safety_s.to_numpy()) == (pytest.approx(1e-3), pytest.approx(5e-4))


def test_first_motion_follows_intent_and_plan() -> None:
    played = Played(settings(deployment(intent=120.0, planning=230.0)))
    moving = played.table("ticks").query("phase == 'scripted'")
    assert played.row.ttfa_s == pytest.approx(0.35)
    assert moving.t_s.min() == pytest.approx(0.35)
    assert played.row.starved_ticks == 35


def test_a_robot_that_never_moves_has_no_time_to_first_action() -> None:
    row = Played(settings(deployment(intent=900.0, planning=900.0))).row
    assert row.ttfa_s is None
    assert row.starved_ticks == row.ticks == 100


def test_images_reach_perception_after_the_cameras_latency() -> None:
    spans = Played(settings(agent=AgentConfig(camera_latency_s=0.025))).table("spans")
    seen = spans[spans.stage == "perception"]
    assert seen.t_start_s.to_numpy() == pytest.approx(0.05 * np.arange(len(seen)))
    assert (seen.t_end_s - seen.t_start_s).to_numpy() == pytest.approx(0.045)
    assert seen.uplink_s.to_numpy() == pytest.approx(0.025)


def test_missed_deadlines_and_retries_are_in_the_row() -> None:
    agent = AgentConfig(deadlines_s={"intent": 0.1}, retries=2)
    row = Played(settings(deployment(intent=900.0), agent=agent)).row
    assert (row.success, row.reason) == (False, "no_intent")
    assert (row.deadline_misses, row.retries) == (3, 2)
    assert row.sim_s == pytest.approx(0.32, abs=0.011)  # the tick after the third deadline is the last


def test_an_imposed_delay_is_exactly_what_it_says() -> None:
    spans = Played(settings(delay_s=0.2)).table("spans")
    took = spans.t_end_s - spans.t_start_s
    assert took[spans.stage == "perception"].to_numpy() == pytest.approx(0.2)
    assert took[spans.stage == "intent"].to_numpy() == pytest.approx(0.02)


class LoggingRobot(MockRobot):
    """Writes down what is asked of it and when."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.log: list[str] = []

    def reset(self, seed: int) -> Observation:
        self.log.append(f"reset {seed}")
        return super().reset(seed)

    def observe(self, cameras: tuple[str, ...] = (), *, scan: bool = False) -> Observation:
        self.log.append(f"observe {','.join(cameras)}".strip())
        return super().observe(cameras)

    def act(self, command: Command, late_s: float = 0.0) -> Command:
        self.log.append("act")
        return super().act(command)


def test_the_camera_comes_before_the_control_tick_of_its_instant() -> None:
    robot = LoggingRobot(time_limit_s=0.2, instruction=TASK)
    Played(robot=robot)
    tick = ["observe", "act"]
    with_image = ["observe head", *tick]
    assert robot.log[:2] == [f"reset {episode_seed(3, 0)}", "observe"]
    assert robot.log[2:] == (with_image + 4 * tick) * 4


def test_a_skipped_image_is_never_rendered() -> None:
    robot = LoggingRobot(time_limit_s=1.0, instruction=TASK)
    row = Played(settings(deployment(perception=300.0)), robot=robot).row
    assert robot.log.count("observe head") == row.frames < 20


def test_who_watches_sees_every_image_and_who_films_every_camera_tick() -> None:
    seen: list[int] = []
    filmed: list[None] = []

    def watch(now_ns: int, frame: Frame) -> None:
        assert frame.time_s == pytest.approx(now_ns / 1e9)
        seen.append(now_ns)

    row = Played(settings(deployment(perception=300.0)), watch=watch, film=lambda: filmed.append(None)).row
    assert len(seen) == row.frames
    assert len(filmed) == 20


def test_what_the_robot_was_sent_is_what_was_recorded() -> None:
    played = Played()
    commanded = played.table("ticks")[["commanded.shoulder", "commanded.elbow"]].to_numpy()
    sent = np.array([command.joints_rad for command in played.robot.sent])
    assert commanded == pytest.approx(sent.astype(np.float32))
    measured = played.table("ticks")["measured.elbow"].to_numpy()
    assert measured[1:] == pytest.approx(commanded[:-1, 1])  # it follows within one period
    assert sent[-1].max() > 0.5


# How it ends


def test_a_refused_command_ends_it_at_once() -> None:
    row = Played(settings(command="sing me a song")).row
    assert (row.success, row.refused, row.error) == (False, True, "")
    assert row.instruction == "sing me a song"
    assert row.reason.startswith("refused: intent refused")
    assert row.ticks == 3  # it was asked at 0 and answered after 20 ms


def test_stop_is_a_success_and_the_robot_rests() -> None:
    played = Played(settings(command="stop"))
    assert (played.row.success, played.row.reason) == (True, "stopped")
    assert played.robot.stopped == "stopped"
    assert np.array_equal(played.robot.sent[-1].joints_rad, np.zeros(2))


def ending(at: int, outcome: Outcome) -> Callable[[Stack], Stack]:
    def prepare(stack: Stack) -> Stack:
        motion_of(stack).ends = {at: outcome}
        return stack

    return prepare


def test_a_failed_motion_ends_it() -> None:
    played = Played(prepare=ending(10, Outcome(False, "missed")))
    assert (played.row.success, played.row.reason) == (False, "missed")
    assert len(motion_of(played.stack).ticks) == 10


def test_a_success_the_world_does_not_confirm_is_none() -> None:
    played = Played(settings(grace_s=0.3), prepare=ending(10, Outcome(True)))
    assert (played.row.success, played.row.reason) == (False, "not_confirmed")
    assert played.row.ticks == 4 + 10 + 30  # waiting for the plan, moving, waiting for the world


class Judge(MockRobot):
    """Ends its episode with a word of its own after ten periods."""

    word = Verdict(True, "placed")

    def verdict(self) -> Verdict | None:
        return self.word if len(self.sent) >= 10 else None


def test_the_worlds_word_counts() -> None:
    row = Played(robot=Judge(instruction=TASK)).row
    assert (row.success, row.reason, row.ticks) == (True, "placed", 10)


def test_a_fall_is_said_to_be_one() -> None:
    robot = Judge(instruction=TASK)
    robot.word = Verdict(False, "robot_fell")
    row = Played(robot=robot).row
    assert (row.success, row.reason, row.fell) == (False, "robot_fell", True)


class Crashing(MockRobot):
    """Breaks once, in a given period or at reset (0)."""

    def __init__(self, at: int, **how: Any) -> None:
        super().__init__(**how)
        self.at: int | None = at

    def _break(self) -> None:
        self.at = None
        raise RuntimeError("motor 3 is gone")

    def reset(self, seed: int) -> Observation:
        if self.at == 0:
            self._break()
        return super().reset(seed)

    def act(self, command: Command, late_s: float = 0.0) -> Command:
        if self.at is not None and len(self.sent) + 1 == self.at:
            self._break()
        return super().act(command)


@pytest.mark.parametrize(("at", "ticks"), [(0, 0), (1, 0), (30, 29)])
def test_a_crash_fails_the_episode_and_is_listed(at: int, ticks: int) -> None:
    robot = Crashing(at, time_limit_s=1.0, instruction=TASK)
    played = Played(robot=robot)
    assert (played.row.success, played.row.reason) == (False, "crashed")
    assert played.row.error == "RuntimeError: motor 3 is gone"
    assert played.row.ticks == ticks == len(played.table("ticks"))
    assert robot.stopped == "crashed"
    assert list(played.table("episodes").error) == ["RuntimeError: motor 3 is gone"]


def test_a_stage_that_breaks_fails_the_episode_too() -> None:
    def broken(_: Frame) -> Any:
        raise ValueError("no depth")

    played = Played(prepare=lambda stack: replace(stack, perception=broken))
    assert (played.row.reason, played.row.error) == ("crashed", "ValueError: no depth")


def test_the_real_detector_sees_nothing_in_grey_and_that_is_no_crash() -> None:
    played = Played(prepare=lambda stack: replace(stack, perception=ColourShapeDetector()))
    assert (played.row.reason, played.row.error, played.row.frames) == ("time_out", "", 20)
    assert played.table("ticks").detection_age_s.isna().all()


# Rates


@pytest.mark.parametrize("rate_hz", [0.0, -5.0, 30.0, 40.0, 150.0, 60.0])
def test_a_camera_off_the_control_grid_is_an_error(rate_hz: float) -> None:
    with pytest.raises(ConfigError) as caught:
        camera_every(rate_hz, 100.0)
    assert caught.value.key == "cameras.rate_hz"


def test_an_episode_with_such_a_camera_does_not_begin() -> None:
    robot = LoggingRobot(instruction=TASK)
    with pytest.raises(ConfigError, match="40 Hz does not divide the control rate of 100 Hz"):
        Played(settings(agent=AgentConfig(camera_rate_hz=40.0)), robot=robot)
    assert robot.log == []


@pytest.mark.parametrize("rate_hz", [80.0, 40.0, 31.25, 16.0, 8.0])
def test_the_rate_it_names_instead_is_one_that_works(rate_hz: float) -> None:
    with pytest.raises(ConfigError) as caught:
        camera_every(rate_hz, 100.0)
    named = re.search(r"rate that does is ([\d.]+) Hz", caught.value.hint)
    assert named is not None
    assert camera_every(float(named.group(1)), 100.0) >= 1


# Runs


def run_settings(episodes: int = 2, **how: Any) -> RunSettings:
    return RunSettings(episodes, settings(**how), Budget(), video=True, config={"a": 1}, config_text="a: 1\n")


def run(
    folder: Path, robot: MockRobot, what: RunSettings | None = None, stack: Stack | None = None
) -> tuple[dict[str, Any], list[EpisodeRow]]:
    told: list[EpisodeRow] = []
    stack = stack or scripted_stack(robot.spec)
    return run_experiment(robot, stack, what or run_settings(), folder, told.append), told


def test_a_run_goes_on_after_a_crash_and_lists_it(tmp_path: Path) -> None:
    metrics, rows = run(tmp_path, Crashing(20, time_limit_s=0.5, instruction=TASK))
    assert [row.reason for row in rows] == ["crashed", "time_out"]
    assert metrics["success_rate"] == 0.0
    assert (metrics["errors"], metrics["reasons"]["crashed"]) == (1, 1)
    written = pd.read_parquet(tmp_path / "episodes.parquet")
    assert list(written.error) == ["RuntimeError: motor 3 is gone", ""]


def test_a_run_folder_holds_its_records(tmp_path: Path) -> None:
    metrics, rows = run(tmp_path / "run", MockRobot(time_limit_s=1.5, instruction=TASK))
    folder = tmp_path / "run"
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert names == {
        "config.yaml", "episodes.parquet", "spans.parquet", "ticks.parquet", "manifest.json", "metrics.json",
        *(f"figures/frames/e{episode}_t{ms}.jpg" for episode in range(2) for ms in (0, 500, 1000)),
    }  # fmt: skip
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["seeds"] == [row.seed for row in rows] == [episode_seed(3, k) for k in range(2)]
    assert json.loads((folder / "metrics.json").read_text()) == metrics
    assert (folder / "config.yaml").read_text() == "a: 1\n"


def test_the_same_run_twice_has_the_same_records(tmp_path: Path) -> None:
    hashes = []
    for name in ("first", "second"):
        robot = MockRobot(time_limit_s=0.5, instruction=TASK)
        run(tmp_path / name, robot)
        hashes.append(json.loads((tmp_path / name / "manifest.json").read_text())["content_hash"])
    assert hashes[0] == hashes[1]
    robot = MockRobot(time_limit_s=0.5, instruction=TASK)
    run(tmp_path / "blind", robot, stack=scripted_stack(robot.spec, sees_nothing))
    assert json.loads((tmp_path / "blind" / "manifest.json").read_text())["content_hash"] != hashes[0]


def test_an_unknown_camera_is_named_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'head'"):
        run(tmp_path / "run", MockRobot(), run_settings(agent=AgentConfig(camera="heat")))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("episodes", "delay_s", "key"), [(0, None, "episodes"), (1, -0.1, "delay_ms"), (1, 61.0, "delay_ms")]
)
def test_numbers_that_make_no_run_are_named(episodes: int, delay_s: float | None, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        run_settings(episodes, delay_s=delay_s)
    assert caught.value.key == key


# A loop that is late


def jittery(lateness_ms: float, execution_counts: bool = False) -> EpisodeSettings:
    lateness = LatencyProfile.constant(lateness_ms, "test") if lateness_ms else None
    return settings(runtime=RuntimeConfig("test", lateness, execution_counts))


def test_a_late_tick_is_recorded_and_its_command_takes_effect_late() -> None:
    played = Played(jittery(3.0))
    assert played.table("ticks").t_s.to_numpy() == pytest.approx(np.arange(100) / 100 + 0.003)
    assert played.robot.late_s == pytest.approx([0.003] * 100)


def test_what_the_loop_computes_makes_its_command_later_when_it_counts() -> None:
    played = Played(jittery(3.0, execution_counts=True))  # 1.5 ms of control and safety
    assert played.robot.late_s == pytest.approx([0.0045] * 100)
    assert played.table("ticks").t_s.to_numpy()[1] == pytest.approx(0.013)


def test_an_overrun_skips_ticks_and_is_never_caught_up_with() -> None:
    played = Played(jittery(24.0))
    ticks = played.table("ticks")
    assert list(ticks.tick) == list(range(0, 100, 3))
    assert played.row.ticks == 100
    assert played.robot.late_s[:6] == pytest.approx([0.0, 0.0, 0.004, 0.0, 0.0, 0.004])


def test_a_loop_on_time_is_the_default_and_changes_nothing() -> None:
    assert set(Played().robot.late_s) == {0.0}


# Adaptation


def adaptive(slowdown: float, memory: float = 0.0, **spec: Any) -> EpisodeSettings:
    """A computer that something else takes from 2 s to 9 s, with quality to give up."""
    plain = deployment(perception=10.0, control=1.0)
    squeeze = Squeeze(2.0, 7.0, slowdown, memory)
    ladder = replace(AdaptationSpec(dwell_s=1.0, recover_after_s=1.0, recover_max_s=2.0, control_every=5), **spec)
    site = replace(plain.deploy.sites["robot"], squeezes=(squeeze,))
    deploy = replace(plain.deploy, sites={"robot": site}, adaptation=ladder)
    return settings(replace(plain, deploy=deploy))


def test_a_squeeze_makes_it_give_up_quality_and_its_end_makes_it_take_it_back() -> None:
    sizes: list[tuple[float, int]] = []

    def watching(stack: Stack) -> Stack:
        def sees(frame: Frame) -> Detections:
            sizes.append((frame.time_s, frame.rgb.shape[0]))
            return stack.perception(frame)

        return replace(stack, perception=sees)

    played = Played(adaptive(20.0), MockRobot(time_limit_s=20.0, instruction=TASK), watching)
    assert {size for t, size in sizes if t < 2.0} == {24}
    assert {size for t, size in sizes if 4.5 < t < 6.0} == {12}
    assert {size for t, size in sizes if t > 18.0} == {24}
    rates = [sum(a < t <= b for t, _ in sizes) / (b - a) for a, b in ((0.0, 2.0), (4.5, 6.0), (18.5, 20.0))]
    assert rates[0] == pytest.approx(20, abs=1)
    assert rates[1] == pytest.approx(10, abs=1.5)
    assert rates[2] == pytest.approx(20, abs=1)
    assert 6.0 < played.row.degraded_s < 15.0
    assert len(played.table("ticks")) < 2000  # at the last step some control ticks compute nothing new


def test_memory_alone_is_a_reason() -> None:
    full = Played(adaptive(1.01, memory=0.95), MockRobot(time_limit_s=5.0, instruction=TASK))
    some = Played(adaptive(1.01, memory=0.50), MockRobot(time_limit_s=5.0, instruction=TASK))
    assert full.row.degraded_s > 0
    assert some.row.degraded_s == 0


def test_without_adaptation_a_squeeze_is_only_slow() -> None:
    spec = adaptive(20.0)
    deploy = replace(spec.deployment.deploy, adaptation=None)
    played = Played(settings(replace(spec.deployment, deploy=deploy)), MockRobot(time_limit_s=8.0, instruction=TASK))
    spans = played.table("spans").query("stage == 'perception'")
    inside = spans[(spans.t_start_s > 2.2) & (spans.t_end_s < 8.0)]
    assert inside.compute_s.min() == pytest.approx(0.2)
    assert played.row.degraded_s == 0


def test_an_image_between_two_control_ticks_is_refused() -> None:
    with pytest.raises(ConfigError, match="control_every"):
        Played(adaptive(2.0, order=("control_rate",), control_every=2))
