"""The runs of a sweep as variants: what was varied, what each is called, and the numbers of its row."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vla_sim.report.parts import Column, StageBar, Success, Table, block, stage_bars, success_of
from vla_sim.report.text import Value, interval, words
from vla_sim.telemetry.store import RunRecords

DELAY = "delay_ms"
MUTE = ("true", "false", "null")  # values that say nothing without their key
AS_IS = "as it is"  # what a key reads where a variant leaves it alone


@dataclass(frozen=True)
class Variant:
    """One run of the sweep. `curve` is its label without the delay; `choices` holds the keys that vary, in words."""

    label: str
    curve: str
    folder: str
    overrides: tuple[str, ...]
    choices: dict[str, str]
    delay_ms: float | None
    success: Success
    stages: tuple[StageBar, ...]
    row: dict[str, Value]  # of the table and of sweep.parquet


def build_variants(runs: Sequence[RunRecords]) -> tuple[Variant, ...]:
    """A variant a run, in the order given."""
    choices, varied = [_choices(run) for run in runs], varied_keys(runs)
    names = _labels(runs, choices, varied)
    return tuple(
        _variant(run, *name, {key: _value(key, choice.get(key)) for key in varied}, _degradation(run, runs, names))
        for run, name, choice in zip(runs, names, choices, strict=True)
    )


def varied_keys(runs: Sequence[RunRecords]) -> tuple[str, ...]:
    """The overrides whose value is not the same in every run, in the order they were given."""
    choices = [_choices(run) for run in runs]
    keys = dict.fromkeys(key for choice in choices for key in choice)
    return tuple(key for key in keys if len({choice.get(key) for choice in choices}) > 1)


def _choices(run: RunRecords) -> dict[str, str]:
    pairs = (str(override).lstrip("+~").partition("=") for override in run.manifest.get("overrides", []))
    return {key: value for key, _, value in pairs}


def _labels(
    runs: Sequence[RunRecords], choices: Sequence[dict[str, str]], varied: Sequence[str]
) -> list[tuple[str, str]]:
    """For each run its label and its curve: what was varied, in words, with and without the delay."""
    delays = {run.config.get(DELAY) for run in runs}
    as_deployed, none = ("", "zero latency") if delays == {None, 0} else ("delay as deployed", "0 ms")
    result, seen = [], set()
    for run, choice in zip(runs, choices, strict=True):
        curve = ", ".join(_said(key, choice[key]) for key in varied if key in choice and key != DELAY)
        delay = run.config.get(DELAY)
        late = as_deployed if delay is None else f"{delay:g} ms" if delay else none
        late = late if len(delays) > 1 else ""
        label = ", ".join(filter(None, (curve, late))) or str(run.manifest.get("variant", run.folder.name))
        label = f"{label} ({run.folder.name})" if label in seen else label
        seen.add(label)
        result.append((label, curve or "every variant"))
    return result


def key_words(key: str) -> str:
    """A key in words: its last part."""
    return "delay" if key == DELAY else words(key.rpartition(".")[2])


def _value(key: str, value: str | None) -> str:
    """The value of a key by itself; that of a delay with its unit."""
    if value is None:
        return AS_IS
    if key == DELAY:
        return "as deployed" if value == "null" else f"{float(value):g} ms"
    return words(value)


def _said(key: str, value: str) -> str:
    """A choice in words: `deploy=cloud` reads cloud, `network.loss=0.1` reads loss 0.1."""
    return f"{key_words(key)} {value}" if _is_number(value) or value.lower() in MUTE else words(value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _variant(run: RunRecords, label: str, curve: str, choices: dict[str, str], degradation: float | None) -> Variant:
    metrics, success = run.metrics, success_of(run)
    cost, energy, fallback = (block(metrics, name) for name in ("cost", "energy", "fallback"))
    delay = run.config.get(DELAY)
    delay_ms = None if delay is None else float(delay)
    row: dict[str, Value] = {
        "label": label,
        "delay_ms": delay_ms,
        "episodes": success.episodes,
        "successes": success.successes,
        "success_rate": success.rate,
        "success_low": success.low,
        "success_high": success.high,
        "interval": interval(success.low, success.high),
        "rt_degradation": degradation,
        "ttfa_p50_ms": metrics["ttfa_ms"]["p50"],
        "ttfa_p95_ms": metrics["ttfa_ms"]["p95"],
        "perception_p95_ms": block(metrics["latency_ms"], "perception").get("p95"),
        "reaction_p95_ms": metrics["reaction_ms"]["p95"],
        "budget_met": metrics["budget"]["total"]["met_ratio"],
        "starved_ticks": metrics["queue"]["starved_ticks"],
        "stale_action_ratio": metrics["queue"]["stale_action_ratio"],
        "usd_per_hour": cost.get("usd_per_hour"),
        "usd_per_success": cost.get("usd_per_success"),
        "wh_per_success": energy.get("wh_per_success"),
        "battery_h": energy.get("battery_h"),
        "fallback_share": fallback.get("share"),
        "hold_s": fallback.get("hold_s"),
        "safe_stops": fallback.get("safe_stops"),
        "falls": metrics["falls"],
        "errors": metrics["errors"],
        "sim_s": metrics["sim_s"],
        "wall_s": metrics["wall_s"],
    }
    overrides = tuple(str(override) for override in run.manifest.get("overrides", []))
    return Variant(label, curve, run.folder.name, overrides, choices, delay_ms, success, stage_bars(metrics), row)


def _degradation(run: RunRecords, runs: Sequence[RunRecords], names: Sequence[tuple[str, str]]) -> float | None:
    """Success lost against the variant without delay that is otherwise the same."""
    curve = names[list(runs).index(run)][1]
    for other, (_, its_curve) in zip(runs, names, strict=True):
        if its_curve == curve and other.config.get(DELAY) == 0:
            zero, rate = other.metrics["success_rate"], run.metrics["success_rate"]
            return None if zero is None or rate is None else zero - rate
    return None


def references_of(runs: Sequence[RunRecords]) -> list[int]:
    """For each variant the index of the one it is compared with: of its own task the least delayed, else the first."""

    def delay(index: int) -> float:
        value = runs[index].config.get(DELAY)
        return math.inf if value is None else float(value)

    tasks = [_task_of(run) for run in runs]
    best = {
        task: min((i for i, other in enumerate(tasks) if other == task), key=lambda index: (delay(index), index))
        for task in set(tasks)
    }
    return [best[task] for task in tasks]


def _task_of(run: RunRecords) -> str:
    """The environment's id: seeds of two tasks make different worlds, and nothing to compare."""
    world = run.config.get("env")
    return str(world.get("id")) if isinstance(world, Mapping) else ""


