"""The figures of a sweep: success against delay, latency of each variant, differences with the reference."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vla_sim.report.comparisons import Comparison
from vla_sim.report.pareto import Front
from vla_sim.report.render import NARROW_BELOW_IN, Drawing, render
from vla_sim.report.sweep_data import SweepData
from vla_sim.report.text import milliseconds, number, points
from vla_sim.report.theme import LIGHT, SERIES, STAGE_SERIES
from vla_sim.report.variants import Variant

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MANY = 16  # rows
LETTERS_A_LINE = 44  # of a variant's name
AXIS_WORDS = {
    "usd_per_hour": "rent off the robot, $ an hour",
    "wh_per_success": "energy from the battery, Wh a success",
}


def sweep_figures(data: SweepData) -> dict[str, Drawing]:
    """All figures of a sweep's page, keyed by name; `<name>_all` where a first one shows but some of the variants."""
    first = [v for v in data.variants if v.label in data.shown]
    figures = {"latency": render("latency", lambda width: draw_latency(data, first, width))}
    if data.delay_varies:
        figures["delay"] = render("delay", lambda width: draw_delay(data, width))
    if data.front is not None:
        front = data.front
        figures["front"] = render("front", lambda width: draw_front(data, front, width))
    compared = [c for c in data.comparisons if c.first in data.shown]
    if compared:
        figures["difference"] = render("difference", lambda width: draw_difference(data, compared, width))
    if len(first) < len(data.variants):
        figures["latency_all"] = render("latency_all", lambda width: draw_latency(data, data.variants, width))
        if data.comparisons:
            figures["difference_all"] = render(
                "difference_all", lambda width: draw_difference(data, data.comparisons, width)
            )
    return figures


def curves(data: SweepData) -> dict[str, list[Variant]]:
    """Variants with a delay and a success rate, by curve, in the order of their delay."""
    found: dict[str, list[Variant]] = {}
    for variant in sorted(data.variants, key=lambda v: v.delay_ms or 0.0):
        if variant.delay_ms is not None and variant.success.rate is not None:
            found.setdefault(variant.curve, []).append(variant)
    return dict(sorted(found.items()))


def draw_delay(data: SweepData, width_in: float) -> Figure:
    """Success against the imposed delay with Wilson intervals; many curves get a figure each."""
    from matplotlib.figure import Figure

    narrow = width_in < NARROW_BELOW_IN
    lines = curves(data)
    delays = sorted({v.delay_ms for line in lines.values() for v in line if v.delay_ms is not None})
    if len(lines) > len(SERIES):
        return _small_multiples(lines, delays, width_in)
    figure = Figure(figsize=(width_in, 3.3 if narrow else 4.2), layout="constrained")
    axes = figure.add_subplot()
    apart = 0.008 * (delays[-1] - delays[0])  # so that intervals at the same delay can be told from each other
    for i, (name, line) in enumerate(lines.items()):
        _curve(axes, line, LIGHT[SERIES[i]], name, (i - (len(lines) - 1) / 2) * apart)
    _success_axis(axes, delays)
    axes.set_xlabel("delay from image to answer, ms")
    if len(lines) > 1:
        figure.legend(loc="outside upper left", ncols=2 if narrow else 4)
    return figure


