"""A whole run (stack, deployment, records) against stepping the same world and rendering the same images bare."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from envs.task_env import TaskEnv
from experiments.bench.timing import Row, median_ratio, timed
from vla_sim import configuration as conf
from vla_sim.harness.experiment import run_experiment
from vla_sim.types import Command, Frame

PAIRS = 5
OVERRIDES = ["env=pick_place", "episodes=3", "video=false"]


def harness_row() -> Row:
    """A run against its own world bare: the same motor targets replayed, the same images rendered, nothing else."""
    config = conf.compose(OVERRIDES)
    settings = conf.settings_of(config, OVERRIDES)
    robot = conf.build_robot(config)
    env: TaskEnv = robot.env  # type: ignore[attr-defined]
    stack = conf.build_stack(config, robot.spec)
    ours, bare = [], []
    with tempfile.TemporaryDirectory() as folder:
        for pair in range(-1, PAIRS):  # the first compiles and fills caches
            one = replace(settings, episode=replace(settings.episode, seed=pair + 1))
            script = _Script(env)
            took = timed(partial(run_experiment, robot, stack, one, Path(folder), lambda _: None))
            script.stop()
            reference = timed(script.replay)
            if pair >= 0:
                ours.append(took)
                bare.append(reference)
    robot.close()
    ratio = median_ratio(ours, bare)
    return ("run / bare world", f"{np.median(ours):.2f} s", f"{np.median(bare):.2f} s", f"{ratio:.2f}", "<= 1.3")


class _Script:
    """What a run did to its world: seeds, motor targets and images, to be done again by PyBullet and renderer alone."""

    def __init__(self, env: TaskEnv) -> None:
        self.env, self.steps = env, []  # type: ignore[var-annotated]
        self._restart, self._advance, self._capture = env.restart, env.advance, env.capture
        env.restart, env.advance, env.capture = self._note_restart, self._note_advance, self._note_capture  # type: ignore[method-assign]

    def _note_restart(self, seed: int) -> None:
        self.steps.append(("restart", seed))
        self._restart(seed)

    def _note_advance(self, command: Command) -> Command:
        sent = self._advance(command)
        self.steps.append(("advance", self.env.world.robot.targets()))
        return sent

    def _note_capture(self, camera: str) -> Frame:
        self.steps.append(("capture", camera))
        return self._capture(camera)

    def stop(self) -> None:
        """Take the notes no longer."""
        self.env.restart, self.env.advance, self.env.capture = self._restart, self._advance, self._capture  # type: ignore[method-assign]

    def replay(self) -> None:
        """Do it all again, bare."""
        for what, value in self.steps:
            if what == "advance":
                self.env.world.robot.drive(value)
                self.env.world.step(control=False)
            else:
                getattr(self.env, what)(value)