def variant_table(variants: Sequence[Variant]) -> Table:
    """A row a variant; columns that say nothing about any of them are left out."""
    columns = (
        Column("label", "Variant"),
        Column("success_rate", "Success", "percent"),
        Column("interval", "95 % interval"),
        Column("episodes", "Episodes", "int"),
        Column("ttfa_p50_ms", "First motion p50, ms", "ms"),
        Column("ttfa_p95_ms", "p95, ms", "ms"),
        Column("budget_met", "Budget met", "percent"),
        Column("perception_p95_ms", "Perception p95, ms", "ms"),
        Column("reaction_p95_ms", "Reaction p95, ms", "ms"),
        Column("starved_ticks", "Starved ticks", "int"),
        Column("fallback_share", "Fallbacks", "percent"),
        Column("usd_per_hour", "Rent an hour", "dollars"),
        Column("usd_per_success", "Rent a success", "dollars"),
        Column("wh_per_success", "Wh a success", "short"),
        Column("falls", "Falls", "int"),
        Column("errors", "Errors", "int"),
    )
    optional = ("fallback_share", "usd_per_hour", "usd_per_success", "wh_per_success")
    known = tuple(
        column for column in columns if column.key not in optional or any(v.row[column.key] for v in variants)
    )
    return Table("variants", known, tuple(v.row for v in variants))


def relative_page(folder: Path, variant: Variant) -> str | None:
    """Link from a sweep's page to a variant's own page, when there is one."""
    page = folder / variant.folder / "report.html"
    return f"{variant.folder}/report.html" if page.is_file() else None
