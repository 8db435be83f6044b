"""A sweep's page, figures and tables, written from the run folders inside it alone."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa

from vla_sim.errors import RecordError
from vla_sim.report import html
from vla_sim.report.data import check_metrics, find_table
from vla_sim.report.figures import write_pngs
from vla_sim.report.render import Drawing
from vla_sim.report.sweep_data import SweepData, build_sweep, relative_page
from vla_sim.report.sweep_figures import sweep_figures
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
        ("starved_ticks", pa.int64()),
        ("stale_action_ratio", pa.float64()),
        ("falls", pa.int64()),
        ("errors", pa.int64()),
        ("sim_s", pa.float64()),
        ("wall_s", pa.float64()),
    ]
)


def write_sweep(folder: Path) -> Path:
    """Write `sweep.parquet`, `metrics.json`, `figures/*.png` and `report.html` of a sweep folder.

    Runs that cannot be read are named on the page. Raises RecordError when none can.
    """
    runs, unread = _load(folder)
    data = build_sweep(folder.resolve().name, runs, unread)
    rows = [
        {"folder": v.folder, "overrides": json.dumps(v.overrides), "curve": v.curve, **v.row} for v in data.variants
    ]
    columns = [pa.array([row[field.name] for row in rows], field.type) for field in COLUMNS]
    atomic_write_parquet(folder / "sweep.parquet", pa.Table.from_arrays(columns, schema=COLUMNS))
    atomic_write_json(folder / "metrics.json", _metrics(data, runs))
    drawings = sweep_figures(data)
    write_pngs(folder, list(drawings.values()))
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
        "comparisons": [{"first": c.first, "second": c.second, **asdict(c.result)} for c in data.comparisons],
    }


def sweep_page(data: SweepData, drawings: dict[str, Drawing], folder: Path) -> str:
    """The whole page of a sweep; `folder` tells which variants have a page of their own."""
    links = {v.label: page for v in data.variants if (page := relative_page(folder, v)) is not None}
    body = [html.header(f"vla_sim sweep · {data.title}", data.headline, data.summary)]
    if "delay" in drawings:
        caption = "Success against the time from image to answer, with 95 % Wilson intervals"
        body.append(html.section("What delay costs", "", html.figure(drawings["delay"], caption)))
    body.append(html.section("Variants", "", html.table(find_table(data.tables, "variants"), links)))
    body.append(_latency(drawings))
    body.append(_comparisons(data, drawings))
    if data.unread:
        body.append(
            html.section("Left out", "These runs could not be read.", html.preformatted("\n".join(data.unread)))
        )
    return html.page(f"{data.title} · vla_sim", body, data.as_dict())


def _latency(drawings: dict[str, Drawing]) -> str:
    note = "Medians of a command's stages laid end to end; the diamond is when the robot really first moved."
    caption = "Where the time of a command went, variant by variant"
    return html.section("Where the time went", note, html.figure(drawings["latency"], caption))


def _comparisons(data: SweepData, drawings: dict[str, Drawing]) -> str:
    if not data.comparisons:
        return ""
    note = (
        f"Difference in success with \u201c{data.reference}\u201d on the same episodes: Newcombe's paired 95 % "
        "interval and McNemar's exact test. Where the interval crosses zero, these episodes cannot tell the two apart."
    )
    pairs = find_table(data.tables, "pairs")
    return html.section(
        "Is the difference real?",
        note,
        html.figure(drawings["difference"], f"Success compared with {data.reference}"),
        html.table(find_table(data.tables, "comparisons")),
        html.details(f"All {len(pairs.rows)} pairs", html.table(pairs)) if pairs.rows else "",
    )
