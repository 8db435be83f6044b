"""Small pieces of HTML. Everything that comes from records is escaped here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from vla_sim.report.asked import Asked, Site
from vla_sim.report.data import GateLine
from vla_sim.report.matrix import Cell, Matrix, Panel
from vla_sim.report.parts import Success, Table, Tile
from vla_sim.report.render import Drawing
from vla_sim.report.style import STYLE
from vla_sim.report.text import cell, percent, seconds, words

MARKS = {"yes": "\u2713", "undecided": "?"}  # of a cell that meets a sweep's question, or may
ROWS_UNFOLDED, ROWS_FOLDED = 16, 10  # of a table
LONG_HEADLINE = 90  # letters
SAID_AT_MOST = 3  # instructions
TEXT_FORMS = ("text", "words", "yes")


def page(title: str, body: Iterable[str], data: Mapping[str, Any], script: str = "", again: str = "DIR") -> str:
    """A whole page in one file, with the data it shows inside it; `again` is what draws it once more."""
    embedded = json.dumps(data, allow_nan=False).replace("<", "\\u003c")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body><main>\n"
        + "\n".join(body)
        + "\n<footer>Drawn by vla_sim from the records in this folder. "
        f"<code>python -m vla_sim.report {escape(again)}</code> draws it again.</footer></main>\n"
        f'<script type="application/json" id="report-data">{embedded}</script>\n'
        + (f"<script>{script}</script>\n" if script else "")
        + "</body></html>\n"
    )


def header(eyebrow: str, headline: str, summary: str = "") -> str:
    """The first thing read: the answer in one sentence."""
    more = f'<p class="summary">{escape(summary)}</p>' if summary else ""
    size = ' class="long"' if len(headline) > LONG_HEADLINE else ""
    return f'<p class="eyebrow">{escape(eyebrow)}</p><h1{size}>{escape(headline)}</h1>{more}'


def question(asked: Asked) -> str:
    """What was asked: the words said to the robot, which robot and task, and where its stages were computed."""
    told = [f"\u201c{text}\u201d" for text in asked.instructions]
    more = f" and {len(told) - SAID_AT_MOST} more" if len(told) > SAID_AT_MOST else ""
    facts = [
        ("Told to", escape(", ".join(told[:SAID_AT_MOST]) + more)),
        ("Robot", escape(asked.robot)),
        ("Task", escape(asked.task)),
        *((f"Computed on the {words(site.name)}", _site(site)) for site in asked.sites),
        *((f"Fallback to the {words(site.name)}", _site(site)) for site in asked.fallbacks),
    ]
    if asked.delay_ms is not None:
        facts.append(("Imposed", f"answers come {asked.delay_ms:g} ms after their image"))
    return definitions([(name, inner) for name, inner in facts if inner])


def definitions(facts: Sequence[tuple[str, str]]) -> str:
    """Names and their values; the values are HTML already."""
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{inner}</dd></div>" for name, inner in facts)
    return f'<dl class="facts">{rows}</dl>'


def _site(site: Site) -> str:
    way = f" over {escape(site.how)}" if site.how else ""
    device = f'<span class="soft">on {escape(site.device)}{way}</span>' if site.device or way else ""
    return f"{escape(', '.join(site.stages))} {device}".rstrip()


def gates(lines: Sequence[GateLine]) -> str:
    """What had to be reached, one line each; nothing when nothing had to."""
    if not lines:
        return ""
    items = "".join(
        f'<li class="{"pass" if line.passed else "fail"}"><b>{"passed" if line.passed else "failed"}</b> '
        f"{escape(line.line)}</li>"
        for line in lines
    )
    return f'<ul class="gates">{items}</ul>'


def gauge(success: Success) -> str:
    """A success rate on a scale from 0 to 100 %, with its interval."""
    if success.rate is None:
        return ""
    low, high, rate = success.low * 100, success.high * 100, success.rate * 100
    label = f"{rate:.0f} %, 95 % interval {low:.0f} to {high:.0f} %"
    return (
        f'<div class="gauge" role="img" aria-label="{label}">'
        f'<div class="range" style="left:{low:.2f}%;width:{high - low:.2f}%"></div>'
        f'<div class="point" style="left:{rate:.2f}%"></div></div>'
        '<div class="scale"><span>0 %</span><span>success, with its 95 % interval</span><span>100 %</span></div>'
    )


def tiles(items: Sequence[Tile]) -> str:
    """The numbers worth reading first."""
    return '<div class="tiles">' + "".join(map(_tile, items)) + "</div>"


def _tile(item: Tile) -> str:
    unit = f"<small>{escape(item.unit)}</small>" if item.unit else ""
    return (
        f'<div class="tile{" bad" if item.bad else ""}"><div class="label">{escape(item.label)}</div>'
        f'<div class="value">{escape(item.value)}{unit}</div><div class="under">{escape(item.note)}</div></div>'
    )


def section(title: str, note: str, *parts: str) -> str:
    """A titled part of the page; `note` says how to read it."""
    words = f"<p>{escape(note)}</p>" if note else ""
    return f"<section><h2>{escape(title)}</h2>{words}{''.join(parts)}</section>"


def figure(drawing: Drawing | None, caption: str) -> str:
    """A figure in both widths; the style sheet shows one. Nothing when there is no drawing."""
    if drawing is None:
        return ""
    return (
        f'<figure id="figure-{drawing.name}" role="img" aria-label="{escape(caption)}">'
        f"<figcaption>{escape(caption)}</figcaption>"
        f'<div class="wide">{drawing.wide_svg}</div><div class="narrow">{drawing.narrow_svg}</div></figure>'
    )


def table(data: Table, links: Mapping[str, str] | None = None, headings: Mapping[str, str] | None = None) -> str:
    """A table; cells of the first column become links where `links` knows their text.

    `headings` replaces headings that are the same on every page by what they are called on this one.
    """
    called = headings or {}
    numeric = ["" if column.form in TEXT_FORMS else ' class="num"' for column in data.columns]
    head = "".join(
        f"<th{n}>{escape(called.get(c.label, c.label))}</th>" for c, n in zip(data.columns, numeric, strict=True)
    )
    body = []
    for row in data.rows:
        cells = []
        for i, (column, kind) in enumerate(zip(data.columns, numeric, strict=True)):
            text = cell(row[column.key], column.form)
            inner = escape(text)
            if i == 0 and links and text in links:
                inner = f'<a href="{escape(links[text])}">{inner}</a>'
            cells.append(f"<td{kind or _long(text)}>{inner}</td>")
        body.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<div class="scroll"><table id="table-{data.name}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def folded_table(data: Table, links: Mapping[str, str] | None = None) -> str:
    """A table; when it is long, within something to open, its first rows before."""
    if len(data.rows) <= ROWS_UNFOLDED:
        return table(data, links)
    first = Table(f"{data.name}-first", data.columns, data.rows[:ROWS_FOLDED])
    return table(first, links) + details(f"All {len(data.rows)} rows", table(data, links))


def matrix(data: Matrix, links: Mapping[str, str]) -> str:
    """A table a panel; the deeper a cell's colour, the higher its success."""
    return "".join(_panel(data, panel, number, links) for number, panel in enumerate(data.panels))


