"""The agent: what it asks, what it makes of late, lost and refused answers, and when it holds."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from robots.mock import MockRobot
from tests.fake_stack import HandExecutor, cube_at, motion_of, scripted_stack
from vla_sim.agent import Agent, TickReport
from vla_sim.deployment.span import Status
from vla_sim.errors import VlaSimError
from vla_sim.stack import AgentConfig
from vla_sim.stages.skills import Outcome
from vla_sim.types import Frame, GraspRequest, Mode, RobotState, Verdict

TASK = "put the red cube in the tray"
REQUEST = GraspRequest("right", np.zeros(3), (0.0,), 0.1, np.zeros(3), 0.7, np.zeros((0, 4)))


class Bench:
    """An agent on the mock robot, with its requests in the test's hands."""

    def __init__(self, command: str = TASK, config: AgentConfig | None = None, **stages: Any) -> None:
        self.robot = MockRobot()
        self.executor = HandExecutor()
        self.stack = replace(scripted_stack(self.robot.spec), **stages)
        self.motion = motion_of(self.stack)
        self.agent = Agent(self.robot.spec, self.stack, self.executor, config or AgentConfig())
        self.agent.begin(command, self.robot.reset(0))

    def planned(self) -> "Bench":
        """Intent and plan have been answered."""
        for stage in ("intent", "planning"):
            self.executor.answer(self.executor.stages().index(stage))
        return self

    def frame(self, time_s: float) -> Frame:
        seen = self.robot.observe(("head",)).frames["head"]
        return Frame("head", time_s, seen.rgb, seen.intrinsics, seen.pose_camera_in_base, seen.depth_m)

    def see(self, time_s: float) -> int:
        """An image goes out; returns the number of its request."""
        self.agent.see(self.frame(time_s))
        return len(self.executor.asked) - 1

    def seen(self, time_s: float) -> None:
        self.executor.answer(self.see(time_s))

    def tick(self, now_s: float) -> TickReport:
        joints = np.zeros(3)
        return self.agent.tick(now_s, RobotState(now_s, joints, joints, np.ones(1), joints))


# Asking


def test_a_command_becomes_a_plan_in_two_requests() -> None:
    bench = Bench().planned()
    assert bench.executor.stages() == ["intent", "planning"]
    assert [str(q) for q in bench.motion.queries] == ["red cube", "tray"]
    assert bench.agent.verdict is None


def test_deadlines_are_those_of_the_configuration() -> None:
    bench = Bench(config=AgentConfig(deadlines_s={"intent": 0.3})).planned()
    assert [request.deadline_s for request in bench.executor.asked] == [0.3, None]


def test_a_late_answer_is_used_and_the_second_one_to_it_is_not() -> None:
    bench = Bench()
    bench.executor.miss(0)
    assert bench.executor.stages() == ["intent", "intent"]
    bench.executor.answer(0, "late")
    bench.executor.answer(1)
    assert bench.executor.stages() == ["intent", "intent", "planning"]
    bench.executor.answer(2)
    assert bench.motion.plans == 1
    assert (bench.agent.counts["deadline_misses"], bench.agent.counts["retries"]) == (1, 1)


def test_a_deadline_after_the_answer_changes_nothing() -> None:
    bench = Bench()
    bench.executor.miss(0)
    bench.executor.answer(0, "late")
    bench.executor.miss(1)
    assert (bench.agent.counts["deadline_misses"], len(bench.executor.asked)) == (1, 3)


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_it_gives_up_after_its_retries(retries: int) -> None:
    bench = Bench(config=AgentConfig(retries=retries))
    for number in range(retries + 1):
        assert bench.agent.verdict is None
        bench.executor.miss(number)
    assert bench.agent.verdict == Verdict(False, "no_intent")
    assert bench.agent.counts["deadline_misses"] == retries + 1
    assert bench.agent.counts["retries"] == retries
    bench.executor.answer(0, "late")  # too late for anything
    assert len(bench.executor.asked) == retries + 1


def test_a_full_site_is_asked_again() -> None:
    bench = Bench()
    bench.executor.answer(0, "rejected")
    assert bench.executor.stages() == ["intent", "intent"]
    assert (bench.agent.counts["deadline_misses"], bench.agent.counts["retries"]) == (0, 1)


