"""A whole run against the same world bare, and against the same world with the same stack but without the harness."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from envs.task_env import TaskEnv
from experiments.bench.timing import Row, median_ratio, timed
from vla_sim import configuration as conf
from vla_sim.harness.experiment import RunSettings, run_experiment
from vla_sim.robot import Robot
from vla_sim.stack import Stack
from vla_sim.types import Command, Frame

PAIRS = 5
OVERRIDES = ["env=pick_place", "episodes=3", "video=false"]
STAGES = ("intent", "planning", "perception", "grasp", "navigation", "motion", "safety", "tracker")


def harness_rows() -> list[Row]:
    """A run against what it did to its world alone, and against what it did to its world and asked of its stack.

    Bare: the same motor targets, the same images, nothing else. With the stack: the robot's own control, and every call
    of a stage with the very same input too; what is left is the harness: clock, deployment, agent and records.
    """
    config = conf.compose(OVERRIDES)
    settings = conf.settings_of(config, OVERRIDES)
    robot = conf.build_robot(config)
    env: TaskEnv = robot.env  # type: ignore[attr-defined]
    stack = conf.build_stack(config, robot.spec)
    ours, bare, stacked = [], [], []
    for pair in range(-1, PAIRS):  # the first compiles and fills caches
        one = replace(settings, episode=replace(settings.episode, seed=pair + 1))
        script = _Script(env)
        _play(robot, script.noting(stack), one)  # untimed: taking notes costs time
        script.stop()
        took = timed(partial(_play, robot, stack, one))
        times = timed(script.replay_bare), timed(script.replay_with_stack)
        if pair >= 0:
            ours.append(took)
            bare.append(times[0])
            stacked.append(times[1])
    robot.close()
    return [
        _row("run / bare world", ours, bare, "<= 1.3"),
        _row("run / world and stack", ours, stacked, "<= 1.1"),
    ]


def _play(robot: Robot, stack: Stack, settings: RunSettings) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run_experiment(robot, stack, settings, Path(folder), lambda _: None)


def _row(what: str, ours: list[float], reference: list[float], wanted: str) -> Row:
    ratio = median_ratio(ours, reference)
    return (what, f"{np.median(ours):.2f} s", f"{np.median(reference):.2f} s", f"{ratio:.2f}", wanted)


class _Noted:
    """Something whose calls are written down, to be made again."""

    def __init__(self, inner: Any, note: Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any]], None]) -> None:
        self._inner, self._note = inner, note

    def __call__(self, *args: Any, **named: Any) -> Any:
        self._note(self._inner, args, named)
        made = self._inner(*args, **named)
        return _Noted(made, self._note) if hasattr(made, "estimate") else made  # a tracker is made for each object

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if not callable(value):
            return value

        def call(*args: Any, **named: Any) -> Any:
            self._note(value, args, named)
            return value(*args, **named)

        return call


class _Script:
    """What a run did: seeds, commands, motor targets, images, and calls of stages with their inputs."""

    def __init__(self, env: TaskEnv) -> None:
        self.env, self.steps = env, []  # type: ignore[var-annotated]
        self._restart, self._advance, self._capture = env.restart, env.advance, env.capture
        env.restart, env.advance, env.capture = self._note_restart, self._note_advance, self._note_capture  # type: ignore[method-assign]

    def noting(self, stack: Stack) -> Stack:
        """The stack, with its calls written down."""
        noted: dict[str, Any] = {name: _Noted(getattr(stack, name), self._note_call) for name in STAGES}
        return replace(stack, **noted)

    def _note_call(self, call: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> None:
        self.steps.append(("call", (call, args, named)))

    def _note_restart(self, seed: int) -> None:
        self.steps.append(("restart", seed))
        self._restart(seed)

    def _note_advance(self, command: Command, late_s: float = 0.0) -> Command:
        sent = self._advance(command, late_s)
        self.steps.append(("advance", (command, self.env.world.robot.targets())))
        return sent

    def _note_capture(self, camera: str) -> Frame:
        self.steps.append(("capture", camera))
        return self._capture(camera)

    def stop(self) -> None:
        """Take the notes no longer."""
        self.env.restart, self.env.advance, self.env.capture = self._restart, self._advance, self._capture  # type: ignore[method-assign]

    def replay_bare(self) -> None:
        """The world again, by PyBullet and renderer alone."""
        for what, value in self.steps:
            if what == "advance":
                self.env.world.robot.drive(value[1])
                self.env.world.step(control=False)
            elif what != "call":
                getattr(self.env, what)(value)

    def replay_with_stack(self) -> None:
        """World, robot and stack again, called directly."""
        for what, value in self.steps:
            if what == "advance":
                self.env.advance(value[0])
                self.env.robot_state()
            elif what == "call":
                call, args, named = value
                call(*args, **named)
            else:
                getattr(self.env, what)(value)
