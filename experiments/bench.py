"""How fast it runs here: ratios within one run, so that a noisy machine cannot lie. `make bench`.

1. A whole run (stack, deployment, records) against stepping the same world and rendering the same images bare.
2. Our rasteriser against PyBullet's TinyRenderer, 224x224 RGB + depth + segmentation of the G1 at its table.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import envs
from envs.rendering.tiny import TinyRenderer
from envs.tabletop import TabletopEnv
from vla_sim import configuration as conf
from vla_sim.harness.experiment import run_experiment
from vla_sim.types import Command, Frame, Intrinsics

PAIRS, FRAMES = 5, 30
OVERRIDES = ["env=pick_place", "episodes=3", "video=false"]


def main() -> None:
    """Measure both and print the table."""
    table = Table(title="benchmark: medians of ratios within this run")
    for column in ("what", "ours", "reference", "ratio", "wanted"):
        table.add_column(column)
    table.add_row(*harness_row())
    table.add_row(*renderer_row())
    Console().print(table)


def harness_row() -> tuple[str, ...]:
    """A run against its own world bare: the same motor targets replayed, the same images rendered, nothing else."""
    config = conf.compose(OVERRIDES)
    settings = conf.settings_of(config, OVERRIDES)
    robot = conf.build_robot(config)
    env: TabletopEnv = robot.env  # type: ignore[attr-defined]
    stack = conf.build_stack(config, robot.spec)
    ours, bare = [], []
    with tempfile.TemporaryDirectory() as folder:
        for pair in range(-1, PAIRS):  # the first compiles and fills caches
            one = replace(settings, episode=replace(settings.episode, seed=pair + 1))
            script = _Script(env)
            took = _timed(partial(run_experiment, robot, stack, one, Path(folder), lambda _: None))
            script.stop()
            reference = _timed(script.replay)
            if pair >= 0:
                ours.append(took)
                bare.append(reference)
    robot.close()
    ratio = statistics.median(a / b for a, b in zip(ours, bare, strict=True))
    return ("run / bare world", f"{np.median(ours):.2f} s", f"{np.median(bare):.2f} s", f"{ratio:.2f}", "<= 1.3")


class _Script:
    """What a run did to its world: seeds, motor targets and images, to be done again by PyBullet and renderer alone."""

    def __init__(self, env: TabletopEnv) -> None:
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
                self.env.world.step()
            else:
                getattr(self.env, what)(value)


def renderer_row() -> tuple[str, ...]:
    """One frame of the robot at its table, by both renderers in alternation."""
    env = envs.make("VlaSim/PickPlace-v0")
    env.restart(3)
    cameras = env.cameras
    intrinsics = Intrinsics.from_fov(224, 224, np.radians(60))
    pose = cameras.pose_in_world(cameras.specs["third_person"])
    tiny = TinyRenderer(env.world.client)
    parts = cameras.part_poses()
    ours, theirs = [], []
    for i in range(FRAMES + 1):
        a = _timed(lambda: cameras.renderer.render(intrinsics, pose, parts))
        b = _timed(lambda: tiny.render(intrinsics, pose, parts))
        if i:
            ours.append(a)
            theirs.append(b)
    env.close()
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    name = f"raster / TinyRenderer, {len(cameras.scene.faces)} triangles"
    return (name, f"{1e3 * np.median(ours):.2f} ms", f"{1e3 * np.median(theirs):.2f} ms", f"{ratio:.3f}", "<= 0.2")


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
