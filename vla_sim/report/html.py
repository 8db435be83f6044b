"""Small pieces of HTML. Everything that comes from records is escaped here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from vla_sim.report.data import Success, Table, Tile
from vla_sim.report.render import Drawing
from vla_sim.report.style import STYLE
from vla_sim.report.text import cell

TEXT_FORMS = ("text", "words", "yes")


def page(title: str, body: Iterable[str], data: Mapping[str, Any]) -> str:
    """A whole page in one file, with the data it shows inside it."""
    embedded = json.dumps(data, allow_nan=False).replace("<", "\\u003c")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body><main>\n"
        + "\n".join(body)
        + "\n<footer>Drawn by vla_sim from the records in this folder. "
        "<code>python -m vla_sim.report DIR</code> draws it again.</footer></main>\n"
        f'<script type="application/json" id="report-data">{embedded}</script>\n</body></html>\n'
    )


def header(eyebrow: str, headline: str, summary: str) -> str:
    """The first thing read: the answer in one sentence."""
    return (
        f'<p class="eyebrow">{escape(eyebrow)}</p><h1>{escape(headline)}</h1><p class="summary">{escape(summary)}</p>'
    )


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


def table(data: Table, links: Mapping[str, str] | None = None) -> str:
    """A table; cells of the first column become links where `links` knows their text."""
    numeric = ["" if column.form in TEXT_FORMS else ' class="num"' for column in data.columns]
    head = "".join(f"<th{n}>{escape(c.label)}</th>" for c, n in zip(data.columns, numeric, strict=True))
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


def details(title: str, inner: str) -> str:
    """Something to open when wanted."""
    return f"<details><summary>{escape(title)}</summary>{inner}</details>"


def preformatted(text: str) -> str:
    """Text as it is."""
    return f"<pre>{escape(text)}</pre>"


def _long(text: str) -> str:
    """Only long words may be broken."""
    return ' class="long"' if len(text) > 40 else ""
