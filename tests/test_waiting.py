"""Held for want of an answer: how long, in both modes, and the safe stop at its end."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.test_agent import Bench
from vla_sim.errors import ConfigError
from vla_sim.stack import AgentConfig
from vla_sim.stages.walking import Goal
from vla_sim.types import Mode, NavigationAnswer
from vla_sim.waiting import Waiting


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_the_time_held_is_the_ticks_held(waits: list[bool]) -> None:
    waiting = Waiting(None)
    for i, held in enumerate([*waits, False]):
        assert not waiting.note(0.01 * i, held)
    assert waiting.held_s == pytest.approx(0.01 * sum(waits))


def test_only_an_unbroken_wait_is_too_long() -> None:
    waiting = Waiting(1.0)
    assert not any(waiting.note(0.1 * i, i != 5) for i in range(15))
    assert [waiting.note(t, True) for t in (1.5, 1.59, 1.6)] == [False, False, True]


def blind(bench: Bench, until_s: float, step_s: float = 0.1) -> float:
    """Ticks without a new image until the agent gives up; when that was."""
    now_s = 0.0
    while bench.agent.verdict is None and now_s < until_s:
        bench.tick(now_s)
        now_s = round(now_s + step_s, 9)
    return now_s


def test_a_robot_whose_questions_nobody_answers_holds_and_then_stops_for_good() -> None:
    bench = Bench(config=AgentConfig(safe_stop_after_s=2.0)).planned()
    bench.seen(0.0)
    stopped_s = blind(bench, 20.0)
    hold_after_s = bench.motion.config.hold_after_s
    assert bench.agent.verdict is not None
    assert bench.agent.verdict.reason == "safe_stop"
    assert stopped_s == pytest.approx(hold_after_s + 2.0, abs=0.35)
    assert bench.agent.waiting.held_s == pytest.approx(2.0, abs=0.15)
    assert bench.agent.emergency_stop.latched
    assert bench.tick(stopped_s).command.mode is Mode.HOLD


def test_without_a_limit_it_waits_for_as_long_as_the_task_does() -> None:
    bench = Bench(config=AgentConfig(safe_stop_after_s=None)).planned()
    bench.seen(0.0)
    assert blind(bench, 60.0) == pytest.approx(60.0)


def test_waiting_for_the_way_counts_too() -> None:
    bench = Bench(config=AgentConfig(safe_stop_after_s=1.0)).planned()
    bench.motion.needs_sight = False
    walk = bench.motion.walk
    walk.go(Goal(np.zeros(3)), 0.0)
    walk.answer(NavigationAnswer(0.0, np.array([0.3, 0.0, 0.0]), "moving", np.zeros((0, 2)), np.zeros(3), 1.0), 0.0)
    assert blind(bench, 10.0) == pytest.approx(0.4 + 1.0 + 0.1, abs=0.15)  # an answer is walked by for 0.35 s
    assert bench.agent.verdict is not None


def test_a_spoken_stop_is_no_wait() -> None:
    bench = Bench(config=AgentConfig(safe_stop_after_s=1.0, stopped_s=30.0)).planned()
    bench.agent.hear("stop", 0.0)
    assert blind(bench, 10.0) == pytest.approx(10.0)
    assert bench.agent.waiting.held_s == 0.0


# Sync


def test_in_sync_mode_it_holds_from_an_image_to_its_answer_and_then_acts() -> None:
    bench = Bench(config=AgentConfig(mode="sync", sync_act_s=0.4)).planned()
    bench.seen(0.0)
    assert bench.tick(0.1).phase == "scripted"
    assert not bench.agent.wants_frame()  # it acts on what it saw
    bench.tick(0.45)
    assert bench.agent.wants_frame()
    number = bench.see(0.5)
    assert bench.tick(0.51).phase == "wait_answer"
    assert not bench.agent.wants_frame()
    bench.executor.answer(number, at_s=0.8)
    assert bench.tick(0.81).phase == "scripted"
    assert bench.agent.counts["starved_ticks"] == 1


def test_in_async_mode_it_goes_on_meanwhile() -> None:
    bench = Bench().planned()
    bench.seen(0.0)
    bench.tick(0.45)
    bench.see(0.5)
    assert bench.tick(0.51).phase == "scripted"
    assert bench.agent.wants_frame()


@pytest.mark.parametrize(("key", "value"), [("safe_stop_after_s", 0.0), ("sync_act_s", -0.1)])
def test_what_cannot_be_is_refused(key: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"stack.agent.{key}"):
        replace(AgentConfig(), **{key: value})