def test_a_request_that_misses_its_deadline_and_is_then_rejected_is_asked_again_once() -> None:
    bench = Bench()
    bench.executor.miss(0)
    bench.executor.answer(0, "rejected")
    assert len(bench.executor.asked) == 2
    assert bench.agent.counts["retries"] == 1


def test_a_request_lost_without_a_deadline_is_asked_again() -> None:
    bench = Bench(config=AgentConfig(deadlines_s={}))
    bench.executor.answer(0, "lost")
    assert bench.executor.stages() == ["intent", "intent"]
    assert bench.agent.counts["retries"] == 1


def test_a_lost_request_with_a_deadline_is_asked_again_once() -> None:
    bench = Bench()
    bench.executor.miss(0)
    bench.executor.answer(0, "lost")
    assert len(bench.executor.asked) == 2


def test_a_refusal_ends_it_with_the_reason() -> None:
    bench = Bench("sing me a song")
    bench.executor.answer(0)
    verdict = bench.agent.verdict
    assert verdict is not None
    assert not verdict.success
    assert verdict.reason.startswith("refused: intent refused")
    assert bench.agent.counts["refused"] == 1
    assert bench.executor.stages() == ["intent"]
    assert not bench.agent.wants_frame()


def test_a_stage_that_fails_on_purpose_ends_it_without_being_a_refusal() -> None:
    def broken(_: object) -> None:
        raise VlaSimError("no weights")

    bench = Bench(planning=broken).planned()
    assert bench.agent.verdict == Verdict(False, "failed: no weights")
    assert bench.agent.counts["refused"] == 0


def test_stop_ends_it_at_once_and_the_robot_holds() -> None:
    bench = Bench("stop").planned()
    assert bench.agent.verdict == Verdict(True, "stopped")
    report = bench.tick(0.1)
    assert (report.phase, report.starved, report.command.mode) == ("stopped", True, Mode.HOLD)
    assert bench.motion.plans == 0


# Acting


def test_without_a_plan_it_holds() -> None:
    bench = Bench()
    report = bench.tick(0.0)
    assert (report.phase, report.starved, report.command.mode) == ("wait_plan", True, Mode.HOLD)
    assert np.array_equal(report.command.joints_rad, np.zeros(2))
    assert bench.agent.counts["starved_ticks"] == 1
    assert bench.agent.first_action_s is None


def test_with_a_plan_the_hands_decide() -> None:
    bench = Bench().planned()
    report = bench.tick(0.03)
    assert (report.phase, report.starved, report.command.mode) == ("scripted", False, Mode.TRACK)
    assert np.array_equal(report.command.joints_rad, np.full(2, 0.01))
    assert bench.agent.first_action_s == 0.03
    bench.tick(0.04)
    assert bench.agent.first_action_s == 0.03


def test_safety_has_the_last_word_and_is_counted() -> None:
    bench = Bench().planned()
    bench.motion.step_rad = 1.0
    report = bench.tick(0.0)
    assert report.command.joints_rad == pytest.approx(np.full(2, 0.04))  # 4 rad/s at 100 Hz
    assert report.interventions == bench.agent.counts["interventions"] == 2


def test_a_failed_motion_is_the_agents_verdict() -> None:
    bench = Bench().planned()
    bench.motion.ends = {2: Outcome(False, "missed")}
    bench.tick(0.0)
    assert bench.agent.verdict is None
    bench.tick(0.01)
    assert bench.agent.verdict == Verdict(False, "missed")


def test_a_motion_that_believes_in_its_success_leaves_the_verdict_to_the_world() -> None:
    bench = Bench().planned()
    bench.motion.ends = {1: Outcome(True)}
    bench.tick(0.0)
    assert bench.agent.verdict is None


def test_one_grasp_is_asked_for_at_a_time() -> None:
    bench = Bench().planned()
    bench.motion.wanted = REQUEST
    for k in range(3):
        bench.tick(0.01 * k)
    assert bench.executor.stages().count("grasp") == 1
    bench.executor.answer(2)
    assert len(bench.motion.grasps) == 1
    bench.motion.wanted = REQUEST
    bench.tick(0.04)
    bench.tick(0.05)
    assert bench.executor.stages().count("grasp") == 2


def test_without_a_grasp_it_gives_up() -> None:
    bench = Bench(config=AgentConfig(retries=0)).planned()
    bench.motion.wanted = REQUEST
    bench.tick(0.0)
    bench.executor.miss(2)
    assert bench.agent.verdict == Verdict(False, "no_grasp")


# Seeing


