"""The figures of a run: where the time of a command went, and one episode on one time axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vla_sim.report.data import RunData
from vla_sim.report.parts import StageBar
from vla_sim.report.render import NARROW_BELOW_IN, Drawing, render
from vla_sim.report.text import milliseconds, number, percent
from vla_sim.report.theme import LIGHT
from vla_sim.report.timeline import Timeline
from vla_sim.report.timeline_figure import Window, draw_timeline
from vla_sim.telemetry.schema import PARTS

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ENLARGE_BELOW = 0.6  # of the episode: a longer window is no enlargement
AROUND_S, MOMENT_AT_MOST_S = 1.0, 14.0  # of an episode's worst moment
ROOM_BEFORE = 0.64  # of the axis: a bar that ends earlier leaves room for words on its right


def run_figures(data: RunData, folder: Path) -> dict[str, Drawing]:
    """All figures of a run's page, keyed by name. `folder` holds the camera images the data points to."""
    figures = {}
    if data.stages:
        figures["waterfall"] = render("waterfall", lambda width: draw_waterfall(data, width))
    if data.distributions:
        figures["distributions"] = render("distributions", lambda width: draw_distributions(data, width))
    if data.timeline is not None:
        windows = timeline_windows(data.timeline)
        for name, window in windows.items():
            figures[name] = _timeline_drawing(data.timeline, folder, name, window)
    return figures


def _timeline_drawing(timeline: Timeline, folder: Path, name: str, window: Window) -> Drawing:
    whole = name == "timeline"
    return render(name, lambda width: draw_timeline(timeline, folder, width, window, whole))


def timeline_windows(timeline: Timeline) -> dict[str, Window]:
    """What is drawn of an episode: all of it; its start and its worst moment where all of it hides them."""
    windows = {}
    first = timeline.first_motion_s
    if first is not None and 0 < first * 1.25 < ENLARGE_BELOW * timeline.end_s:
        windows["start"] = Window(0.0, first * 1.25)
    trouble = [s for s in (*timeline.outages, *timeline.starved) if s.start_s >= (first or 0.0)]
    if trouble:
        longest = max(trouble, key=lambda stretch: stretch.end_s - stretch.start_s)
        begin = max(0.0, longest.start_s - AROUND_S)
        window = Window(begin, min(timeline.end_s, longest.end_s + AROUND_S, begin + MOMENT_AT_MOST_S))
        if 0 < window.length_s < ENLARGE_BELOW * timeline.end_s:
            windows["moment"] = window
    return {**windows, "timeline": Window(0.0, timeline.end_s)}


def draw_distributions(data: RunData, width_in: float) -> Figure:
    """A histogram each, side by side, below one another on a phone; lines at the median and the 95 % quantile."""
    from matplotlib.figure import Figure

    narrow = width_in < NARROW_BELOW_IN
    count = len(data.distributions)
    figure = Figure(figsize=(width_in, 1.9 * count if narrow else 2.3), layout="constrained")
    grid = figure.subplots(count if narrow else 1, 1 if narrow else count, squeeze=False).flat
    for axes, found in zip(grid, data.distributions, strict=True):
        width = (found.high - found.low) / len(found.counts)
        left = [found.low + i * width for i in range(len(found.counts))]
        axes.bar(left, found.counts, width, align="edge", color=LIGHT["compute"], linewidth=0)
        top = max(found.counts)
        for value, style, name in ((found.p50, "-", "p50"), (found.p95, (0, (3, 2)), "p95")):
            axes.vlines(value, 0, top * 1.06, color=LIGHT["ink"], linewidth=1.0, linestyle=style)
            axes.annotate(
                f"{name} {milliseconds(value)}", (value, top * 1.08), ha="center", fontsize=8,
                xytext=(0, 0 if name == "p50" else 10), textcoords="offset points",
            )  # fmt: skip
        axes.set_ylim(0, top * 1.38)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.locator_params(axis="x", nbins=5)
        axes.set_xlabel(found.label)
    return figure


def draw_waterfall(data: RunData, width_in: float) -> Figure:
    """Stages as bars from left to right, one below the other, against their limits and the total."""
    from matplotlib.figure import Figure

    narrow = width_in < NARROW_BELOW_IN
    rows = len(data.stages) + 1
    figure = Figure(figsize=(width_in, (0.52 if narrow else 0.40) * rows + 0.95), layout="constrained")
    axes = figure.add_subplot()
    end_ms = _axis_end(data)
    for row, bar in enumerate(data.stages):
        _stage_row(axes, row, bar, end_ms, narrow)
    _first_motion_row(axes, rows - 1, data, end_ms, narrow)
    if data.total_limit_ms is not None:
        axes.axvline(data.total_limit_ms, color=LIGHT["bad"], linewidth=1.2)
        label = f"budget {milliseconds(data.total_limit_ms)} ms"
        axes.annotate(
            label, (data.total_limit_ms, 1), xycoords=("data", "axes fraction"), xytext=(-4, 3), ha="right",
            textcoords="offset points", color=LIGHT["bad"], fontsize=8.5,
        )  # fmt: skip
    axes.set_xlim(0, end_ms)
    axes.set_ylim(rows - 0.4, -0.75 if narrow else -0.6)
    axes.set_yticks([] if narrow else range(rows), [] if narrow else [b.stage for b in data.stages] + ["first motion"])
    for name in axes.get_yticklabels():
        name.set_color(LIGHT["ink"])
        name.set_fontsize(9.5)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_formatter(lambda value, _: number(value))
    axes.locator_params(axis="x", nbins=5 if narrow else 10)
    axes.set_xlabel("milliseconds after the command")
    _part_legend(figure)
    return figure


