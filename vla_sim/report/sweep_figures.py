"""The figures of a sweep: success against delay, latency of each variant, differences with the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vla_sim.report.figures import NARROW_BELOW_IN
from vla_sim.report.render import Drawing, render
from vla_sim.report.sweep_data import SweepData, Variant
from vla_sim.report.text import milliseconds, number, points
from vla_sim.report.theme import LIGHT, SERIES, STAGE_SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def sweep_figures(data: SweepData) -> dict[str, Drawing]:
    """All figures of a sweep's page, keyed by name."""
    figures = {"latency": render("latency", lambda width: draw_latency(data, width))}
    if data.delay_varies:
        figures["delay"] = render("delay", lambda width: draw_delay(data, width))
    if data.comparisons:
        figures["difference"] = render("difference", lambda width: draw_difference(data, width))
    return figures


def curves(data: SweepData) -> dict[str, list[Variant]]:
    """Variants with a delay and a success rate, by curve, in the order of their delay."""
    found: dict[str, list[Variant]] = {}
    for variant in sorted(data.variants, key=lambda v: v.delay_ms or 0.0):
        if variant.delay_ms is not None and variant.success.rate is not None:
            found.setdefault(variant.curve, []).append(variant)
    return dict(sorted(found.items()))


def draw_delay(data: SweepData, width_in: float) -> Figure:
    """Success against the imposed delay, one line a curve, with Wilson intervals."""
    from matplotlib.figure import Figure

    narrow = width_in < NARROW_BELOW_IN
    figure = Figure(figsize=(width_in, 3.3 if narrow else 4.2), layout="constrained")
    axes = figure.add_subplot()
    lines = curves(data)
    delays = sorted({v.delay_ms for line in lines.values() for v in line if v.delay_ms is not None})
    apart = 0.008 * (delays[-1] - delays[0])  # so that intervals at the same delay can be told from each other
    for i, (name, line) in enumerate(lines.items()):
        x = [(v.delay_ms or 0.0) + (i - (len(lines) - 1) / 2) * apart for v in line]
        y = [(v.success.rate or 0.0) * 100 for v in line]
        below = [max(0.0, rate - v.success.low * 100) for rate, v in zip(y, line, strict=True)]
        above = [max(0.0, v.success.high * 100 - rate) for rate, v in zip(y, line, strict=True)]
        axes.errorbar(
            x, y, yerr=[below, above], color=LIGHT[SERIES[i % len(SERIES)]], marker="o", markersize=5.5, linewidth=2,
            elinewidth=1.1, capsize=3, label=name,
        )  # fmt: skip
    axes.set_ylim(-3, 104)
    axes.set_yticks(range(0, 101, 25), [f"{tick} %" for tick in range(0, 101, 25)])
    axes.set_xticks(delays)
    axes.xaxis.set_major_formatter(lambda value, _: number(value))
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("delay from image to answer, ms")
    if len(lines) > 1:
        figure.legend(loc="outside upper left", ncols=2 if narrow else 4)
    return figure


def draw_latency(data: SweepData, width_in: float) -> Figure:
    """One row a variant: medians of its stages end to end, and its first motion, against the budget."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    narrow = width_in < NARROW_BELOW_IN
    rows = len(data.variants)
    figure = Figure(figsize=(width_in, (0.50 if narrow else 0.36) * rows + 1.1), layout="constrained")
    axes = figure.add_subplot()
    ends = [data.total_limit_ms]
    for row, variant in enumerate(data.variants):
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
    _rows(axes, [v.label for v in data.variants], narrow)
    axes.xaxis.set_major_formatter(lambda value, _: number(value))
    axes.locator_params(axis="x", nbins=5 if narrow else 10)
    axes.set_xlabel("milliseconds after the command")
    used = dict.fromkeys(bar.stage for variant in data.variants for bar in variant.stages)
    handles: list[Patch | Line2D] = [Patch(color=LIGHT[STAGE_SERIES.get(stage, "s8")], label=stage) for stage in used]
    handles.append(Line2D([], [], color=LIGHT["ink"], marker="D", markersize=4.5, label="first motion, p50 to p95"))
    figure.legend(handles=handles, loc="outside lower left", ncols=3 if narrow else 9, handlelength=1.0)
    return figure


def draw_difference(data: SweepData, width_in: float) -> Figure:
    """Paired difference of each variant with the reference, percentage points, with its interval."""
    from matplotlib.figure import Figure

    narrow = width_in < NARROW_BELOW_IN
    figure = Figure(figsize=(width_in, (0.50 if narrow else 0.36) * len(data.comparisons) + 0.75), layout="constrained")
    axes = figure.add_subplot()
    for row, comparison in enumerate(data.comparisons):
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
    _rows(axes, [c.first for c in data.comparisons], narrow)
    axes.xaxis.set_major_formatter(lambda value, _: points(value / 100))
    axes.set_xlabel(f"success, percentage points more or less than {data.reference}")
    return figure


def _rows(axes: Axes, names: list[str], narrow: bool) -> None:
    """Name the rows at their left, or above each of them on a phone."""
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(names) - 0.45, -0.75)
    axes.set_yticks([] if narrow else range(len(names)), [] if narrow else names)
    for label in axes.get_yticklabels():
        label.set_color(LIGHT["ink"])
        label.set_fontsize(9)
    if narrow:
        for row, name in enumerate(names):
            axes.annotate(
                name, (0, row - 0.22), xycoords=("axes fraction", "data"), va="bottom", fontsize=8.5, fontweight="bold"
            )