def _panel(data: Matrix, panel: Panel, number: int, links: Mapping[str, str]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in panel.columns)
    corner = f"<th class='corner'>{escape(data.row_key)} \u2193 {escape(data.column_key)} \u2192</th>"
    body = "".join(
        f"<tr><th scope='row'>{escape(name)}</th>{''.join(_matrix_cell(cell, links) for cell in cells)}</tr>"
        for name, cells in zip(panel.rows, panel.cells, strict=True)
    )
    title = f"<h3>{escape(panel.title)}</h3>" if panel.title else ""
    return (
        f'{title}<div class="scroll"><table class="matrix" id="matrix-{number}"><thead><tr>{corner}{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _matrix_cell(found: Cell | None, links: Mapping[str, str]) -> str:
    if found is None:
        return "<td></td>"
    rate = percent(found.success.rate)
    inner = f'<a href="{escape(links[found.label])}">{rate}</a>' if found.label in links else rate
    deep = round((found.success.rate or 0.0) * 100)
    mark = f' <span class="mark">{MARKS[found.meets]}</span>' if found.meets in MARKS else ""
    late = "never" if found.ttfa_p95_ms is None else seconds(found.ttfa_p95_ms / 1e3)
    return (
        f'<td style="--deep:{deep}%" title="{escape(found.label)}"><b>{inner}{mark}</b>'
        f"<span>{found.success.low * 100:.0f}\u2013{found.success.high * 100:.0f}</span>"
        f'<span class="{"soft" if found.in_time else "over"}">{late}</span></td>'
    )


def details(title: str, inner: str) -> str:
    """Something to open when wanted."""
    return f"<details><summary>{escape(title)}</summary>{inner}</details>"


def preformatted(text: str) -> str:
    """Text as it is."""
    return f"<pre>{escape(text)}</pre>"


def _long(text: str) -> str:
    """Only long words may be broken."""
    return ' class="long"' if len(text) > 40 else ""
