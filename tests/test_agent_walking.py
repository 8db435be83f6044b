"""The agent on its feet: what it hears, how it asks its way, and what it remembers while it walks."""

from dataclasses import replace

import numpy as np
import pytest

from robots.mock import MockRobot
from tests.fake_stack import HandExecutor, motion_of, scripted_stack
from vla_sim.agent import Agent, TickReport
from vla_sim.stack import AgentConfig
from vla_sim.stages.walking import VALID_S, Goal
from vla_sim.types import (
    Frame,
    Mode,
    NavigationAnswer,
    NavigationRequest,
    Region,
    RobotState,
    Scan,
    SiteMap,
    Verdict,
)

TASK = "put the red cube in the tray"
SITE = SiteMap(regions=(Region("kitchen", "room", np.array([[0, 0], [4, 0], [4, 4.0]])),))


class Way:
    """Navigation that always says the same."""

    def __init__(self) -> None:
        self.sites: list[SiteMap] = []

    def reset(self, site: SiteMap) -> None:
        self.sites.append(site)

    def __call__(self, request: NavigationRequest) -> NavigationAnswer:
        velocity = np.array([0.3, 0.0, 0.1])
        return NavigationAnswer(request.scan.time_s, velocity, "moving", np.zeros((0, 2)), np.zeros(3), 1.0)


class Bench:
    """An agent with navigation, its requests in the test's hands."""

    def __init__(self, config: AgentConfig | None = None) -> None:
        self.robot, self.executor, self.way = MockRobot(), HandExecutor(), Way()
        self.stack = replace(scripted_stack(self.robot.spec), navigation=self.way)
        self.motion = motion_of(self.stack)
        self.agent = Agent(self.robot.spec, self.stack, self.executor, config or AgentConfig())
        self.agent.begin(TASK, self.robot.reset(0), SITE)
        self.answer_all()
        self.motion.needs_sight = False

    def answer_all(self) -> None:
        done = 0
        while done < len(self.executor.asked):
            if self.executor.asked[done].stage in ("intent", "planning") and done not in self._answered:
                self._answered.add(done)
                self.executor.answer(done)
            done += 1

    @property
    def _answered(self) -> set[int]:
        return self.__dict__.setdefault("answered", set())

    def tick(self, now_s: float, x: float = 0.0, standing: bool = True) -> TickReport:
        return self.agent.tick(now_s, state(now_s, x, standing))

    def turn(self, time_s: float) -> None:
        """A whole turn of the lidar arrives."""
        for k in range(5):
            part = np.array([[3.0, 0.1 * k, 1.0]], np.float32)
            self.agent.scan(Scan(time_s, part, np.array([True]), np.zeros(3), np.eye(4)))

    @property
    def ways(self) -> list[NavigationRequest]:
        return [asked.value for asked in self.executor.asked if asked.stage == "navigation"]


def state(time_s: float, x: float = 0.0, standing: bool = True) -> RobotState:
    pose = np.eye(4)
    pose[0, 3] = x
    joints = np.zeros(3)
    return RobotState(time_s, joints, joints, np.ones(1), joints, pose, np.array([x, 0.0, 0.0]), np.zeros(3), standing)


def frame(time_s: float, bench: Bench, x: float) -> Frame:
    seen = bench.robot.observe(("head",)).frames["head"]
    pose = np.eye(4)
    pose[0, 3] = x
    return replace(seen, time_s=time_s, pose_base_in_odom=pose)


# Hearing


def test_a_spoken_stop_acts_in_the_same_tick_and_asks_nobody() -> None:
    bench = Bench()
    bench.tick(0.0)
    asked = len(bench.executor.asked)
    bench.agent.hear("stop", 0.01)
    report = bench.tick(0.01)
    assert report.command.mode is Mode.HOLD
    assert not report.command.base_velocity.any()
    assert len(bench.executor.asked) == asked


def test_a_stopped_task_is_given_up_after_a_while() -> None:
    bench = Bench(AgentConfig(stopped_s=1.0))
    bench.agent.hear("emergency stop", 2.0)
    bench.tick(2.9)
    assert bench.agent.verdict is None
    bench.tick(3.1)
    assert bench.agent.verdict == Verdict(False, "stopped")


@pytest.mark.parametrize("said", ["touch the hot surface", "put the red banana in the tray", "go to the bathroom"])
def test_a_command_that_cannot_be_done_is_refused_counted_and_the_task_goes_on(said: str) -> None:
    bench = Bench()
    bench.agent.hear(said, 1.0)
    bench.answer_all()
    assert bench.agent.counts["refused"] == 1
    assert len(bench.agent.refusals) == 1
    assert bench.agent.verdict is None
    assert bench.motion.plans == 1
    assert bench.tick(1.1).command.mode is Mode.TRACK


