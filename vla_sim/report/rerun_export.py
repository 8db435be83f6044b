"""A run's records as `episode.rrd` for the Rerun viewer: pictures, phases, requests and joints in simulated time.

Needs the extra `rerun`. Nothing is measured anew: the file says what the tables say.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vla_sim.errors import ConfigError
from vla_sim.report.timeline import thumbnails, worst_episode
from vla_sim.telemetry.store import RunRecords, load_run

if TYPE_CHECKING:
    import pandas as pd

TIMELINE = "sim_time"
NOTHING = "nothing to act on"
TYPES = {".png": "image/png", ".jpg": "image/jpeg"}


def write_rrd(folder: Path) -> Path:
    """Write `episode.rrd` of a run folder, whole or not at all; returns it.

    Every episode is an entity of its own; the viewer opens on the worst. Raises ConfigError without rerun-sdk,
    RecordError when the records cannot be used.
    """
    rr = _rerun()
    run = load_run(folder)
    worst = worst_episode(run.episodes)
    path = folder / "episode.rrd"
    scratch = folder / f".episode.{os.getpid()}.part.rrd"
    digest = str(run.manifest.get("content_hash", ""))
    stream = rr.RecordingStream("vla_sim", recording_id=digest[:32] or folder.name)
    try:
        stream.save(scratch, default_blueprint=_blueprint(0 if worst is None else worst[0]))
        for row in run.episodes.to_dict("records"):
            _episode(rr, stream, run, int(row["episode"]))
        stream.disconnect()
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)
    return path


def _rerun() -> Any:
    try:
        return importlib.import_module("rerun")
    except ImportError:
        raise ConfigError("rerun", "rerun-sdk is not installed", "pip install -e .[rerun]") from None


def _blueprint(episode: int) -> Any:
    """Pictures and phases above, requests, then joints."""
    blueprint = importlib.import_module("rerun.blueprint")
    root = f"/episode_{episode}"
    return blueprint.Blueprint(
        blueprint.Vertical(
            blueprint.Horizontal(
                blueprint.Spatial2DView(origin=f"{root}/camera", name="camera"),
                blueprint.TextLogView(origin=f"{root}/log", name="what went wrong"),
            ),
            blueprint.StateTimelineView(origin=root, contents=[f"{root}/skill", f"{root}/held"], name="skill"),
            blueprint.TimeSeriesView(origin=f"{root}/in_flight", name="requests in flight"),
            blueprint.TimeSeriesView(origin=f"{root}/latency_ms", name="latency, ms"),
            blueprint.TimeSeriesView(origin=f"{root}/joints", name="joints, rad"),
            row_shares=[3, 1, 1.2, 1.2, 2],
        ),
        collapse_panels=True,
    )


def _episode(rr: Any, stream: Any, run: RunRecords, episode: int) -> None:
    root = f"episode_{episode}"
    ticks = run.ticks[run.ticks["episode"] == episode]
    spans = run.spans[run.spans["episode"] == episode]
    for image in thumbnails(run.folder, episode):
        stream.set_time(TIMELINE, duration=image.t_s)
        source = run.folder / image.path
        stream.log(f"{root}/camera", rr.EncodedImage(contents=source.read_bytes(), media_type=TYPES[source.suffix]))
    _joints(rr, stream, root, ticks)
    _states(rr, stream, f"{root}/skill", ticks["t_s"], ticks["phase"].astype(str))
    _states(rr, stream, f"{root}/held", ticks["t_s"], np.where(ticks["starved"], NOTHING, "has commands"))
    for stage, rows in spans.groupby(spans["stage"].astype(str)):
        _requests(rr, stream, root, str(stage), rows)


def _joints(rr: Any, stream: Any, root: str, ticks: pd.DataFrame) -> None:
    if not len(ticks):
        return
    at = _times(rr, ticks["t_s"])
    for column in ticks.columns:
        kind, dot, name = column.partition(".")
        if dot:
            where = f"{root}/joints/{name}/{kind}" if kind != "grip" else f"{root}/grip/{name}"
            values = ticks[column].to_numpy(np.float64)
            stream.send_columns(where, indexes=[at], columns=rr.Scalars.columns(scalars=values))


def _states(rr: Any, stream: Any, where: str, t_s: Iterable[float], names: Iterable[str]) -> None:
    """A change a stretch of equal names."""
    before: str | None = None
    changes: list[tuple[float, str]] = []
    for at, name in zip(t_s, names, strict=True):
        if name != before:
            changes.append((float(at), str(name)))
            before = name
    if changes:
        times = _times(rr, [at for at, _ in changes])
        columns = rr.StateChange.columns(state=[name for _, name in changes])
        stream.send_columns(where, indexes=[times], columns=columns)


def _requests(rr: Any, stream: Any, root: str, stage: str, spans: pd.DataFrame) -> None:
    """How many requests of a stage were under way, how long answers took, and what became of the others."""
    begin, end = spans["t_start_s"].to_numpy(np.float64), spans["t_end_s"].to_numpy(np.float64)
    steps = sorted([(at, 1) for at in begin.tolist()] + [(at, -1) for at in end.tolist()])
    under_way = np.cumsum([step for _, step in steps]).astype(np.float64)
    stream.send_columns(
        f"{root}/in_flight/{stage}",
        indexes=[_times(rr, [at for at, _ in steps])],
        columns=rr.Scalars.columns(scalars=under_way),
    )
    answered = spans["status"].isin(("ok", "late", "refused")).to_numpy()
    if answered.any():
        took_ms = (end - begin)[answered] * 1e3
        order = np.argsort(end[answered], kind="stable")
        stream.send_columns(
            f"{root}/latency_ms/{stage}",
            indexes=[_times(rr, end[answered][order])],
            columns=rr.Scalars.columns(scalars=took_ms[order]),
        )
    for row in spans.to_dict("records"):
        told = _told(row)
        if told:
            stream.set_time(TIMELINE, duration=row["t_end_s"])
            level = rr.TextLogLevel.INFO if row["status"] in ("ok", "superseded") else rr.TextLogLevel.WARN
            stream.log(f"{root}/log/{stage}", rr.TextLog(told, level=level))


def _told(row: dict[Any, Any]) -> str:
    """What is worth a line: requests without an answer in time, and answers that were not the first attempt in full."""
    usual = row["status"] == "ok" and not row["attempt"] and row["mode"] == "full"
    if usual:
        return ""
    return f"{row['stage']} at {row['site']}: {row['status']}, attempt {row['attempt'] + 1}, {row['mode']}"


def _times(rr: Any, t_s: Sequence[float] | np.ndarray | pd.Series) -> Any:
    return rr.TimeColumn(TIMELINE, duration=np.asarray(t_s, np.float64))