def _small_multiples(lines: dict[str, list[Variant]], delays: list[float], width_in: float) -> Figure:
    from matplotlib.figure import Figure

    columns = 2 if width_in < NARROW_BELOW_IN else 5
    rows = -(-len(lines) // columns)
    figure = Figure(figsize=(width_in, 1.55 * rows + 0.4), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat
    for axes, (name, line) in zip(grid, lines.items(), strict=False):
        _curve(axes, line, LIGHT["s1"], name, 0.0)
        _success_axis(axes, [delays[0], delays[-1]])
        axes.set_title(name, fontsize=8, loc="left", color=LIGHT["ink"])
    for axes in list(grid)[len(lines) :]:
        axes.axis("off")
    figure.supxlabel("delay from image to answer, ms", fontsize=8.5, color=LIGHT["muted"])
    return figure


def _curve(axes: Axes, line: Sequence[Variant], colour: str, name: str, shift: float) -> None:
    axes.errorbar(
        [(v.delay_ms or 0.0) + shift for v in line], [(v.success.rate or 0.0) * 100 for v in line], yerr=_spread(line),
        color=colour, marker="o", markersize=5.5, linewidth=2, elinewidth=1.1, capsize=3, label=name,
    )  # fmt: skip


def _spread(line: Sequence[Variant]) -> tuple[list[float], list[float]]:
    """How far the intervals reach below and above the rates, percent."""
    rates = [(v.success.rate or 0.0) * 100 for v in line]
    below = [max(0.0, rate - v.success.low * 100) for rate, v in zip(rates, line, strict=True)]
    above = [max(0.0, v.success.high * 100 - rate) for rate, v in zip(rates, line, strict=True)]
    return below, above


def _success_axis(axes: Axes, delays: Sequence[float]) -> None:
    axes.set_ylim(-3, 104)
    axes.set_yticks(range(0, 101, 25), [f"{tick} %" for tick in range(0, 101, 25)])
    axes.set_xticks(delays)
    axes.xaxis.set_major_formatter(lambda value, _: number(value))
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)


def draw_front(data: SweepData, front: Front, width_in: float) -> Figure:
    """Success against rent and against energy; variants on the front carry their number, the beaten ones are grey."""
    from matplotlib.figure import Figure

    narrow = width_in < NARROW_BELOW_IN
    axes_of = [key for key in front.objectives if key != "success_rate"]
    figure = Figure(figsize=(width_in, 2.9 * len(axes_of) if narrow else 3.8), layout="constrained")
    shape = (len(axes_of), 1) if narrow else (1, len(axes_of))
    placed = [v for v in data.variants if v.label not in front.unplaced]
    for axes, key in zip(figure.subplots(*shape, squeeze=False).flat, axes_of, strict=True):
        numbered: set[int] = set()
        for variant in sorted(placed, key=lambda v: front.best.get(v.label, 0)):
            number = front.best.get(variant.label)
            if number not in numbered:
                _front_point(axes, variant, key, number)
            numbered |= {number} if number is not None else set()
        axes.set_ylim(-4, 108)
        axes.set_yticks(range(0, 101, 25), [f"{tick} %" for tick in range(0, 101, 25)])
        axes.grid(axis="y")
        axes.margins(x=0.08)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(AXIS_WORDS[key])
    return figure


def _front_point(axes: Axes, variant: Variant, key: str, number: int | None) -> None:
    found, x = variant.success, variant.row[key]
    if not isinstance(x, int | float) or found.rate is None:
        return
    best = number is not None
    colour = LIGHT["accent" if best else "s8"]
    axes.vlines(x, found.low * 100, found.high * 100, color=colour, linewidth=1.2, alpha=0.75 if best else 0.35)
    axes.plot(
        x, found.rate * 100, marker="o", markersize=14 if best else 6, color=colour, zorder=4 if best else 3,
        markeredgecolor=LIGHT["card"], alpha=1.0 if best else 0.7,
    )  # fmt: skip
    if best:
        axes.annotate(
            str(number), (x, found.rate * 100), ha="center", va="center_baseline", color=LIGHT["card"], fontsize=8.5,
            fontweight="bold", zorder=5,
        )  # fmt: skip


def draw_latency(data: SweepData, variants: Sequence[Variant], width_in: float) -> Figure:
    """One row a variant: medians of its stages end to end, and its first motion, against the budget."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    narrow = width_in < NARROW_BELOW_IN
    figure = Figure(figsize=(width_in, _row_in(len(variants), narrow) * len(variants) + 1.1), layout="constrained")
    axes = figure.add_subplot()
    ends = [data.total_limit_ms]
    for row, variant in enumerate(variants):
        for bar in variant.stages:
            colour = LIGHT[STAGE_SERIES.get(bar.stage, "s8")]
            axes.barh(row, bar.p50_ms, left=bar.start_ms, height=0.3 if narrow else 0.5, color=colour, zorder=3)
            ends.append(bar.start_ms + bar.p50_ms)
        p50, p95 = (variant.row[f"ttfa_{q}_ms"] for q in ("p50", "p95"))
        if isinstance(p50, float) and isinstance(p95, float):
            axes.hlines(row, p50, p95, color=LIGHT["ink"], linewidth=1.2, zorder=5)
            axes.plot(p50, row, marker="D", markersize=4.5, color=LIGHT["ink"], zorder=6)
            ends.append(p95)
    axes.axvline(data.total_limit_ms, color=LIGHT["bad"], linewidth=1.2)
    axes.annotate(
        f"budget {milliseconds(data.total_limit_ms)} ms", (data.total_limit_ms, 1), xycoords=("data", "axes fraction"),
        xytext=(-4, 3), textcoords="offset points", ha="right", color=LIGHT["bad"], fontsize=8.5,
    )  # fmt: skip
    axes.set_xlim(0, 1.06 * max(ends))
    _rows(axes, [v.label for v in variants], narrow)
    axes.xaxis.set_major_formatter(lambda value, _: number(value))
    axes.locator_params(axis="x", nbins=5 if narrow else 10)
    axes.set_xlabel("milliseconds after the command")
    used = dict.fromkeys(bar.stage for variant in variants for bar in variant.stages)
    handles: list[Patch | Line2D] = [Patch(color=LIGHT[STAGE_SERIES.get(stage, "s8")], label=stage) for stage in used]
    handles.append(Line2D([], [], color=LIGHT["ink"], marker="D", markersize=4.5, label="first motion, p50 to p95"))
    figure.legend(handles=handles, loc="outside lower left", ncols=3 if narrow else 9, handlelength=1.0)
    return figure


def draw_difference(data: SweepData, comparisons: Sequence[Comparison], width_in: float) -> Figure:
    """Paired difference of each variant with the reference, percentage points, with its interval."""
    from matplotlib.figure import Figure

    narrow = width_in < NARROW_BELOW_IN
    height_in = _row_in(len(comparisons), narrow) * len(comparisons) + 0.75
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    axes = figure.add_subplot()
    for row, comparison in enumerate(comparisons):
        found = comparison.result
        clear = found.low > 0 or found.high < 0
        colour = LIGHT["ink" if not clear else "bad" if found.difference < 0 else "accent"]
        axes.hlines(row, found.low * 100, found.high * 100, color=colour, linewidth=2)
        axes.plot(found.difference * 100, row, marker="o", markersize=7, color=colour)
        if not narrow:
            axes.annotate(
                f"{points(found.difference)}", (found.difference * 100, row), xytext=(0, 7), ha="center",
                textcoords="offset points", fontsize=8, color=colour,
            )  # fmt: skip
    axes.axvline(0, color=LIGHT["muted"], linewidth=1.0, linestyle=(0, (1, 1.5)))
    _rows(axes, [c.first for c in comparisons], narrow)
    axes.xaxis.set_major_formatter(lambda value, _: points(value / 100))
    axes.set_xlabel("percentage points" if narrow else f"success, percentage points against {data.against}")
    return figure


def _row_in(rows: int, narrow: bool) -> float:
    """Height of a row, inches: less where there are many."""
    if narrow:
        return 0.44 if rows > MANY else 0.50
    return 0.27 if rows > MANY else 0.36


def _rows(axes: Axes, names: list[str], narrow: bool) -> None:
    """Name the rows at their left, or above each of them on a phone."""
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(names) - 0.45, -0.75)
    wrapped = [textwrap.fill(name, LETTERS_A_LINE) for name in names]
    axes.set_yticks([] if narrow else range(len(names)), [] if narrow else wrapped)
    for label in axes.get_yticklabels():
        label.set_color(LIGHT["ink"])
        label.set_fontsize(9 if "\n" not in label.get_text() else 7)
    if narrow:
        for row, name in enumerate(names):
            text = axes.annotate(
                name, (0, row - 0.22), xycoords=("axes fraction", "data"), va="bottom", fontweight="bold",
                fontsize=8.5 if len(name) <= LETTERS_A_LINE else 6.5,
            )  # fmt: skip
            text.set_in_layout(False)  # a long name may lie over the figure's margin, not narrow the axes