def test_a_command_that_can_be_done_takes_the_place_of_the_task() -> None:
    bench = Bench()
    bench.agent.hear("pick up the blue ball", 1.0)
    bench.answer_all()
    assert bench.motion.plans == 2
    assert [str(query) for query in bench.motion.queries] == ["blue ball"]


def test_a_place_that_is_not_on_the_map_ends_a_task_that_begins_with_it() -> None:
    bench = Bench()
    bench.agent.begin("go to the bathroom", bench.robot.reset(0), SITE)
    bench.answer_all()
    assert bench.agent.verdict is not None
    assert "bathroom" in bench.agent.verdict.reason


# Finding the way


def test_the_way_is_asked_from_a_whole_turn_at_navigations_own_rate() -> None:
    bench = Bench()
    assert bench.way.sites == [SITE]
    bench.motion.goal_now = Goal(np.array([2.0, 0.0, 0.0]))
    bench.tick(0.0)
    assert not bench.ways
    bench.turn(0.0)
    for k in range(1, 21):
        bench.tick(0.01 * k)
        bench.executor.busy.clear()
    assert len(bench.ways) == 2
    assert bench.ways[0].goal_in_site.tolist() == [2.0, 0.0, 0.0]
    assert len(bench.ways[0].scan.points_in_base) == 5


def test_without_a_goal_nobody_is_asked() -> None:
    bench = Bench()
    bench.turn(0.0)
    bench.tick(0.1)
    assert not bench.ways


def test_an_answer_is_handed_to_the_skills() -> None:
    bench = Bench()
    bench.motion.goal_now = Goal(np.array([2.0, 0.0, 0.0]))
    bench.turn(0.0)
    bench.tick(0.0)
    number = next(i for i, asked in enumerate(bench.executor.asked) if asked.stage == "navigation")
    bench.executor.answer(number)
    assert [answer.status for answer in bench.motion.answers] == ["moving"]
    assert 1 / AgentConfig().navigation_rate_hz < VALID_S


# Remembering


def test_what_was_seen_stays_in_place_while_the_robot_walks() -> None:
    """Seen 0.3 m ahead from x = 1; from x = 1.2 it is 0.1 m ahead, whenever the answer comes."""
    bench = Bench()
    bench.tick(0.0, x=1.0)
    bench.agent.see(frame(0.0, bench, x=1.0))
    number = len(bench.executor.asked) - 1
    bench.tick(0.5, x=1.2)
    bench.executor.answer(number)
    bench.tick(0.51, x=1.2)
    estimate = bench.motion.ticks[-1].estimates["red cube"]
    assert estimate is not None
    np.testing.assert_allclose(estimate.position_in_base[:2], [0.1, 0.2], atol=1e-9)
    seen = bench.motion.ticks[-1].others
    np.testing.assert_allclose(seen[0].position_in_base[:2], [0.1, 0.2], atol=1e-9)


def test_no_picture_is_taken_in_the_middle_of_a_step_or_when_nobody_looks() -> None:
    bench = Bench()
    bench.tick(0.0, standing=False)
    assert not bench.agent.wants_frame()
    bench.tick(0.01)
    assert bench.agent.wants_frame()
    bench.motion.sees = False
    assert not bench.agent.wants_frame()


def test_a_robot_that_stands_at_its_work_needs_no_lidar() -> None:
    bench = Bench()
    bench.tick(0.0)
    assert not bench.agent.wants_scan()
    bench.tick(0.01, standing=False)
    assert bench.agent.wants_scan()
    bench.tick(0.02)
    bench.motion.legs = True
    assert bench.agent.wants_scan()


def test_people_seen_walking_are_told_to_safety_where_they_are_by_now() -> None:
    """Seen at x = 3 coming at 1 m/s; half a second later, from a robot at x = 0.5, he is 2 m away and still coming."""
    bench = Bench()
    bench.motion.goal_now = Goal(np.array([2.0, 0.0, 0.0]))
    bench.turn(0.0)
    bench.tick(0.0)
    seen = NavigationAnswer(
        0.0, np.zeros(3), "moving", np.zeros((0, 2)), np.zeros(3), 1.0,
        people_in_site=np.array([[3.0, 0.2, -1.0, 0.0]]),
    )  # fmt: skip
    bench.agent._walked = seen
    bench.tick(0.5, x=0.5)
    around = bench.agent._surroundings()
    np.testing.assert_allclose(around.people_in_base, [[2.0, 0.2]], atol=1e-9)
    assert around.people_velocity is not None
    np.testing.assert_allclose(around.people_velocity, [[-1.0, 0.0]], atol=1e-9)
    bench.tick(1.5, x=0.5)
    assert len(bench.agent._surroundings().people_in_base) == 0