def test_frames_are_skipped_while_enough_are_under_way() -> None:
    bench = Bench(config=AgentConfig(max_in_flight=2))
    bench.executor.busy["perception"] = 1
    assert bench.agent.wants_frame()
    bench.executor.busy["perception"] = 2
    assert not bench.agent.wants_frame()
    assert not bench.agent.wants_frame()
    assert (bench.agent.counts["frames_skipped"], bench.agent.counts["frames"]) == (2, 0)


def test_an_image_is_sent_as_it_is() -> None:
    bench = Bench()
    number = bench.see(0.2)
    request = bench.executor.asked[number]
    assert (request.stage, request.value.time_s, request.deadline_s) == ("perception", 0.2, 2.0)
    assert bench.agent.counts["frames"] == 1


def test_a_late_image_is_a_missed_deadline_and_still_used() -> None:
    bench = Bench().planned()
    number = bench.see(0.0)
    bench.executor.miss(number)
    bench.executor.answer(number, "late")
    assert bench.tick(2.1).detection_age_s == pytest.approx(2.1)
    assert (bench.agent.counts["deadline_misses"], bench.agent.counts["retries"]) == (1, 0)


@pytest.mark.parametrize(("status", "skipped"), [("rejected", 1), ("lost", 0), ("failed", 0)])
def test_lost_sight_leaves_what_was_known(status: Status, skipped: int) -> None:
    bench = Bench().planned()
    bench.seen(0.0)
    bench.executor.answer(bench.see(0.05), status)
    report = bench.tick(0.1)
    assert report.detection_age_s == pytest.approx(0.1)
    assert not report.starved
    assert bench.agent.counts["frames_skipped"] == skipped
    assert bench.agent.verdict is None


def test_sight_never_had_is_no_age_and_no_reason_to_hold() -> None:
    report = Bench().planned().tick(1.0)
    assert math.isnan(report.detection_age_s)
    assert not report.starved
    assert not report.stale


def test_old_sight_is_stale_and_older_sight_holds_until_there_is_new() -> None:
    bench = Bench().planned()
    bench.seen(0.0)
    got = {t: bench.tick(t) for t in (0.2, 0.3, 2.99, 3.01)}
    assert [r.stale for r in got.values()] == [False, True, True, False]
    assert [r.starved for r in got.values()] == [False, False, False, True]
    assert (got[3.01].phase, got[3.01].command.mode) == ("wait_sight", Mode.HOLD)
    assert np.array_equal(got[3.01].command.joints_rad, got[2.99].command.joints_rad)
    assert len(bench.motion.ticks) == 3
    bench.seen(3.0)
    assert not bench.tick(3.05).starved


def test_hands_that_need_no_sight_go_on_without() -> None:
    bench = Bench().planned()
    bench.seen(0.0)
    bench.motion.needs_sight = False
    report = bench.tick(9.0)
    assert (report.starved, report.stale, report.detection_age_s) == (False, False, 9.0)


def test_what_was_seen_before_the_plan_came_is_known_to_it() -> None:
    bench = Bench(config=AgentConfig(frame_buffer=2))
    for time_s in (0.0, 0.05, 0.1):
        bench.seen(time_s)
    bench.planned()
    bench.tick(0.2)
    estimate = bench.motion.ticks[0].estimates["red cube"]
    assert estimate is not None
    assert estimate.observed_s == 0.1


def test_an_older_image_that_arrives_later_does_not_replace_the_newest() -> None:
    bench = Bench(perception=lambda frame: cube_at(frame.time_s, 0.30 if frame.time_s == 0.0 else 0.31)).planned()
    old, new = bench.see(0.0), bench.see(0.05)
    bench.executor.answer(new)
    bench.executor.answer(old)
    report = bench.tick(0.1)
    tick = bench.motion.ticks[0]
    assert report.detection_age_s == pytest.approx(0.05)
    assert tick.others[0].position_in_base[0] == 0.31
    estimate = tick.estimates["red cube"]
    assert estimate is not None
    assert estimate.position_in_base[0] == 0.31


def test_the_reaction_to_an_image_is_the_first_command_after_it() -> None:
    bench = Bench().planned()
    bench.seen(0.0)
    for now_s in (0.04, 0.05):
        bench.tick(now_s)
    bench.seen(0.05)
    bench.tick(0.12)
    assert bench.agent.reactions_s == pytest.approx([0.04, 0.07])
