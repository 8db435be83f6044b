"""The page of two runs side by side: numbers, then one episode of both played on one time axis."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from vla_sim.report import html
from vla_sim.report.exports import write_tables
from vla_sim.report.figures import write_pngs
from vla_sim.report.pair_data import PairData, Side, build_pair
from vla_sim.report.pair_figure import draw_pair, margins
from vla_sim.report.pair_script import PLAYER_SCRIPT
from vla_sim.report.parts import find_table
from vla_sim.report.render import NARROW_IN, WIDE_IN, Drawing, render
from vla_sim.report.timeline import Stretch
from vla_sim.telemetry.store import atomic_write_bytes, load_run

TYPES = {".png": "image/png", ".jpg": "image/jpeg"}


def write_pair(first: Path, second: Path, out: Path | None = None, episode: int | None = None) -> Path:
    """Write `report.html`, `figures/*.png` and `tables/*.csv` of two run folders into `out`; returns the page.

    Without `out` they go to `first/versus_<name of second>`. Raises RecordError when the runs cannot be compared.
    """
    folder = first / f"versus_{second.resolve().name}" if out is None else out
    data = build_pair(load_run(first), load_run(second), episode)
    drawing = render("pair", lambda width: draw_pair(data, width))
    write_pngs(folder, [drawing])
    write_tables(folder, data.tables)
    path = folder / "report.html"
    atomic_write_bytes(path, pair_page(data, drawing, {"first": first, "second": second}).encode())
    return path


def pair_page(data: PairData, drawing: Drawing, folders: Mapping[str, Path]) -> str:
    """The whole page; `folders` hold the camera images of each side."""
    sides = dict(zip(("first", "second"), data.sides, strict=True))
    body = [
        html.header("vla_sim · two runs on the same episodes", data.headline, data.summary),
        html.definitions([(side.name, _told(side)) for side in data.sides]),
        _numbers(data),
        _player(data, drawing, sides),
    ]
    playback = {key: _playback(side, folders[key]) for key, side in sides.items()}
    title = f"{data.first.name} and {data.second.name} · vla_sim"
    embedded = data.as_dict() | {"playback": {"end_s": data.end_s, "sides": playback}}
    return html.page(title, body, embedded, PLAYER_SCRIPT, "FIRST SECOND")


def _told(side: Side) -> str:
    found = side.success
    rate = f"{found.successes} of {found.episodes}, 95\u00a0% interval {found.low * 100:.0f} to {found.high * 100:.0f}"
    return f'{rate}\u00a0%. <span class="soft">{escape(side.deployment)}</span>'


def _numbers(data: PairData) -> str:
    note = (
        f"Means over the episodes in common; the difference is {data.second.name} less {data.first.name}. For success "
        "Newcombe's paired interval and McNemar's exact test, for the rest the Hodges-Lehmann shift and the "
        "signed-rank test. Differences without an interval follow from prices and rated powers."
    )
    names = {"First": data.first.name, "Second": data.second.name}
    return html.section(
        "The difference in numbers",
        note,
        html.table(find_table(data.tables, "numbers"), headings=names),
        html.details("Episode by episode", html.table(find_table(data.tables, "episodes"), headings=names)),
    )


def _player(data: PairData, drawing: Drawing, sides: Mapping[str, Side]) -> str:
    screens = "".join(
        f'<figure class="screen {key}" id="screen-{key}"><figcaption><b>{escape(side.name)}</b> '
        f'<span class="outcome">{escape(side.outcome)}</span></figcaption>'
        '<div class="view"><img alt="what the robot saw"><p class="none">no camera images were kept</p></div>'
        '<p class="now">&nbsp;</p></figure>'
        for key, side in sides.items()
    )
    controls = (
        '<div class="controls"><button type="button" id="play" aria-label="play or pause">\u25b6</button>'
        f'<input type="range" id="time" min="0" max="{data.end_s:.3f}" step="0.01" value="0" '
        'aria-label="seconds after the command"><output id="clock">0.00 s</output></div>'
    )
    axis = "".join(
        f'<div class="{size} axis" style="--left:{left:.5f};--right:{right:.5f}">{svg}<i class="playhead"></i></div>'
        for size, svg, (left, right) in (
            ("wide", drawing.wide_svg, margins(WIDE_IN)),
            ("narrow", drawing.narrow_svg, margins(NARROW_IN)),
        )
    )
    note = (
        f"Episode {data.first.timeline.episode} of the first run, the same world in both: {data.why}. Drag the slider, "
        "press play, or click the figure. Simulated time, played at its own speed."
    )
    return html.section(
        "Side by side",
        note,
        f'<div class="player" id="player"><div class="screens">{screens}</div>{controls}'
        '<figure id="figure-pair"><figcaption>Every bar is one attempt at a request; the line is the moment shown '
        f"above</figcaption>{axis}</figure></div>",
    )


def _playback(side: Side, folder: Path) -> dict[str, Any]:
    """What the script needs of one side: pictures as data, and what the robot was doing when."""
    timeline = side.timeline
    return {
        "end_s": timeline.end_s,
        "frames": [{"t_s": image.t_s, "src": _data_uri(folder / image.path)} for image in timeline.thumbnails],
        "phases": _stretches(timeline.phases),
        "held": _stretches(timeline.starved),
        "outages": _stretches(timeline.outages),
    }


def _stretches(found: tuple[Stretch, ...]) -> list[dict[str, Any]]:
    return [{"name": s.name.replace("_", " "), "t_s": s.start_s, "end_s": s.end_s} for s in found]


def _data_uri(path: Path) -> str:
    return f"data:{TYPES[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"
