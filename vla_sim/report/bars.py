"""The bars of a timeline: each an attempt at a request, its parts in colours, its fate in outline and hatching."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vla_sim.report.theme import LIGHT
from vla_sim.report.timeline import Bar
from vla_sim.telemetry.schema import PARTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

MARK = {"late": "warn", "lost": "bad", "rejected": "bad", "failed": "bad", "refused": "muted"}
MARKED_AS = {"warn": "late", "bad": "no answer", "muted": "refused"}
UNANSWERED = ("lost", "rejected", "failed")
HATCH = {"simplified": "////", "cached": "...."}
FAINT = 0.38  # opacity of an answer that came after another attempt's was taken
HEIGHT = 0.62  # of a bar that has a row for itself, in rows
ROWS_A_LANE, ROWS_AT_MOST = 0.45, 3.0
WAITED_S = 1e-3  # a shorter wait before an attempt is not drawn


def rows_needed(bars: Sequence[Bar]) -> float:
    """Height of a stage, in rows: more than two lanes of bars need more than one."""
    lanes = 1 + max((bar.lane for bar in bars), default=0)
    return min(ROWS_AT_MOST, max(1.0, lanes * ROWS_A_LANE))


def draw_bars(axes: Axes, middle: float, rows: float, bars: Sequence[Bar], start_s: float, end_s: float) -> None:
    """All bars of one stage in `rows` rows around `middle`, clipped to the time shown."""
    whole = rows - (1 - HEIGHT)
    height = whole / (1 + max(bar.lane for bar in bars))
    pieces: dict[tuple[str, str, float], list[tuple[float, float]]] = {}  # (part, look, top) -> left, width
    for bar in bars:
        top = middle - whole / 2 + bar.lane * height
        for part, left, right in _parts(bar):
            left, right = max(left, start_s), min(right, end_s)
            if right > left:
                pieces.setdefault((part, _look(bar), top), []).append((left, right - left))
        _outline(axes, bar, top, height * 0.88, start_s, end_s)
    for (part, look, top), spans in pieces.items():
        hatch = HATCH.get(look)
        axes.broken_barh(
            spans, (top, height * 0.88), facecolor=LIGHT[part], hatch=hatch, linewidth=0,
            edgecolor=LIGHT["card"] if hatch else "none", alpha=FAINT if look == "superseded" else None, zorder=2,
        )  # fmt: skip


def _parts(bar: Bar) -> list[tuple[str, float, float]]:
    """(part, from, to): what a request's time went into. What it waited before this attempt comes first, undrawn."""
    whole = sum(bar.parts_s)
    if whole <= 0 or bar.status in UNANSWERED:
        return []
    at, found = max(bar.start_s, bar.end_s - whole), []
    for part, length in zip(PARTS, bar.parts_s, strict=True):
        found.append((part, at, at + length))
        at += length
    return found


def _look(bar: Bar) -> str:
    return "superseded" if bar.status == "superseded" else bar.mode


def _outline(axes: Axes, bar: Bar, top: float, height: float, start_s: float, end_s: float) -> None:
    """A frame round what went wrong or was a further attempt; a thin line while that waited for its turn."""
    begin = bar.end_s - sum(bar.parts_s) if bar.attempt and bar.status not in UNANSWERED else bar.start_s
    begin = max(begin, bar.start_s)
    if begin - bar.start_s > WAITED_S:
        axes.hlines(top + height / 2, max(bar.start_s, start_s), min(begin, end_s), color=LIGHT["muted"], linewidth=0.8)
    colour = MARK.get(bar.status, "ink" if bar.attempt and bar.status != "superseded" else "")
    left, right = max(begin, start_s), min(bar.end_s, end_s)
    if colour and right > left:
        axes.plot(
            [left, right, right, left, left], [top, top, top + height, top + height, top],
            color=LIGHT[colour], linewidth=1.1, zorder=4,
        )  # fmt: skip


def status_handles(bars: Sequence[Bar]) -> list[Patch]:
    """Legend entries for the parts, marks and modes that these bars show."""
    from matplotlib.patches import Patch

    drawn = [bar for bar in bars if bar.status not in UNANSWERED]
    used = [part for i, part in enumerate(PARTS) if any(bar.parts_s[i] > 0 for bar in drawn)]
    handles = [Patch(color=LIGHT[part], label=part) for part in used]
    marks = dict.fromkeys(MARK[bar.status] for bar in bars if bar.status in MARK)
    handles += [Patch(facecolor="none", edgecolor=LIGHT[mark], label=MARKED_AS[mark]) for mark in marks]
    if any(bar.attempt and bar.status not in MARK and bar.status != "superseded" for bar in bars):
        handles.append(Patch(facecolor="none", edgecolor=LIGHT["ink"], label="further attempt"))
    if any(bar.status == "superseded" for bar in bars):
        handles.append(Patch(facecolor=LIGHT["compute"], alpha=FAINT, label="superseded"))
    for mode, hatch in HATCH.items():
        if any(bar.mode == mode and bar.status != "superseded" for bar in drawn):
            handles.append(Patch(facecolor=LIGHT["compute"], edgecolor=LIGHT["card"], hatch=hatch, label=mode))
    return handles
