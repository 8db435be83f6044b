from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vla_sim import configuration as conf
from vla_sim.profile import NAMES, prepare, record, stage_job
from vla_sim.profiles.bench import run
from vla_sim.profiles.recording import STAGES, Log, Tap
from vla_sim.spec import RobotSpec
from vla_sim.types import Command, Mode

TASK = ("env=pick_place", "episodes=1", "device@devices.robot=native", "video=false")
Recorded = tuple[RobotSpec, dict[str, Log]]


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    """What every stage of the real stack was given in one episode of picking."""
    return record(TASK, NAMES)


def stage(spec: RobotSpec, log: Log) -> Any:
    return prepare(None, TASK, spec, log.stage.field)()


def test_the_names_of_the_command_are_the_stages() -> None:
    assert set(NAMES) == set(STAGES)


def test_every_stage_of_the_task_was_asked(recorded: Recorded) -> None:
    _, logs = recorded
    assert (logs["intent"].units, logs["planning"].units, logs["navigation"].units) == (1, 1, 0)
    assert logs["grasp"].units >= 1
    assert logs["perception"].units >= 10
    assert logs["safety"].units >= logs["control"].units >= 100
    assert logs["navigation"].calls  # it was told of the place, and asked nothing


def test_a_replay_of_control_gives_the_commands_that_safety_was_given(recorded: Recorded) -> None:
    spec, logs = recorded
    motion = stage(spec, logs["control"])
    replayed: list[Command] = []
    for call in logs["control"].calls:
        answer = getattr(motion, call.method)(*call.arguments, **call.named)
        if call.method == "command":
            replayed.append(answer)
    asked = [call.arguments[0] for call in logs["safety"].calls]
    moving = [command for command in asked if command.mode is not Mode.HOLD]
    assert len(moving) == len(replayed)
    for mine, theirs in zip(replayed, moving, strict=True):
        np.testing.assert_array_equal(mine.joints_rad, theirs.joints_rad)
        np.testing.assert_array_equal(mine.grips, theirs.grips)


def test_a_replay_of_grasps_gives_what_control_was_answered(recorded: Recorded) -> None:
    spec, logs = recorded
    planner = stage(spec, logs["grasp"])
    mine = [planner(*call.arguments) for call in logs["grasp"].calls]
    theirs = [call.arguments[0] for call in logs["control"].calls if call.method == "answer"]
    assert [grasp.yaw_rad for grasp in mine] == [grasp.yaw_rad for grasp in theirs]


def test_jobs_of_stages_with_a_memory_can_be_timed(recorded: Recorded) -> None:
    spec, logs = recorded
    for name in ("control", "safety", "perception"):
        job = stage_job(TASK, spec, logs[name], calls=30, seconds=1.0)
        assert job.wanted % logs[name].units == 0
        assert job.wanted - logs[name].units < 30 <= job.wanted
        found = run(job)
        assert 1 <= found.warm.calls <= job.wanted
        assert 0.001 < found.warm.p50_ms < 1000


def test_stages_asked_once_end_their_episodes_early() -> None:
    words = ("env=reach", "episodes=2", "device@devices.robot=native")
    _, logs = record(words, ("intent", "planning"))
    assert [log.units for log in logs.values()] == [2, 2]
    assert conf.settings_of(conf.compose(words), words).episodes == 2


def test_a_tap_does_what_its_stage_does_and_copies_bare_arrays() -> None:
    class Doubler:
        factor = 2

        def __call__(self, values: np.ndarray, *, shift: float = 0.0) -> np.ndarray:
            return self.factor * values + shift

        def reset(self, factor: int) -> None:
            self.factor = factor

        def other(self) -> str:
            return "not recorded"

    log = Log(STAGES["navigation"])
    tap = Tap(Doubler(), log)
    buffer = np.array([1.0, 2.0])
    tap.reset(3)
    np.testing.assert_array_equal(tap(buffer, shift=1.0), [4.0, 7.0])
    assert tap.other() == "not recorded"
    assert tap.factor == 3
    buffer[:] = 0.0
    assert [call.method for call in log.calls] == ["reset", "__call__"]
    np.testing.assert_array_equal(log.calls[1].arguments[0], [1.0, 2.0])
    assert log.calls[1].named == {"shift": 1.0}
    assert log.units == 1
