"""Runs of a sweep to what its page shows: variants, curves over delay, paired comparisons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from vla_sim.harness.statistics import PairedDifference, paired_difference
from vla_sim.report.data import Column, StageBar, Success, Table, stage_bars
from vla_sim.report.text import Value, interval, percent, words
from vla_sim.telemetry.store import RunRecords

ALL_PAIRS_UP_TO = 8  # variants; above that only comparisons with the reference are listed


@dataclass(frozen=True)
class Variant:
    """One run of the sweep. `curve` is its label without the delay."""

    label: str
    curve: str
    folder: str
    overrides: tuple[str, ...]
    delay_ms: float | None
    success: Success
    stages: tuple[StageBar, ...]
    row: dict[str, Value]  # of the table and of sweep.parquet


@dataclass(frozen=True)
class Comparison:
    """Success of `first` minus success of `second` on the episodes they share."""

    first: str
    second: str
    result: PairedDifference


@dataclass(frozen=True)
class SweepData:
    """All that a sweep's page shows."""

    title: str
    headline: str
    summary: str
    reference: str
    total_limit_ms: float
    delay_varies: bool
    variants: tuple[Variant, ...]
    comparisons: tuple[Comparison, ...]  # each variant with the reference
    tables: tuple[Table, ...]
    unread: tuple[str, ...]  # why some folders are missing here

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def build_sweep(title: str, runs: Sequence[RunRecords], unread: Sequence[str] = ()) -> SweepData:
    """Everything a sweep's page shows; `runs` is not empty."""
    names = _labels(runs)
    variants = tuple(
        _variant(run, *name, _degradation(run, runs, names)) for run, name in zip(runs, names, strict=True)
    )
    delays = {variant.delay_ms for variant in variants if variant.delay_ms is not None}
    reference = min(range(len(runs)), key=lambda i: (_delay(runs[i]), i))
    outcomes = [_outcomes(run) for run in runs]
    pairs = [(i, reference) for i in range(len(runs)) if i != reference]
    every = [(j, i) for i, j in combinations(range(len(runs)), 2)] if len(runs) <= ALL_PAIRS_UP_TO else []
    comparisons = _compare(variants, outcomes, pairs)
    return SweepData(
        title=title,
        headline=_headline(variants, len(delays) > 1),
        summary=f"{len(variants)} variants, {sum(v.success.episodes for v in variants)} episodes in all. "
        "Episode i starts from the same seed in every variant, so variants are compared pair by pair.",
        reference=variants[reference].label,
        total_limit_ms=runs[0].metrics["budget"]["total"]["limit_ms"],
        delay_varies=len(delays) > 1,
        variants=variants,
        comparisons=comparisons,
        tables=(
            _variant_table(variants),
            _comparison_table("comparisons", comparisons),
            _comparison_table("pairs", _compare(variants, outcomes, every)),
        ),
        unread=tuple(unread),
    )


def _labels(runs: Sequence[RunRecords]) -> list[tuple[str, str]]:
    """For each run its label and its curve: what was varied, in words, with and without the delay."""
    choices = [_choices(run) for run in runs]
    keys = dict.fromkeys(key for choice in choices for key in choice)
    varied = [key for key in keys if len({choice.get(key) for choice in choices}) > 1]
    delays = {run.config.get("delay_ms") for run in runs}
    result, seen = [], set()
    for run, choice in zip(runs, choices, strict=True):
        curve = ", ".join(_said(key, choice[key]) for key in varied if key in choice)
        delay = run.config.get("delay_ms")
        late = ("delay as deployed" if delay is None else f"{delay:g} ms") if len(delays) > 1 else ""
        label = ", ".join(filter(None, (curve, late))) or str(run.manifest.get("variant", run.folder.name))
        label = f"{label} ({run.folder.name})" if label in seen else label
        seen.add(label)
        result.append((label, curve or "every variant"))
    return result


def _choices(run: RunRecords) -> dict[str, str]:
    """Overrides by key, the delay left out."""
    pairs = (str(override).lstrip("+~").partition("=") for override in run.manifest.get("overrides", []))
    return {key: value for key, _, value in pairs if key != "delay_ms"}


def _said(key: str, value: str) -> str:
    """A choice in words: `deploy=cloud` reads cloud, `network.loss=0.1` reads loss 0.1."""
    name = words(key.rpartition(".")[2])
    speaks = value.replace("_", "").isalpha() and value.lower() not in ("true", "false", "null")
    return words(value) if speaks else f"{name} {value}"


def _variant(run: RunRecords, label: str, curve: str, degradation: float | None) -> Variant:
    metrics = run.metrics
    low, high = metrics["success_ci95"]
    success = Success(int(run.episodes["success"].sum()), len(run.episodes), metrics["success_rate"], low, high)
    perception = metrics["latency_ms"].get("perception", {})
    delay = run.config.get("delay_ms")
    row: dict[str, Value] = {
        "label": label,
        "delay_ms": None if delay is None else float(delay),
        "episodes": success.episodes,
        "successes": success.successes,
        "success_rate": success.rate,
        "success_low": success.low,
        "success_high": success.high,
        "interval": interval(success.low, success.high),
        "rt_degradation": degradation,
        "ttfa_p50_ms": metrics["ttfa_ms"]["p50"],
        "ttfa_p95_ms": metrics["ttfa_ms"]["p95"],
        "perception_p95_ms": perception.get("p95"),
        "reaction_p95_ms": metrics["reaction_ms"]["p95"],
        "budget_met": metrics["budget"]["total"]["met_ratio"],
        "starved_ticks": metrics["queue"]["starved_ticks"],
        "stale_action_ratio": metrics["queue"]["stale_action_ratio"],
        "falls": metrics["falls"],
        "errors": metrics["errors"],
        "sim_s": metrics["sim_s"],
        "wall_s": metrics["wall_s"],
    }
    overrides = tuple(str(override) for override in run.manifest.get("overrides", []))
    delay_ms = None if delay is None else float(delay)
    return Variant(label, curve, run.folder.name, overrides, delay_ms, success, stage_bars(metrics), row)


