"""A run: episodes one after the other, their records, metrics and pictures in one folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vla_sim.clock import NS
from vla_sim.errors import ConfigError, nearest
from vla_sim.harness.budgets import Budget
from vla_sim.harness.episode import Episode, EpisodeSettings
from vla_sim.harness.manifest import build_manifest
from vla_sim.harness.metrics import compute_metrics
from vla_sim.harness.video import Mp4Writer
from vla_sim.robot import Robot
from vla_sim.stack import Stack
from vla_sim.telemetry.recorder import EpisodeRow, Recorder
from vla_sim.telemetry.store import atomic_write_bytes, atomic_write_json, content_hash
from vla_sim.types import Frame

THUMBNAIL_EVERY_NS = NS  # of simulated time
THUMBNAIL_WIDTH = 160
FILM_CAMERA = "third_person"


@dataclass(frozen=True)
class RunSettings:
    """One variant of an experiment."""

    episodes: int
    episode: EpisodeSettings
    budget: Budget
    video: bool
    config: Mapping[str, Any]  # as composed, for the record
    config_text: str  # the same as YAML
    overrides: tuple[str, ...] = ()
    variant: str = ""

    def __post_init__(self) -> None:
        if self.episodes < 1:
            raise ConfigError("episodes", f"at least one is needed, got {self.episodes}")
        if self.episode.delay_s is not None and not 0 <= self.episode.delay_s <= 60:
            raise ConfigError("delay_ms", f"must lie between 0 and 60000, got {self.episode.delay_s * 1e3:g}")


def run_experiment(
    robot: Robot, stack: Stack, settings: RunSettings, folder: Path, on_episode: Callable[[EpisodeRow], None]
) -> dict[str, Any]:
    """Play all episodes, write the run folder, return the metrics. `on_episode` is told of each one that is over."""
    if settings.episode.agent.camera not in robot.spec.cameras:
        raise ConfigError(
            "stack.agent.camera", f"the robot has no camera {settings.episode.agent.camera!r}",
            nearest(settings.episode.agent.camera, robot.spec.cameras),
        )  # fmt: skip
    recorder = Recorder(robot.spec.upper_joints, robot.spec.hands)
    rows = []
    for number in range(settings.episodes):
        episode = Episode(robot, stack, settings.episode, recorder, number)
        with _Pictures(robot, folder, settings, number) as pictures:
            rows.append(episode.run(pictures.watch, pictures.film))
        on_episode(rows[-1])
    return _write(robot, settings, folder, recorder, rows)


def _write(
    robot: Robot, settings: RunSettings, folder: Path, recorder: Recorder, rows: list[EpisodeRow]
) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    recorder.write(folder)
    atomic_write_bytes(folder / "config.yaml", settings.config_text.encode())
    manifest = build_manifest(
        settings.config, content_hash(folder), [row.seed for row in rows],
        control_rate_hz=robot.spec.control_rate_hz, overrides=settings.overrides, variant=settings.variant,
    )  # fmt: skip
    atomic_write_json(folder / "manifest.json", manifest)
    tables = {name: table.to_pandas() for name, table in recorder.tables().items()}
    metrics = compute_metrics(
        tables["episodes"], tables["spans"], tables["ticks"], settings.budget, robot.spec.upper_joints,
        robot.spec.control_rate_hz,
    )  # fmt: skip
    atomic_write_json(folder / "metrics.json", metrics)
    return metrics


class _Pictures:
    """Thumbnails of what the robot saw and a film from the room, of the first episode alone."""

    def __init__(self, robot: Robot, folder: Path, settings: RunSettings, number: int) -> None:
        self._robot, self._folder, self._number = robot, folder, number
        self._first = number == 0
        self._next_ns = 0
        films = self._first and settings.video and FILM_CAMERA in robot.spec.cameras
        path = folder / "video" / f"episode_{number}.mp4"
        self._film = Mp4Writer(path, settings.episode.agent.camera_rate_hz) if films else None

    def __enter__(self) -> _Pictures:
        return self

    def __exit__(self, *_: object) -> None:
        if self._film is not None:
            self._film.close()

    @property
    def watch(self) -> Callable[[int, Frame], None] | None:
        return self._thumbnail if self._first else None

    @property
    def film(self) -> Callable[[], None] | None:
        return self._shoot if self._film is not None else None

    def _shoot(self) -> None:
        assert self._film is not None
        self._film.add(self._robot.observe((FILM_CAMERA,)).frames[FILM_CAMERA].rgb)

    def _thumbnail(self, now_ns: int, frame: Frame) -> None:
        if now_ns < self._next_ns:
            return
        self._next_ns = now_ns + THUMBNAIL_EVERY_NS
        height = round(THUMBNAIL_WIDTH * frame.rgb.shape[0] / frame.rgb.shape[1])
        small = cv2.resize(frame.rgb, (THUMBNAIL_WIDTH, height), interpolation=cv2.INTER_AREA)
        _, png = cv2.imencode(".png", np.ascontiguousarray(small[..., ::-1]))
        name = f"e{self._number}_t{round(now_ns / NS * 1e3)}.png"
        target = self._folder / "figures" / "frames" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        atomic_write_bytes(target, png.tobytes())
