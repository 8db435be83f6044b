"""What pages are made of: tables, tiles, bars and rates. Nothing here knows colours or HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vla_sim.report.text import Value
from vla_sim.telemetry.schema import PARTS
from vla_sim.telemetry.store import RunRecords

STAGES = (
    "voice",
    "intent",
    "planning",
    "perception",
    "grasp",
    "navigation",
    "policy",
    "control",
    "safety",
)  # as a command meets them


@dataclass(frozen=True)
class Column:
    """One column of a table: key into its rows, heading, and how its cells are written (a key of `text.FORMATS`)."""

    key: str
    label: str
    form: str = "text"


@dataclass(frozen=True)
class Table:
    """A table of the page; `name` is its id there and the name of its CSV file."""

    name: str
    columns: tuple[Column, ...]
    rows: tuple[dict[str, Value], ...]


@dataclass(frozen=True)
class Tile:
    """One number worth reading first."""

    label: str
    value: str
    unit: str
    note: str
    bad: bool = False


@dataclass(frozen=True)
class StageBar:
    """A stage's latency: where its bar starts in the waterfall, its median and 95 % quantile, split by mean parts."""

    stage: str
    start_ms: float
    p50_ms: float
    p95_ms: float
    parts_ms: dict[str, float]
    limit_ms: float | None
    met_ratio: float | None


@dataclass(frozen=True)
class Success:
    """How often it worked, with the 95 % Wilson interval. Shares of 1."""

    successes: int
    episodes: int
    rate: float | None
    low: float
    high: float


def find_table(tables: tuple[Table, ...], name: str) -> Table:
    """The table called `name`; KeyError when there is none."""
    return {table.name: table for table in tables}[name]


def success_of(run: RunRecords) -> Success:
    """The success of a run, from its episodes and its metrics."""
    low, high = run.metrics["success_ci95"]
    won = int(run.episodes["success"].sum())
    return Success(won, len(run.episodes), run.metrics["success_rate"], float(low), float(high))


def stage_bars(metrics: Mapping[str, Any]) -> tuple[StageBar, ...]:
    """The stages that ran, in the order a command meets them, each starting where the one before ended."""
    bars: list[StageBar] = []
    start = 0.0
    for stage in sorted(metrics["latency_ms"], key=stage_order):
        latency, budget = metrics["latency_ms"][stage], metrics["budget"].get(stage, {})
        parts = {part: float(latency["parts"][part]) for part in PARTS}
        limit, met = budget.get("limit_ms"), budget.get("met_ratio")
        bars.append(StageBar(stage, start, latency["p50"], latency["p95"], parts, limit, met))
        start += latency["p50"]
    return tuple(bars)


def stage_order(stage: str) -> tuple[int, str]:
    """Sorts stages as a command meets them; unknown ones come last, by name."""
    return (STAGES.index(stage) if stage in STAGES else len(STAGES), stage)


def block(metrics: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part of the metrics that older or smaller records may lack; then it is empty."""
    found = metrics.get(name)
    return found if isinstance(found, Mapping) else {}