def _degradation(run: RunRecords, runs: Sequence[RunRecords], names: Sequence[tuple[str, str]]) -> float | None:
    """Success lost against the variant without delay that is otherwise the same."""
    curve = names[list(runs).index(run)][1]
    for other, (_, its_curve) in zip(runs, names, strict=True):
        if its_curve == curve and other.config.get("delay_ms") == 0:
            zero, rate = other.metrics["success_rate"], run.metrics["success_rate"]
            return None if zero is None or rate is None else zero - rate
    return None


def _delay(run: RunRecords) -> float:
    delay = run.config.get("delay_ms")
    return math.inf if delay is None else float(delay)


def _outcomes(run: RunRecords) -> dict[int, bool]:
    return dict(zip(run.episodes["seed"].tolist(), run.episodes["success"].tolist(), strict=True))


def _compare(
    variants: Sequence[Variant], outcomes: Sequence[dict[int, bool]], pairs: Sequence[tuple[int, int]]
) -> tuple[Comparison, ...]:
    """Comparisons of the pairs that share at least one seed."""
    result = []
    for i, j in pairs:
        shared = [seed for seed in outcomes[i] if seed in outcomes[j]]
        if shared:
            found = paired_difference([outcomes[i][s] for s in shared], [outcomes[j][s] for s in shared])
            result.append(Comparison(variants[i].label, variants[j].label, found))
    return tuple(result)


def _headline(variants: Sequence[Variant], delay_varies: bool) -> str:
    known = [v for v in variants if v.success.rate is not None]
    if not known:
        return "No episode was run."
    if delay_varies:
        drops = [drop for curve in dict.fromkeys(v.curve for v in known) if (drop := _drop(known, curve)) is not None]
        if drops:
            lost, first, last = max(drops, key=lambda drop: drop[0])
            where = f"{first.curve}: " if len(drops) > 1 else ""
            verb = "falls from" if lost > 0 else "goes from"
            ends = f"{percent(first.success.rate)} at {first.delay_ms:g} ms"
            told = f"{where}success {verb} {ends} to {percent(last.success.rate)} at {last.delay_ms:g} ms."
            return told[0].upper() + told[1:]
    best, worst = (choose(known, key=lambda v: v.success.rate or 0.0) for choose in (max, min))
    if len(known) == 1 or best.success.rate == worst.success.rate:
        return f"Success {percent(best.success.rate)} in every variant."
    return f"From {percent(best.success.rate)} ({best.label}) to {percent(worst.success.rate)} ({worst.label})."


def _drop(variants: Sequence[Variant], curve: str) -> tuple[float, Variant, Variant] | None:
    """Success lost between the shortest and the longest delay of a curve."""
    points = sorted(
        (v for v in variants if v.curve == curve and v.delay_ms is not None), key=lambda v: v.delay_ms or 0.0
    )
    if len(points) < 2:
        return None
    return (points[0].success.rate or 0.0) - (points[-1].success.rate or 0.0), points[0], points[-1]


def _variant_table(variants: Sequence[Variant]) -> Table:
    columns = (
        Column("label", "Variant"),
        Column("success_rate", "Success", "percent"),
        Column("interval", "95 % interval"),
        Column("episodes", "Episodes", "int"),
        Column("ttfa_p50_ms", "First motion p50, ms", "ms"),
        Column("perception_p95_ms", "Perception p95, ms", "ms"),
        Column("reaction_p95_ms", "Reaction p95, ms", "ms"),
        Column("budget_met", "Budget met", "percent"),
        Column("starved_ticks", "Starved ticks", "int"),
        Column("falls", "Falls", "int"),
        Column("errors", "Errors", "int"),
    )
    return Table("variants", columns, tuple(v.row for v in variants))


def _comparison_table(name: str, comparisons: Sequence[Comparison]) -> Table:
    columns = (
        Column("first", "Variant"),
        Column("second", "Against"),
        Column("pairs", "Pairs", "int"),
        Column("difference", "Difference, points", "points"),
        Column("low", "95 % from", "points"),
        Column("high", "to", "points"),
        Column("only_first", "Only variant succeeded", "int"),
        Column("only_second", "Only other succeeded", "int"),
        Column("p_value", "McNemar p", "p"),
    )
    rows = tuple({"first": c.first, "second": c.second, **asdict(c.result)} for c in comparisons)
    return Table(name, columns, rows)


def relative_page(folder: Path, variant: Variant) -> str | None:
    """Link from a sweep's page to a variant's own page, when there is one."""
    page = folder / variant.folder / "report.html"
    return f"{variant.folder}/report.html" if page.is_file() else None