def _axis_end(data: RunData) -> float:
    ends = [bar.start_ms + max(bar.p50_ms, bar.p95_ms) for bar in data.stages]
    ends += [value for value in (data.total_limit_ms, data.ttfa_ms["p95"]) if value is not None]
    return 1.12 * max(ends)


def _stage_row(axes: Axes, row: int, bar: StageBar, end_ms: float, narrow: bool) -> None:
    height = 0.34 if narrow else 0.5
    if bar.limit_ms is not None:
        stop = min(bar.start_ms + bar.limit_ms, end_ms)
        axes.barh(row, stop - bar.start_ms, left=bar.start_ms, height=height, color=LIGHT["shade2"], zorder=1)
        if stop < end_ms:
            axes.vlines(stop, row - height / 2, row + height / 2, color=LIGHT["muted"], linewidth=1.4, zorder=2)
    left, whole = bar.start_ms, sum(bar.parts_ms.values())
    for part in PARTS:
        # The parts are means; their proportions split the median.
        length = bar.p50_ms * bar.parts_ms[part] / whole if whole > 0 else 0.0
        if length > 0:
            axes.barh(row, length, left=left, height=height, color=LIGHT[part], zorder=3)
            left += length
    _whisker(axes, row, bar.start_ms + bar.p50_ms, bar.start_ms + bar.p95_ms)
    limit = "" if bar.limit_ms is None else f" · limit {milliseconds(bar.limit_ms)}, met {percent(bar.met_ratio)}"
    words = f"{milliseconds(bar.p50_ms)} ms, p95 {milliseconds(bar.p95_ms)}{limit}"
    missed = bar.met_ratio is not None and bar.met_ratio < 0.95
    after = bar.start_ms + max(bar.p50_ms, bar.p95_ms)
    if bar.limit_ms is not None and bar.start_ms + bar.limit_ms < ROOM_BEFORE * end_ms:
        after = max(after, bar.start_ms + bar.limit_ms)
    _row_words(axes, row, bar.stage, words, after, end_ms, narrow, missed)


def _first_motion_row(axes: Axes, row: int, data: RunData, end_ms: float, narrow: bool) -> None:
    p50, p95 = data.ttfa_ms["p50"], data.ttfa_ms["p95"]
    if p50 is None or p95 is None:
        _row_words(axes, row, "first motion", "it never moved", 0.0, end_ms, narrow, True)
        return
    axes.barh(row, p50, height=0.34 if narrow else 0.5, color=LIGHT["ink"], zorder=3)
    _whisker(axes, row, p50, p95)
    words = f"{milliseconds(p50)} ms, p95 {milliseconds(p95)}"
    _row_words(axes, row, "first motion", words, max(p50, p95), end_ms, narrow, False)


def _whisker(axes: Axes, row: float, start: float, end: float) -> None:
    axes.hlines(row, start, end, color=LIGHT["ink"], linewidth=1.0, zorder=4)
    axes.vlines(end, row - 0.12, row + 0.12, color=LIGHT["ink"], linewidth=1.0, zorder=4)


def _row_words(
    axes: Axes, row: int, name: str, words: str, after: float, end: float, narrow: bool, missed: bool
) -> None:
    """Beside the bar where there is room for it, else left of it; on a phone above the bar, after the stage's name."""
    colour = LIGHT["bad"] if missed else LIGHT["muted"]
    if narrow:
        axes.text(0, row - 0.30, name, va="bottom", fontsize=9, fontweight="bold")
        box = {"facecolor": LIGHT["card"], "edgecolor": "none", "pad": 0.5}  # keeps the budget's line out of the words
        axes.text(end, row - 0.30, words, va="bottom", ha="right", fontsize=8, color=colour, bbox=box, zorder=6)
        return
    right = after < ROOM_BEFORE * end
    axes.annotate(
        words, (after if right else 0.0, row), xytext=(8 if right else 4, 0), textcoords="offset points",
        va="center", fontsize=8.5, color=colour, zorder=6,
    )  # fmt: skip


def _part_legend(figure: Figure) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=LIGHT[part], label=part) for part in PARTS]
    handles.append(Patch(color=LIGHT["shade2"], label="within the stage's limit"))
    narrow = figure.get_figwidth() < NARROW_BELOW_IN
    figure.legend(handles=handles, loc="outside lower left", ncols=3 if narrow else len(handles), handlelength=1.0)


def write_pngs(folder: Path, drawings: Sequence[Drawing]) -> None:
    """Write each figure to `figures/<name>.png`."""
    from vla_sim.telemetry.store import atomic_write_bytes

    for drawing in drawings:
        atomic_write_bytes(folder / "figures" / f"{drawing.name}.png", drawing.png)
