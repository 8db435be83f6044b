"""One episode on one time axis: requests with their parts, skill phases, what the joints did, what the camera saw."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vla_sim.telemetry.schema import PARTS
from vla_sim.telemetry.store import RunRecords

MAX_POINTS = 500  # of a joint curve
JOINTS_SHOWN = 3


@dataclass(frozen=True)
class Bar:
    """One request. `lane` keeps requests of a stage that overlap in time apart; `parts_s` in the order of `PARTS`."""

    stage: str
    status: str
    lane: int
    start_s: float
    end_s: float
    parts_s: tuple[float, ...]


@dataclass(frozen=True)
class Stretch:
    """Something that lasted: a skill phase, or ticks with nothing to act on."""

    name: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class JointCurve:
    """One joint's angle, rad, at some of the control ticks."""

    joint: str
    t_s: tuple[float, ...]
    measured_rad: tuple[float, ...]
    commanded_rad: tuple[float, ...]


@dataclass(frozen=True)
class Thumbnail:
    """A camera image kept by the run, `path` inside its folder."""

    t_s: float
    path: str


@dataclass(frozen=True)
class Timeline:
    """One episode, drawn."""

    episode: int
    why: str  # why this episode was chosen
    end_s: float
    first_motion_s: float | None
    bars: tuple[Bar, ...]
    phases: tuple[Stretch, ...]
    starved: tuple[Stretch, ...]
    stale: tuple[Stretch, ...]
    joints: tuple[JointCurve, ...]
    thumbnails: tuple[Thumbnail, ...]


def build_timeline(run: RunRecords) -> Timeline | None:
    """The timeline of the most telling episode: one with camera images, else the first that failed, else the first.

    None when no episode has ticks.
    """
    chosen = _choose(run)
    if chosen is None:
        return None
    episode, why = chosen
    ticks = run.ticks[run.ticks["episode"] == episode]
    t_s = ticks["t_s"].to_numpy(np.float64)
    step = float(np.median(np.diff(t_s))) if t_s.size > 1 else 0.0
    first = run.episodes.loc[run.episodes["episode"] == episode, "ttfa_s"].dropna()
    return Timeline(
        episode=episode,
        why=why,
        end_s=float(t_s[-1]) + step,
        first_motion_s=float(first.iloc[0]) if len(first) else None,
        bars=_bars(run.spans[run.spans["episode"] == episode]),
        phases=_stretches(ticks["phase"].astype(str), t_s, step),
        starved=_stretches(np.where(ticks["starved"], "starved", ""), t_s, step),
        stale=_stretches(np.where(ticks["stale"], "stale", ""), t_s, step),
        joints=_joints(ticks, t_s),
        thumbnails=thumbnails(run.folder, episode),
    )


def thumbnails(folder: Path, episode: int) -> tuple[Thumbnail, ...]:
    """Camera images kept of one episode, in time order. Files are `figures/frames/e<episode>_t<milliseconds>.png`."""
    found = []
    for path in folder.glob(f"figures/frames/e{episode}_t*.png"):
        stamp = path.stem.rpartition("_t")[2]
        if stamp.isdecimal():
            found.append((int(stamp), path.relative_to(folder).as_posix()))
    return tuple(Thumbnail(stamp / 1e3, path) for stamp, path in sorted(found))


def _choose(run: RunRecords) -> tuple[int, str] | None:
    recorded = set(run.ticks["episode"].unique().tolist())
    episodes = run.episodes[run.episodes["episode"].isin(recorded)]
    if not len(episodes):
        return None
    for episode in episodes["episode"].tolist():
        if thumbnails(run.folder, episode):
            return int(episode), "the first with camera images"
    failed = episodes.loc[~episodes["success"], "episode"].tolist()
    return (int(failed[0]), "the first that failed") if failed else (int(episodes["episode"].iloc[0]), "the first")


def _bars(spans: Any) -> tuple[Bar, ...]:
    bars: list[Bar] = []
    free: dict[str, list[float]] = {}  # of each stage, when each of its lanes is free again
    for row in spans.sort_values(["t_start_s", "request"]).to_dict("records"):
        lanes = free.setdefault(row["stage"], [])
        lane = next((i for i, until in enumerate(lanes) if until <= row["t_start_s"] + 1e-9), len(lanes))
        lanes[lane : lane + 1] = [row["t_end_s"]]
        parts = tuple(round(row[f"{part}_s"], 6) for part in PARTS)
        times = round(row["t_start_s"], 6), round(row["t_end_s"], 6)
        bars.append(Bar(row["stage"], row["status"], lane, *times, parts))
    return tuple(bars)


def _stretches(names: Iterable[str], t_s: NDArray[np.float64], step_s: float) -> tuple[Stretch, ...]:
    """Runs of equal, non-empty names over consecutive ticks."""
    result = []
    for name, group in groupby(zip(names, t_s.tolist(), strict=True), key=lambda item: item[0]):
        times = [t for _, t in group]
        if name:
            result.append(Stretch(str(name), round(times[0], 6), round(times[-1] + step_s, 6)))
    return tuple(result)


def _joints(ticks: Any, t_s: NDArray[np.float64]) -> tuple[JointCurve, ...]:
    """The joints that were commanded to move most, every k-th tick of them."""
    names = [column.removeprefix("commanded.") for column in ticks.columns if column.startswith("commanded.")]
    travel = {name: float(np.ptp(ticks[f"commanded.{name}"].to_numpy())) for name in names}
    busiest = sorted(names, key=lambda name: -travel[name])[:JOINTS_SHOWN]
    every = max(1, -(-t_s.size // MAX_POINTS))

    def thin(values: Any) -> tuple[float, ...]:
        return tuple(np.round(np.asarray(values, np.float64)[::every], 4).tolist())

    return tuple(
        JointCurve(name, thin(t_s), thin(ticks[f"measured.{name}"]), thin(ticks[f"commanded.{name}"]))
        for name in busiest
    )
