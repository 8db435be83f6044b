"""Records to exactly what is drawn and written on a run's page. Nothing here knows colours or HTML."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import yaml

from vla_sim.errors import ConfigError, RecordError
from vla_sim.harness import gates
from vla_sim.report import run_tables
from vla_sim.report.asked import Asked, asked_of, placement_table
from vla_sim.report.distributions import Distribution, distributions
from vla_sim.report.parts import StageBar, Success, Table, Tile, block, stage_bars, success_of
from vla_sim.report.text import interval, percent
from vla_sim.report.tiles import degradation_in_words, run_tiles
from vla_sim.report.timeline import Timeline, build_timeline
from vla_sim.telemetry.store import RunRecords

METRICS = (
    "success_rate",
    "success_ci95",
    "errors",
    "reasons",
    "latency_ms",
    "ttfa_ms",
    "reaction_ms",
    "budget",
    "control",
    "queue",
    "motion",
    "safety",
    "falls",
    "network",
    "sim_s",
    "wall_s",
)


@dataclass(frozen=True)
class GateLine:
    """One gate of the run and what became of it."""

    passed: bool
    line: str


@dataclass(frozen=True)
class RunData:
    """All that a run's page shows."""

    title: str
    headline: str
    summary: str
    asked: Asked
    success: Success
    gates: tuple[GateLine, ...]
    tiles: tuple[Tile, ...]
    stages: tuple[StageBar, ...]
    total_limit_ms: float | None
    ttfa_ms: dict[str, float | None]
    degradation: str
    distributions: tuple[Distribution, ...]
    timeline: Timeline | None
    tables: tuple[Table, ...]
    videos: tuple[str, ...]
    config_text: str
    metrics: dict[str, Any] = field(repr=False)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def build_run(run: RunRecords) -> RunData:
    """Everything a run's page shows, from its records alone; raises RecordError when metrics are missing."""
    check_metrics(run)
    metrics = run.metrics
    success = success_of(run)
    tables = (
        placement_table(run),
        run_tables.stage_table(run),
        run_tables.attempt_table(run),
        run_tables.episode_table(run),
        run_tables.cost_table(metrics),
        run_tables.loop_table(metrics),
        run_tables.motion_table(metrics),
        run_tables.source_table(run),
        run_tables.identity_table(run),
    )
    return RunData(
        title=str(run.manifest.get("variant", run.folder.name)),
        headline=headline(success),
        summary=_stopped(run),
        asked=asked_of(run),
        success=success,
        gates=_gates(run),
        tiles=run_tiles(metrics, success, len(run.ticks)),
        stages=stage_bars(metrics),
        total_limit_ms=metrics["budget"]["total"]["limit_ms"],
        ttfa_ms=metrics["ttfa_ms"],
        degradation=degradation_in_words(metrics),
        distributions=distributions(run),
        timeline=build_timeline(run),
        tables=tables,
        videos=tuple(path.relative_to(run.folder).as_posix() for path in sorted(run.folder.glob("video/*.mp4"))),
        config_text=yaml.safe_dump(run.config, sort_keys=False, allow_unicode=True),
        metrics=metrics,
    )


def check_metrics(run: RunRecords) -> None:
    """Raise RecordError unless `metrics.json` holds what the pages show."""
    missing = [key for key in METRICS if key not in run.metrics]
    if missing:
        raise RecordError(run.folder / "metrics.json", f"lacks {', '.join(missing)}; run it again")


def _stopped(run: RunRecords) -> str:
    """Why a run has fewer episodes than were asked for; "" when it has them all."""
    stopped = block(run.manifest, "stopped")
    if not stopped:
        return ""
    return f"Stopped after {len(run.episodes)} of {stopped.get('asked')} episodes: {stopped.get('reason')}."


def _gates(run: RunRecords) -> tuple[GateLine, ...]:
    """What the run was asked to reach, checked again; raises RecordError for a gate that cannot be read."""
    asked = block(run.config, "report").get("gates") or ()
    try:
        found = gates.check(run.metrics, [str(gate) for gate in asked])
    except ConfigError as error:
        raise RecordError(run.folder / "config.yaml", f"{error}; correct it") from error
    return tuple(
        GateLine(result.passed, result.line.removeprefix("gate ").removesuffix(", passed")) for result in found
    )


def headline(success: Success) -> str:
    """The answer in one sentence, with its interval."""
    if not success.episodes:
        return "No episode was run."
    if success.episodes == 1:
        told = f"It {'did' if success.successes else 'did not do'} its job in its one episode"
    elif success.successes == success.episodes:
        told = f"It did its job in all {success.episodes} episodes"
    elif not success.successes:
        told = f"It did not do its job in any of {success.episodes} episodes"
    else:
        told = f"It did its job in {success.successes} of {success.episodes} episodes"
    return f"{told}: {percent(success.rate)}, 95\u00a0% interval {interval(success.low, success.high)}."
