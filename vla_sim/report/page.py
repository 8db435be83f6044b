"""A run's page and figures, written from its records."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path

from vla_sim.report import html
from vla_sim.report.data import RunData, Table, build_run, find_table
from vla_sim.report.figures import run_figures, write_pngs
from vla_sim.report.render import Drawing
from vla_sim.report.text import Value, cell, words
from vla_sim.telemetry.store import atomic_write_bytes, load_run


def write_report(folder: Path) -> Path:
    """Draw `figures/*.png` and `report.html` of a run folder; raises RecordError when its records cannot be used."""
    data = build_run(load_run(folder))
    drawings = run_figures(data, folder)
    write_pngs(folder, list(drawings.values()))
    path = folder / "report.html"
    atomic_write_bytes(path, run_page(data, drawings).encode())
    return path


def run_page(data: RunData, drawings: Mapping[str, Drawing]) -> str:
    """The whole page of a run."""
    body = [
        html.header(f"vla_sim run · {data.title}", data.headline, data.summary),
        html.gauge(data.success),
        html.tiles(data.tiles),
        _budget(data, drawings),
        _timeline(data, drawings),
        _videos(data),
        _failures(data),
        _loop(data),
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
    )


def _timeline(data: RunData, drawings: Mapping[str, Drawing]) -> str:
    timeline = data.timeline
    if timeline is None:
        return ""
    return html.section(
        f"Episode {timeline.episode} on one time axis",
        f"Chosen because it is {timeline.why}. Time is simulated; every bar is one request, on the site where it ran.",
        html.figure(drawings.get("start"), "From the command to the first motion"),
        html.figure(drawings.get("timeline"), "The whole episode, with the joints that move most"),
    )


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
    reasons = ", ".join(f"{words(reason)} {count}" for reason, count in data.metrics["reasons"].items())
    every = html.details(f"All {len(episodes.rows)} episodes", html.table(episodes))
    if not failed.rows:
        return html.section("Episodes", f"None failed. How they ended: {reasons or 'there were none'}.", every)
    note = f"How the episodes ended: {reasons}. One that crashed counts as a failure."
    many = f"{len(failed.rows)} episode{'s' * (len(failed.rows) > 1)}"
    return html.section(f"What went wrong in {many}", note, html.table(failed), every)


def _loop(data: RunData) -> str:
    motion, network, queue = data.metrics["motion"], data.metrics["network"], data.metrics["queue"]
    facts: tuple[tuple[str, str, Value, str], ...] = (
        (
            "Stale view",
            "share of ticks acting on a detection older than allowed",
            queue["stale_action_ratio"],
            "percent",
        ),
        ("Answers too late to use", "computed, never acted on", queue["skipped_actions"], "int"),
        ("Jump at seams", "p99, rad, where a new answer takes over", motion["seam_jump_rad_p99"], "short"),
        ("Jerk", "root mean square of the commanded joints, rad/s³", motion["jerk"], "short"),
        ("Traffic", "mean uplink, Mbit/s", network["up_mbps"], "short"),
        ("Traffic", "mean downlink, Mbit/s", network["down_mbps"], "short"),
    )
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(what)}</td><td class='num'>{escape(cell(value, form))}</td></tr>"
        for name, what, value, form in facts
    )
    return html.section(
        "Control loop and motion",
        "How evenly the loop ran, and how smooth its commands were.",
        html.table(find_table(data.tables, "loop")),
        f"<h3>Motion and traffic</h3><div class='scroll'><table id='table-motion'><tbody>{rows}</tbody></table></div>",
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
