"""A run: episodes one after the other, each kept as soon as it is over; then one folder of records and metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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
from vla_sim.harness.objective import Objective
from vla_sim.harness.resume import Request, Resume, begin
from vla_sim.harness.sequential import StopRule, decision
from vla_sim.harness.video import Mp4Writer
from vla_sim.robot import Robot
from vla_sim.stack import Stack
from vla_sim.telemetry.parts import Parts
from vla_sim.telemetry.recorder import EpisodeRow, Recorder
from vla_sim.telemetry.store import atomic_write_bytes, atomic_write_json, atomic_write_parquet, content_hash
from vla_sim.types import Frame

THUMBNAIL_EVERY_NS = NS // 2  # of simulated time
THUMBNAIL_QUALITY = 85  # JPEG; 4 kB
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
    resume: Resume = "auto"
    gates: tuple[str, ...] = ()  # what its metrics must reach
    objective: Objective = field(default_factory=Objective)  # what a search over variants is after
    stop_when: StopRule | None = None  # None = play all episodes

    @property
    def request(self) -> Request:
        """The run as `vla_sim.harness.resume` compares it with what lies in a folder."""
        return Request(self.config_text, self.overrides, self.episodes, self.resume)

    def __post_init__(self) -> None:
        if self.episodes < 1:
            raise ConfigError("episodes", f"at least one is needed, got {self.episodes}")
        if self.episode.delay_s is not None and not 0 <= self.episode.delay_s <= 60:
            raise ConfigError("delay_ms", f"must lie between 0 and 60000, got {self.episode.delay_s * 1e3:g}")


def run_experiment(
    robot: Robot,
    stack: Stack,
    settings: RunSettings,
    folder: Path,
    on_episode: Callable[[EpisodeRow], None],
    on_kept: Callable[[EpisodeRow], None] = lambda row: None,
) -> dict[str, Any]:
    """Play the episodes that are not there yet, write the run folder, return the metrics.

    `on_episode` is told of each episode that is over, `on_kept` of each that an earlier process left in the folder.
    Raises ConfigError when the folder holds something else.
    """
    if settings.episode.agent.camera not in robot.spec.cameras:
        raise ConfigError(
            "stack.agent.camera", f"the robot has no camera {settings.episode.agent.camera!r}",
            nearest(settings.episode.agent.camera, robot.spec.cameras),
        )  # fmt: skip
    parts = begin(folder, settings.request)
    try:
        rows: list[EpisodeRow] = []
        enough = None
        while len(rows) < settings.episodes and enough is None:
            row = parts.row(len(rows))
            if row is None:
                row = _play(robot, stack, settings, parts, len(rows))
                on_episode(row)
            else:
                on_kept(row)
            rows.append(row)
            enough = _enough(settings, rows)
        metrics = _write(robot, settings, folder, parts, rows, enough)
        parts.clear()
        return metrics
    finally:
        parts.close()


def _play(robot: Robot, stack: Stack, settings: RunSettings, parts: Parts, number: int) -> EpisodeRow:
    recorder = Recorder(robot.spec.upper_joints, robot.spec.hands)
    episode = Episode(robot, stack, settings.episode, recorder, number)
    with parts.room(number) as room:
        with _Pictures(robot, room, settings, number) as pictures:
            row = episode.run(pictures.watch, pictures.film)
        recorder.write(room)
    return row


def _enough(settings: RunSettings, rows: Sequence[EpisodeRow]) -> str | None:
    """Why no more episodes are needed; None while they are."""
    rule = settings.stop_when
    if rule is None or len(rows) == settings.episodes:
        return None
    verdict = decision([row.success for row in rows], rule)
    return None if verdict is None else f"{rule.parsed} {verdict}"


def _write(
    robot: Robot, settings: RunSettings, folder: Path, parts: Parts, rows: Sequence[EpisodeRow], enough: str | None
) -> dict[str, Any]:
    """The run folder. Its manifest comes last: with it the run is whole."""
    numbers = [row.episode for row in rows]
    tables = parts.tables(numbers)
    for name, table in tables.items():
        atomic_write_parquet(folder / f"{name}.parquet", table)
    parts.move_pictures(numbers)
    atomic_write_bytes(folder / "config.yaml", settings.config_text.encode())
    frames = {name: table.to_pandas() for name, table in tables.items()}
    metrics = compute_metrics(
        frames["episodes"], frames["spans"], frames["ticks"], settings.budget, robot.spec.upper_joints,
        robot.spec.control_rate_hz, config=settings.config if "deploy" in settings.config else None,
    )  # fmt: skip
    atomic_write_json(folder / "metrics.json", metrics)
    manifest = build_manifest(
        settings.config, content_hash(folder), [row.seed for row in rows],
        control_rate_hz=robot.spec.control_rate_hz, overrides=settings.overrides, variant=settings.variant,
        stopped=None if enough is None else {"asked": settings.episodes, "reason": enough},
    )  # fmt: skip
    atomic_write_json(folder / "manifest.json", manifest)
    return metrics


class _Pictures:
    """Thumbnails of what the robot saw in `folder`, and of the first episode a film from the room.

    Which episode is worth looking at is known only afterwards, so all have thumbnails.
    """

    def __init__(self, robot: Robot, folder: Path, settings: RunSettings, number: int) -> None:
        self._robot, self._folder, self._number = robot, folder, number
        self._next_ns = 0
        films = number == 0 and settings.video and FILM_CAMERA in robot.spec.cameras
        path = folder / "video" / f"episode_{number}.mp4"
        self._film = Mp4Writer(path, settings.episode.agent.camera_rate_hz) if films else None

    def __enter__(self) -> _Pictures:
        return self

    def __exit__(self, *_: object) -> None:
        if self._film is not None:
            self._film.close()

    @property
    def watch(self) -> Callable[[int, Frame], None]:
        return self._thumbnail

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
        quality = [cv2.IMWRITE_JPEG_QUALITY, THUMBNAIL_QUALITY]
        _, jpeg = cv2.imencode(".jpg", np.ascontiguousarray(small[..., ::-1]), quality)
        name = f"e{self._number}_t{round(now_ns / NS * 1e3)}.jpg"
        target = self._folder / "figures" / "frames" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        atomic_write_bytes(target, jpeg.tobytes())
