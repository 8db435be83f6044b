"""Records to exactly what is drawn and written on a run's page. Nothing here knows colours or HTML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import yaml

from vla_sim.errors import RecordError
from vla_sim.report.text import Value, interval, milliseconds, number, percent
from vla_sim.report.timeline import Timeline, build_timeline
from vla_sim.telemetry.schema import PARTS
from vla_sim.telemetry.store import RunRecords

STAGES = (
    "voice",
    "intent",
    "planning",
    "perception",
    "grasp",
    "policy",
    "control",
    "safety",
)  # as a command meets them
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
class Column:
    """One column of a table: key into its rows, heading, and how its cells are written (a key of `text.FORMATS`)."""

    key: str
    label: str
    form: str = "text"


@dataclass(frozen=True)
class Table:
    """A table of the page; `name` is its id there."""

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


@dataclass(frozen=True)
class RunData:
    """All that a run's page shows."""

    title: str
    headline: str
    summary: str
    success: Success
    tiles: tuple[Tile, ...]
    stages: tuple[StageBar, ...]
    total_limit_ms: float | None
    ttfa_ms: dict[str, float | None]
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
    low, high = metrics["success_ci95"]
    success = Success(int(run.episodes["success"].sum()), len(run.episodes), metrics["success_rate"], low, high)
    stages = stage_bars(metrics)
    tables = (_stage_table(run), _episode_table(run), _loop_table(metrics), _source_table(run), _identity_table(run))
    return RunData(
        title=str(run.manifest.get("variant", run.folder.name)),
        headline=_headline(success),
        summary=_summary(run, success),
        success=success,
        tiles=_tiles(metrics, success, len(run.ticks)),
        stages=stages,
        total_limit_ms=metrics["budget"]["total"]["limit_ms"],
        ttfa_ms=metrics["ttfa_ms"],
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


def stage_bars(metrics: Mapping[str, Any]) -> tuple[StageBar, ...]:
    """The stages that ran, in the order a command meets them, each starting where the one before ended."""
    bars: list[StageBar] = []
    start = 0.0
    for stage in sorted(metrics["latency_ms"], key=_stage_order):
        latency, budget = metrics["latency_ms"][stage], metrics["budget"].get(stage, {})
        parts = {part: float(latency["parts"][part]) for part in PARTS}
        limit, met = budget.get("limit_ms"), budget.get("met_ratio")
        bars.append(StageBar(stage, start, latency["p50"], latency["p95"], parts, limit, met))
        start += latency["p50"]
    return tuple(bars)


def _stage_order(stage: str) -> tuple[int, str]:
    return (STAGES.index(stage) if stage in STAGES else len(STAGES), stage)


def _headline(success: Success) -> str:
    if not success.episodes:
        return "No episode was run."
    if success.episodes == 1:
        return f"It {'did' if success.successes else 'did not do'} its job in its one episode."
    if success.successes == success.episodes:
        return f"It did its job in all {success.episodes} episodes."
    if not success.successes:
        return f"It did not do its job in any of {success.episodes} episodes."
    return f"It did its job in {success.successes} of {success.episodes} episodes."


def _summary(run: RunRecords, success: Success) -> str:
    told = sorted(set(run.episodes["instruction"]))
    task = (
        f"Told to \u201c{told[0]}\u201d. "
        if len(told) == 1
        else f"{len(told)} different instructions. "
        if told
        else ""
    )
    if success.rate is None:
        return task
    return (
        f"{task}Success {percent(success.rate)}; with 95 % confidence its true rate lies between "
        f"{success.low * 100:.0f} and {success.high * 100:.0f}\u00a0%."
    )


def _tiles(metrics: Mapping[str, Any], success: Success, ticks: int) -> tuple[Tile, ...]:
    total, ttfa, reaction = metrics["budget"]["total"], metrics["ttfa_ms"], metrics["reaction_ms"]
    queue, loop, safety = metrics["queue"], metrics["control"], metrics["safety"]
    met = f"p95 {milliseconds(ttfa['p95'])} · {milliseconds(total['limit_ms'])} ms met in {percent(total['met_ratio'])}"
    starved = queue["starved_ticks"] / ticks if ticks else None
    return (
        Tile("Success", percent(success.rate), "", f"95 % interval {interval(success.low, success.high)}"),
        Tile("Command to first motion", milliseconds(ttfa["p50"]), "ms", met, (total["met_ratio"] or 1.0) < 0.95),
        Tile("Image to reaction", milliseconds(reaction["p50"]), "ms", f"p95 {milliseconds(reaction['p95'])} ms"),
        Tile("Nothing to act on", percent(starved), "", f"{number(queue['starved_ticks'])} of {number(ticks)} ticks"),
        Tile(
            "Control deadlines missed",
            percent(loop["deadline_miss_ratio"]),
            "",
            f"longest run {number(loop['longest_miss_run'])} · {number(loop['rate_hz'])} Hz",
            (loop["deadline_miss_ratio"] or 0.0) > 0.01,
        ),
        Tile(
            "Falls",
            number(metrics["falls"]),
            "",
            f"{number(safety['violations'])} safety violations · {number(safety['interventions'])} interventions",
            metrics["falls"] > 0 or safety["violations"] > 0,
        ),
    )


def _stage_table(run: RunRecords) -> Table:
    columns = [
        Column("stage", "Stage"),
        Column("requests", "Requests", "int"),
        Column("unanswered", "Unanswered", "int"),
    ]
    columns += [Column(key, key, "ms") for key in ("p50", "p95", "p99", "max")]
    columns += [Column(part, part, "ms") for part in PARTS]
    columns += [Column("limit_ms", "Limit", "ms"), Column("met_ratio", "Met", "percent")]
    asked = run.spans["stage"].astype(str)
    lost = run.spans["status"].isin(("lost", "rejected", "failed"))
    rows: list[dict[str, Value]] = []
    for stage in sorted(set(run.metrics["latency_ms"]) | set(asked), key=_stage_order):
        latency, budget = run.metrics["latency_ms"].get(stage, {}), run.metrics["budget"].get(stage, {})
        each_tick = len(run.ticks) if stage in ("control", "safety") else 0
        row: dict[str, Value] = {"stage": stage, "requests": int((asked == stage).sum()) + each_tick}
        row["unanswered"] = int((lost & (asked == stage)).sum())
        row |= {key: latency.get(key) for key in ("p50", "p95", "p99", "max")}
        row |= {part: latency.get("parts", {}).get(part) for part in PARTS}
        rows.append(row | {key: budget.get(key) for key in ("limit_ms", "met_ratio")})
    return Table("stages", tuple(columns), tuple(rows))


def _episode_table(run: RunRecords) -> Table:
    columns = (
        Column("episode", "Episode", "int"),
        Column("seed", "Seed"),
        Column("success", "Success", "yes"),
        Column("reason", "Reason", "words"),
        Column("error", "Error"),
        Column("ttfa_ms", "First motion, ms", "ms"),
        Column("sim_s", "Duration, s", "float"),
        Column("attempts", "Attempts", "int"),
        Column("starved_ticks", "Starved ticks", "int"),
        Column("deadline_misses", "Late answers", "int"),
        Column("violations", "Violations", "int"),
    )
    copied = [c.key for c in columns if c.key != "ttfa_ms"]
    rows = []
    for record in run.episodes.to_dict("records"):
        row: dict[str, Value] = {key: record[key] for key in copied}
        row["ttfa_ms"] = None if record["ttfa_s"] != record["ttfa_s"] else record["ttfa_s"] * 1e3
        rows.append(row)
    return Table("episodes", columns, tuple(rows))


def _loop_table(metrics: Mapping[str, Any]) -> Table:
    labels = {"period_error_us": "Period error, µs", "execution_us": "Execution, µs", "lateness_us": "Lateness, µs"}
    rows = [{"quantity": label, **metrics["control"][key]} for key, label in labels.items()]
    columns = (
        Column("quantity", "Quantity"),
        *(Column(key, "p99.9" if key == "p999" else key, "int") for key in ("p50", "p99", "p999", "max")),
    )
    return Table("loop", columns, tuple(rows))


def _source_table(run: RunRecords) -> Table:
    """Where the modelled figures come from: every part of the configuration that names its source."""
    rows: list[dict[str, Value]] = [{"where": where, "source": source} for where, source in _sources(run.config)]
    return Table("sources", (Column("where", "Configuration"), Column("source", "Source")), tuple(rows))


def _sources(config: Any, where: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(config, Mapping):
        for key in ("source", "provenance"):
            if isinstance(config.get(key), str):
                name = config.get("name")
                yield where + (f" ({name})" if name else ""), config[key]
        for key, value in config.items():
            yield from _sources(value, f"{where}.{key}" if where else str(key))
    elif isinstance(config, list):
        for index, value in enumerate(config):
            yield from _sources(value, f"{where}[{index}]")


def _identity_table(run: RunRecords) -> Table:
    manifest, git, host = run.manifest, run.manifest.get("git"), run.manifest.get("host", {})
    commit = f"{git['commit'][:12]}{' with local changes' if git['modified'] else ''}" if git else None
    rows: list[dict[str, Value]] = [
        {"what": "Overrides", "value": " ".join(manifest.get("overrides", [])) or None},
        {"what": "Records (sha256)", "value": manifest.get("content_hash")},
        {"what": "Configuration (sha256)", "value": manifest.get("config_digest")},
        {"what": "Commit", "value": commit},
        {"what": "Simulated / wall time", "value": f"{run.metrics['sim_s']:,.1f} s / {run.metrics['wall_s']:,.1f} s"},
        {"what": "Host", "value": f"{host.get('cpu')}, {host.get('cores')} cores, {host.get('platform')}"},
        {"what": "Versions", "value": ", ".join(f"{k} {v}" for k, v in manifest.get("versions", {}).items())},
    ]
    return Table("identity", (Column("what", "What"), Column("value", "Value")), tuple(rows))


def find_table(tables: tuple[Table, ...], name: str) -> Table:
    """The table called `name`; KeyError when there is none."""
    return {table.name: table for table in tables}[name]
