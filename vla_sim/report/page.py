"""A run's page, figures and tables, written from its records."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path

from vla_sim.report import html
from vla_sim.report.data import RunData, build_run
from vla_sim.report.exports import write_tables
from vla_sim.report.figures import run_figures, write_pngs
from vla_sim.report.parts import Table, find_table
from vla_sim.report.render import Drawing
from vla_sim.report.run_tables import reasons_in_words
from vla_sim.telemetry.store import atomic_write_bytes, load_run


def write_report(folder: Path) -> Path:
    """Draw `report.html`, `figures/*.png` and `tables/*.csv` of a run folder.

    Raises RecordError when its records cannot be used.
    """
    data = build_run(load_run(folder))
    drawings = run_figures(data, folder)
    write_pngs(folder, list(drawings.values()))
    write_tables(folder, data.tables)
    path = folder / "report.html"
    atomic_write_bytes(path, run_page(data, drawings).encode())
    return path


def run_page(data: RunData, drawings: Mapping[str, Drawing]) -> str:
    """The whole page of a run."""
    body = [
        html.header(f"vla_sim run · {data.title}", data.headline, data.summary),
        html.gauge(data.success),
        html.question(data.asked),
        html.gates(data.gates),
        html.tiles(data.tiles),
        _budget(data, drawings),
        _timeline(data, drawings),
        _degradation(data),
        _failures(data),
        _videos(data),
        _loop(data, drawings),
        _cost(data),
        _provenance(data),
    ]
    return html.page(f"{data.title} · vla_sim", body, data.as_dict())


def _budget(data: RunData, drawings: Mapping[str, Drawing]) -> str:
    if not data.stages:
        return ""
    note = (
        "Each stage of a command starts where the one before it ended. Bars are medians, split by the mean share of "
        "uplink, queue, compute and downlink; whiskers reach the 95 % quantile; the pale track is the stage's limit."
    )
    caption = "Median latency of each stage against its limit and the whole budget"
    return html.section(
        "Where the time of a command went",
        note,
        html.figure(drawings.get("waterfall"), caption),
        "<h3>Latency by stage</h3><p class='note'>Milliseconds; the parts are means.</p>",
        html.table(find_table(data.tables, "stages")),
        html.details("Where each stage was computed", html.table(find_table(data.tables, "placement"))),
    )


def _timeline(data: RunData, drawings: Mapping[str, Drawing]) -> str:
    timeline = data.timeline
    if timeline is None:
        return ""
    pictures = "" if timeline.thumbnails else " No camera images were kept of it."
    return html.section(
        f"The episode to look at first: {timeline.episode}",
        f"It is {timeline.why}. Time is simulated; every bar is one attempt at a request.{pictures}",
        html.figure(drawings.get("start"), "From the command to the first motion"),
        html.figure(drawings.get("moment"), "Its worst moment, enlarged"),
        html.figure(drawings.get("timeline"), "The whole episode, with the joints that move most"),
    )


def _degradation(data: RunData) -> str:
    if not data.degradation:
        return ""
    return html.section("Fallbacks and degradation", data.degradation, html.table(find_table(data.tables, "attempts")))


def _videos(data: RunData) -> str:
    shown = [
        f"<figure><figcaption>{escape(path)}</figcaption>"
        f'<video controls preload="metadata" src="{escape(path)}"></video></figure>'
        for path in data.videos
    ]
    return html.section("Video", "", *shown) if shown else ""


def _failures(data: RunData) -> str:
    episodes = find_table(data.tables, "episodes")
    failed = Table("failures", episodes.columns, tuple(row for row in episodes.rows if not row["success"]))
    reasons = reasons_in_words(data.metrics)
    every = html.details(f"All {len(episodes.rows)} episodes", html.table(episodes))
    if not failed.rows:
        return html.section("Episodes", f"None failed. How they ended: {reasons or 'there were none'}.", every)
    note = f"How the episodes ended: {reasons}. One that crashed counts as a failure."
    many = f"{len(failed.rows)} episode{'s' * (len(failed.rows) > 1)}"
    return html.section(f"What went wrong in {many}", note, html.table(failed), every)


def _loop(data: RunData, drawings: Mapping[str, Drawing]) -> str:
    steady = all(found.name != "period" for found in data.distributions)
    note = "How fast the robot reacts, how evenly its loop ran, and how smooth its commands were."
    return html.section(
        "Reaction, control loop and motion",
        note + (" Every control tick came exactly one period after the one before." if steady else ""),
        html.figure(drawings.get("distributions"), "How they are spread, every sample counted"),
        html.table(find_table(data.tables, "loop")),
        "<h3>Motion and traffic</h3>",
        html.table(find_table(data.tables, "motion")),
    )


def _cost(data: RunData) -> str:
    table = find_table(data.tables, "cost")
    if not table.rows:
        return ""
    return html.section(
        "Cost and energy",
        "Modelled from list prices and rated powers, with sources below. Computers on the robot are not rented.",
        html.table(table),
    )


def _provenance(data: RunData) -> str:
    sources = find_table(data.tables, "sources")
    note = "Where the modelled figures come from, and what exactly was run. Equal hashes mean equal results."
    return html.section(
        "Provenance",
        note,
        html.table(sources) if sources.rows else "",
        "<h3>This run</h3>",
        html.table(find_table(data.tables, "identity")),
        html.details("Configuration", html.preformatted(data.config_text)),
    )
