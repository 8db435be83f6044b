"""One episode on one time axis: requests with their parts, skill phases, what the joints did, what the camera saw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vla_sim.telemetry.schema import PARTS
from vla_sim.telemetry.store import RunRecords

if TYPE_CHECKING:
    import pandas as pd

MAX_POINTS = 500  # of a joint curve
JOINTS_SHOWN = 3
LOST_IN_A_ROW = 2
PICTURES = (".png", ".jpg")


@dataclass(frozen=True)
class Bar:
    """One attempt at a request. `lane` keeps those of a stage that overlap in time apart.

    `parts_s` in the order of `PARTS`; `attempt` counts from 0; `mode` is one of `telemetry.schema.MODES`.
    """

    stage: str
    site: str
    status: str
    attempt: int
    mode: str
    lane: int
    start_s: float
    end_s: float
    parts_s: tuple[float, ...]


@dataclass(frozen=True)
class Stretch:
    """Something that lasted: a skill phase, an outage, or ticks with nothing to act on."""

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
    outages: tuple[Stretch, ...]  # when a site was out of reach
    joints: tuple[JointCurve, ...]
    thumbnails: tuple[Thumbnail, ...]


def build_timeline(run: RunRecords, episode: int | None = None) -> Timeline | None:
    """The timeline of one episode; of the worst when none is named.

    None when that episode, or every episode, has no ticks.
    """
    recorded = set(run.ticks["episode"].unique().tolist())
    chosen = worst_episode(run.episodes[run.episodes["episode"].isin(recorded)]) if episode is None else (episode, "")
    if chosen is None or chosen[0] not in recorded:
        return None
    number, why = chosen
    ticks = run.ticks[run.ticks["episode"] == number]
    t_s = ticks["t_s"].to_numpy(np.float64)
    step = float(np.median(np.diff(t_s))) if t_s.size > 1 else 0.0
    first = run.episodes.loc[run.episodes["episode"] == number, "ttfa_s"].dropna()
    spans = run.spans[run.spans["episode"] == number]
    return Timeline(
        episode=number,
        why=why,
        end_s=float(t_s[-1]) + step,
        first_motion_s=float(first.iloc[0]) if len(first) else None,
        bars=_bars(spans),
        phases=_stretches(ticks["phase"].astype(str), t_s, step),
        starved=_stretches(np.where(ticks["starved"], "starved", ""), t_s, step),
        stale=_stretches(np.where(ticks["stale"], "stale", ""), t_s, step),
        outages=_outages(spans),
        joints=joint_curves(ticks, list(busiest_joints(ticks))[:JOINTS_SHOWN]),
        thumbnails=thumbnails(run.folder, number),
    )


def thumbnails(folder: Path, episode: int) -> tuple[Thumbnail, ...]:
    """Camera images kept of one episode, in time order: `figures/frames/e<episode>_t<milliseconds>.png` (or `.jpg`)."""
    found = []
    for path in folder.glob(f"figures/frames/e{episode}_t*"):
        stamp = path.stem.rpartition("_t")[2]
        if stamp.isdecimal() and path.suffix in PICTURES:
            found.append((int(stamp), path.relative_to(folder).as_posix()))
    return tuple(Thumbnail(stamp / 1e3, path) for stamp, path in sorted(found))


def worst_episode(episodes: pd.DataFrame) -> tuple[int, str] | None:
    """The episode to look at first and why: a failed one before all others, then longest starved, then slowest."""
    if not len(episodes):
        return None
    worst = min(
        episodes.to_dict("records"),
        key=lambda row: (row["success"], -row["starved_ticks"], -row["sim_s"], row["episode"]),
    )
    failed, most = int((~episodes["success"]).sum()), int(worst["starved_ticks"])
    alike = (episodes["success"] == worst["success"]) & (episodes["starved_ticks"] == most)
    told = []
    if not worst["success"]:
        told.append("the one that failed" if failed == 1 else f"one of {failed} that failed")
    if len(episodes) > 1 and not (failed == 1 and told):
        told.append("the longest without anything to act on" if most and alike.sum() == 1 else "the slowest")
    return int(worst["episode"]), " and ".join(told) or "the only one"


def _bars(spans: pd.DataFrame) -> tuple[Bar, ...]:
    bars: list[Bar] = []
    free: dict[str, list[float]] = {}  # of each stage, when each of its lanes is free again
    for row in spans.sort_values(["t_start_s", "request", "attempt"]).to_dict("records"):
        lanes = free.setdefault(row["stage"], [])
        lane = next((i for i, until in enumerate(lanes) if until <= row["t_start_s"] + 1e-9), len(lanes))
        lanes[lane : lane + 1] = [row["t_end_s"]]
        parts = tuple(round(row[f"{part}_s"], 6) for part in PARTS)
        times = round(row["t_start_s"], 6), round(row["t_end_s"], 6)
        bars.append(
            Bar(row["stage"], row["site"], row["status"], int(row["attempt"]), row["mode"], lane, *times, parts)
        )
    return tuple(bars)


def _outages(spans: pd.DataFrame) -> tuple[Stretch, ...]:
    """When a site was out of reach: two or more requests to it lost one after the other, until the next that was not.

    A single one may be a packet's bad luck. Where no later request was sent there, it lasts as long as requests went
    elsewhere at once, at least until the last loss was known.
    """
    found: list[Stretch] = []
    ordered = spans.sort_values(["t_start_s", "request"])
    tried = set(ordered.loc[ordered["attempt"] == 0, "request"])
    elsewhere = ordered[~ordered["request"].isin(tried)]  # its first site was known to be away
    for _, rows in ordered.groupby(ordered["site"].astype(str), sort=True):
        asked = list(zip(rows["status"] == "lost", rows["t_start_s"], rows["t_end_s"], strict=True))
        at = 0
        for lost, group in groupby(asked, key=lambda item: bool(item[0])):
            run = list(group)
            at += len(run)
            if lost and len(run) >= LOST_IN_A_ROW:
                avoided = elsewhere.loc[elsewhere["t_start_s"] >= run[0][1], "t_end_s"].tolist()
                until = asked[at][1] if at < len(asked) else max([*avoided, *(end for _, _, end in run)])
                found.append(Stretch("outage", round(float(run[0][1]), 6), round(float(until), 6)))
    return tuple(sorted(found, key=lambda stretch: stretch.start_s))


def _stretches(names: Iterable[str], t_s: NDArray[np.float64], step_s: float) -> tuple[Stretch, ...]:
    """Runs of equal, non-empty names over consecutive ticks."""
    result = []
    for name, group in groupby(zip(names, t_s.tolist(), strict=True), key=lambda item: item[0]):
        times = [t for _, t in group]
        if name:
            result.append(Stretch(str(name), round(times[0], 6), round(times[-1] + step_s, 6)))
    return tuple(result)


def busiest_joints(ticks: pd.DataFrame) -> dict[str, float]:
    """How far each joint was commanded to move, rad, the farthest first."""
    names = [column.removeprefix("commanded.") for column in ticks.columns if column.startswith("commanded.")]
    travel = {name: float(np.ptp(ticks[f"commanded.{name}"].to_numpy())) for name in names}
    return dict(sorted(travel.items(), key=lambda item: -item[1]))


def joint_curves(ticks: pd.DataFrame, names: Sequence[str]) -> tuple[JointCurve, ...]:
    """The named joints at every k-th tick of one episode."""
    every = max(1, -(-len(ticks) // MAX_POINTS))

    def thin(column: str) -> tuple[float, ...]:
        return tuple(np.round(ticks[column].to_numpy(np.float64)[::every], 4).tolist())

    return tuple(JointCurve(name, thin("t_s"), thin(f"measured.{name}"), thin(f"commanded.{name}")) for name in names)
