"""A sweep's page, figures and tables, written from the run folders inside it alone."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa

from vla_sim.errors import RecordError
from vla_sim.report import html
from vla_sim.report.data import check_metrics
from vla_sim.report.exports import write_tables
from vla_sim.report.figures import write_pngs
from vla_sim.report.parts import Table, find_table
from vla_sim.report.render import Drawing
from vla_sim.report.sweep_data import SweepData, build_sweep
from vla_sim.report.sweep_figures import sweep_figures
from vla_sim.report.text import milliseconds
from vla_sim.report.variants import relative_page
from vla_sim.telemetry.store import (
    RunRecords,
    atomic_write_bytes,
    atomic_write_json,
    atomic_write_parquet,
    find_runs,
    load_run,
)

COLUMNS = pa.schema(
    [
        ("folder", pa.string()),
        ("overrides", pa.string()),  # a JSON list
        ("curve", pa.string()),
        ("label", pa.string()),
        ("delay_ms", pa.float64()),
        ("episodes", pa.int64()),
        ("successes", pa.int64()),
        ("success_rate", pa.float64()),
        ("success_low", pa.float64()),
        ("success_high", pa.float64()),
        ("rt_degradation", pa.float64()),
        ("ttfa_p50_ms", pa.float64()),
        ("ttfa_p95_ms", pa.float64()),
        ("perception_p95_ms", pa.float64()),
        ("reaction_p95_ms", pa.float64()),
        ("budget_met", pa.float64()),
        ("meets", pa.string()),
        ("usd_per_hour", pa.float64()),
        ("usd_per_success", pa.float64()),
        ("wh_per_success", pa.float64()),
        ("battery_h", pa.float64()),
        ("fallback_share", pa.float64()),
        ("hold_s", pa.float64()),
        ("safe_stops", pa.int64()),
        ("starved_ticks", pa.int64()),
        ("stale_action_ratio", pa.float64()),
        ("falls", pa.int64()),
        ("errors", pa.int64()),
        ("sim_s", pa.float64()),
        ("wall_s", pa.float64()),
    ]
)


def write_sweep(folder: Path) -> Path:
    """Write `sweep.parquet`, `metrics.json`, `figures/*.png`, `tables/*.csv` and `report.html` of a sweep folder.

    Runs that cannot be read are named on the page. Raises RecordError when none can.
    """
    runs, unread = _load(folder)
    data = build_sweep(folder.resolve().name, runs, unread)
    rows = [
        {
            "folder": v.folder,
            "overrides": json.dumps(v.overrides),
            "curve": v.curve,
            "meets": data.answer.meets.get(v.label),
            **v.row,
        }
        for v in data.variants
    ]
    columns = [pa.array([row[field.name] for row in rows], field.type) for field in COLUMNS]
    atomic_write_parquet(folder / "sweep.parquet", pa.Table.from_arrays(columns, schema=COLUMNS))
    atomic_write_json(folder / "metrics.json", _metrics(data, runs))
    drawings = sweep_figures(data)
    write_pngs(folder, list(drawings.values()))
    write_tables(folder, data.tables)
    path = folder / "report.html"
    atomic_write_bytes(path, sweep_page(data, drawings, folder).encode())
    return path


def _load(folder: Path) -> tuple[list[RunRecords], list[str]]:
    runs, unread = [], []
    for path in find_runs(folder):
        try:
            run = load_run(path)
            check_metrics(run)
            runs.append(run)
        except RecordError as error:
            unread.append(f"{Path(error.path).relative_to(folder).as_posix()}: {error.problem}")
    if not runs:
        raise RecordError(folder, "holds no finished run" + (f" ({unread[0]})" if unread else ""))
    return runs, unread


def _metrics(data: SweepData, runs: list[RunRecords]) -> dict[str, object]:
    return {
        "reference": data.reference,
        "variants": {
            variant.label: {**run.metrics, "rt_degradation": variant.row["rt_degradation"]}
            for variant, run in zip(data.variants, runs, strict=True)
        },
        "headline": data.headline,
        "meets": data.answer.meets,
        "front": None if data.front is None else data.front.best,
        "comparisons": [
            {
                "first": c.first,
                "second": c.second,
                **asdict(c.result),
                **asdict(c.effect),
                "p_adjusted": c.p_adjusted,
                "advice": c.advice,
            }
            for c in data.comparisons
        ],
    }


def sweep_page(data: SweepData, drawings: dict[str, Drawing], folder: Path) -> str:
    """The whole page of a sweep; `folder` tells which variants have a page of their own."""
    links = {v.label: page for v in data.variants if (page := relative_page(folder, v)) is not None}
    body = [html.header(f"vla_sim sweep · {data.title}", data.headline, data.summary)]
    if data.answer.table is not None:
        body.append(_answer(data, data.answer.table, links))
    if data.matrix is not None:
        note = (
            "Each cell: success with its 95 % interval, and the 95 % quantile of the time to the first action, red "
            f"above {milliseconds(data.total_limit_ms)} ms."
        ) + (" \u2713: meets both limits; ?: more episodes must tell." if data.answer.meets else "")
        body.append(html.section("At a glance", note, html.matrix(data.matrix, links)))
    if "delay" in drawings:
        caption = "Success against the time from image to answer, with 95 % Wilson intervals"
        body.append(html.section("What delay costs", "", html.figure(drawings["delay"], caption)))
    body.append(_front(data, drawings, links))
    body.append(_variants(data, links))
    body.append(_latency(data, drawings))
    body.append(_comparisons(data, drawings))
    if data.unread:
        body.append(
            html.section("Left out", "These runs could not be read.", html.preformatted("\n".join(data.unread)))
        )
    return html.page(f"{data.title} · vla_sim", body, data.as_dict())


def _answer(data: SweepData, table: Table, links: dict[str, str]) -> str:
    return html.section("Which deployments do", data.answer.rule, html.folded_table(table, links))


def _front(data: SweepData, drawings: dict[str, Drawing], links: dict[str, str]) -> str:
    if data.front is None:
        return ""
    note = (
        "Numbered variants are beaten by no other in success, rent and energy together, by point estimates; grey ones "
        "are, by the one named. Bars are 95 % intervals of success. Rent is that of computers off the robot; those on "
        "it are bought."
    )
    left = f" Not placed, for want of a figure: {', '.join(data.front.unplaced)}." if data.front.unplaced else ""
    return html.section(
        "Success, cost and energy",
        note + left,
        html.figure(drawings["front"], "Success against rent and energy"),
        html.folded_table(find_table(data.tables, "front"), links),
    )


def _variants(data: SweepData, links: dict[str, str]) -> str:
    return html.section("Variants", "", html.folded_table(find_table(data.tables, "variants"), links))


def _latency(data: SweepData, drawings: dict[str, Drawing]) -> str:
    note = "Medians of a command's stages laid end to end; the diamond is when the robot really first moved."
    caption = "Where the time of a command went, variant by variant"
    every = html.figure(drawings.get("latency_all"), f"{caption}: all {len(data.variants)}")
    return html.section(
        "Where the time went",
        note + _selected(data),
        html.figure(drawings["latency"], caption),
        html.details(f"All {len(data.variants)} variants", every) if every else "",
    )


def _selected(data: SweepData) -> str:
    """How the variants of a first figure were picked; "" when it shows them all."""
    if len(data.shown) == len(data.variants):
        return ""
    return (
        f" Of {len(data.variants)} variants these {len(data.shown)}: the reference, the front, those that meet the "
        "question, then by success, and the worst."
    )


def _comparisons(data: SweepData, drawings: dict[str, Drawing]) -> str:
    if not data.comparisons:
        return ""
    note = (
        f"Difference in success with \u201c{data.against}\u201d on the same episodes: Newcombe's paired 95 % "
        "interval and McNemar's exact test, by itself and corrected for how many there are (Holm). Where the interval "
        "crosses zero, these episodes cannot tell the two apart. Cohen's h: 0.2 small, 0.5 medium, 0.8 large."
    )
    pairs = find_table(data.tables, "pairs")
    every = html.figure(drawings.get("difference_all"), f"All {len(data.comparisons)} variants")
    return html.section(
        "Is the difference real?",
        note,
        html.figure(drawings.get("difference"), f"Success compared with {data.against}"),
        html.details(f"All {len(data.comparisons)} differences", every) if every else "",
        html.folded_table(find_table(data.tables, "comparisons")),
        html.details(f"All {len(pairs.rows)} pairs", html.table(pairs)) if pairs.rows else "",
    )
