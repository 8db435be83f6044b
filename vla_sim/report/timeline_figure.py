"""One episode drawn on one time axis: camera images, requests by stage, skill phases, joints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vla_sim.report.text import words
from vla_sim.report.theme import LIGHT
from vla_sim.report.timeline import Bar, Stretch, Timeline
from vla_sim.telemetry.schema import PARTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NARROW_BELOW_IN = 6.0
IMAGE_IN, ROW_IN, JOINT_IN = 0.80, 0.30, 0.72  # heights
MARGIN_IN = 0.30  # right of the axes
MARK = {"late": "warn", "lost": "bad", "rejected": "bad", "failed": "bad", "refused": "muted"}
MARKED_AS = {"warn": "late", "bad": "no answer", "muted": "refused"}


def draw_timeline(timeline: Timeline, folder: Path, width_in: float, end_s: float, joints: bool) -> Figure:
    """Everything of the episode before `end_s`; `joints` adds the joint curves below."""
    from matplotlib.figure import Figure

    narrow = width_in < NARROW_BELOW_IN
    stages = _stage_rows(timeline, end_s)
    rows = len(stages) + 1 + len(_notable(timeline, end_s))
    heights = [IMAGE_IN * (0.72 if narrow else 1)] * bool(timeline.thumbnails) + [ROW_IN * rows]
    heights += [JOINT_IN] * (len(timeline.joints) if joints else 0)
    top_in, bottom_in = 0.08, 0.98 if narrow else 0.78
    gaps = 0.10 * (len(heights) - 1)
    figure = Figure(figsize=(width_in, sum(heights) + gaps + top_in + bottom_in))
    left, right = (0.82 if narrow else 1.05) / width_in, 1 - (0.12 if narrow else MARGIN_IN) / width_in
    stack = iter(_stack(figure, heights, left, right, top_in))
    if timeline.thumbnails:
        _images(next(stack), timeline, folder, end_s, width_in * (right - left), heights[0])
    last = _requests(next(stack), timeline, stages, end_s, narrow)
    if joints:
        for axes, curve in zip(stack, timeline.joints, strict=False):
            last.tick_params(labelbottom=False, length=0)
            last = _joint(axes, timeline, curve.joint, end_s)
            last.plot(curve.t_s, curve.commanded_rad, color=LIGHT["s2"], linewidth=1.0, linestyle=(0, (3, 2)))
            last.plot(curve.t_s, curve.measured_rad, color=LIGHT["s1"], linewidth=1.3)
    last.set_xlabel("seconds after the command")
    _legend(figure, timeline, end_s, joints, narrow)
    return figure


def _stage_rows(timeline: Timeline, end_s: float) -> list[str]:
    """Stages with a request before `end_s`, in the order they were first asked."""
    return list(dict.fromkeys(bar.stage for bar in timeline.bars if bar.start_s < end_s))


def _notable(timeline: Timeline, end_s: float) -> list[tuple[str, str, list[Stretch]]]:
    """Rows for what went wrong before `end_s`: name, colour, when."""
    rows = (("held", "bad", timeline.starved), ("stale view", "warn", timeline.stale))
    before = [(name, colour, [s for s in found if s.start_s < end_s]) for name, colour, found in rows]
    return [row for row in before if row[2]]


def _stack(figure: Figure, heights: list[float], left: float, right: float, top_in: float) -> list[Axes]:
    """Axes of the given heights, inches, one below the other."""
    whole, y = figure.get_figheight(), figure.get_figheight() - top_in
    stack = []
    for height in heights:
        stack.append(figure.add_axes((left, (y - height) / whole, right - left, height / whole)))
        y -= height + 0.10
    return stack


def _images(axes: Axes, timeline: Timeline, folder: Path, end_s: float, width_in: float, height_in: float) -> None:
    from matplotlib.image import imread

    axes.axis("off")
    axes.set(xlim=(0, end_s), ylim=(0, 1))
    shown = [image for image in timeline.thumbnails if image.t_s < end_s]
    rows, columns = imread(folder / timeline.thumbnails[0].path).shape[:2]
    wide_s = 0.88 * height_in * columns / rows / width_in * end_s  # of one image, on the time axis
    slots = max(1, int(end_s / (wide_s * 1.08)))
    middles = [(i + 0.5) * end_s / slots for i in range(slots)]
    picked = dict.fromkeys(min(shown, key=lambda image: abs(image.t_s - middle)) for middle in middles if shown)
    free_s = 0.0
    for i, image in enumerate(picked):
        room_s = end_s - (len(picked) - i) * wide_s * 1.02  # leave space for those to come
        left = max(free_s, min(image.t_s - wide_s / 2, room_s))
        free_s = left + wide_s * 1.03
        pixels = imread(folder / image.path)
        step = max(1, pixels.shape[0] // 120)
        axes.imshow(
            pixels[::step, ::step], extent=(left, left + wide_s, 0.12, 1.0), aspect="auto", interpolation="nearest"
        )
        axes.plot([left + wide_s / 2, image.t_s], [0.12, -0.02], color=LIGHT["muted"], linewidth=0.8, clip_on=False)
    axes.set(xlim=(0, end_s), ylim=(0, 1))


def _requests(axes: Axes, timeline: Timeline, stages: list[str], end_s: float, narrow: bool) -> Axes:
    names = ["skill", *stages]
    _phases(axes, timeline, end_s)
    for row, stage in enumerate(stages, start=1):
        bars = [bar for bar in timeline.bars if bar.stage == stage and bar.start_s < end_s]
        lanes = 1 + max(bar.lane for bar in bars)
        _stage_bars(axes, row, bars, lanes, end_s)
    for name, colour, stretches in _notable(timeline, end_s):
        spans = [(s.start_s, min(s.end_s, end_s) - s.start_s) for s in stretches]
        axes.broken_barh(spans, (len(names) - 0.18, 0.36), color=LIGHT[colour])
        names.append(name)
    if timeline.first_motion_s is not None:
        axes.axvline(timeline.first_motion_s, color=LIGHT["ink"], linewidth=1.0, linestyle=(0, (1, 1.5)))
    axes.set(xlim=(0, end_s), ylim=(len(names) - 0.4, -0.5))
    axes.set_yticks(range(len(names)), names)
    for label in axes.get_yticklabels():
        label.set_color(LIGHT["ink"])
        label.set_fontsize(8.5 if narrow else 9)
    axes.spines["left"].set_visible(False)
    return axes


def _stage_bars(axes: Axes, row: int, bars: list[Bar], lanes: int, end_s: float) -> None:
    height = 0.62 / lanes
    pieces: dict[str, list[tuple[float, float, float]]] = {}  # colour -> left, width, lane's top
    for bar in bars:
        top = row - 0.31 + bar.lane * height
        at = bar.start_s
        if sum(bar.parts_s) > 0 and bar.status not in ("lost", "rejected", "failed"):
            for part, length in zip(PARTS, bar.parts_s, strict=True):
                pieces.setdefault(part, []).append((at, min(length, end_s - at), top))
                at += length
        if bar.status in MARK:
            colour = LIGHT[MARK[bar.status]]
            stop = min(bar.end_s, end_s)
            axes.plot(
                [bar.start_s, stop, stop, bar.start_s, bar.start_s],
                [top, top, top + height * 0.88, top + height * 0.88, top],
                color=colour, linewidth=1.1, zorder=4,
            )  # fmt: skip
    for part, found in pieces.items():
        for top in sorted({top for _, _, top in found}):
            spans = [(left, width) for left, width, at_top in found if at_top == top and width > 0]
            axes.broken_barh(spans, (top, height * 0.88), color=LIGHT[part], linewidth=0)


def _phases(axes: Axes, timeline: Timeline, end_s: float) -> None:
    """Blocks with the skill's phase; its name where it fits, at about 5 points a letter."""
    points = axes.get_window_extent().width * 72 / axes.figure.dpi / end_s  # per second
    for i, phase in enumerate(timeline.phases):
        if phase.start_s >= end_s:
            continue
        stop = min(phase.end_s, end_s)
        axes.broken_barh(
            [(phase.start_s, stop - phase.start_s)], (-0.36, 0.72), color=LIGHT["shade2" if i % 2 else "shade"]
        )
        name = words(phase.name)
        if len(name) * 5.0 + 4 < (stop - phase.start_s) * points:
            axes.text((phase.start_s + stop) / 2, 0, name, ha="center", va="center", fontsize=8)


def _joint(axes: Axes, timeline: Timeline, name: str, end_s: float) -> Axes:
    _shade(axes, timeline.phases, end_s)
    axes.set_xlim(0, end_s)
    axes.margins(y=0.12)
    axes.locator_params(axis="y", nbins=3)
    axes.spines["left"].set_visible(False)
    short = words(name.removesuffix("_joint"))
    axes.set_ylabel(short.replace(" ", "\n") + "\nrad", rotation=0, ha="right", va="center", fontsize=8)
    axes.yaxis.set_label_coords(-0.045 if axes.get_position().width > 0.8 else -0.10, 0.5)
    axes.tick_params(axis="y", labelsize=7)
    return axes


def _shade(axes: Axes, phases: tuple[Stretch, ...], end_s: float) -> None:
    for i, phase in enumerate(phases):
        if i % 2 == 0 and phase.start_s < end_s:
            axes.axvspan(phase.start_s, min(phase.end_s, end_s), color=LIGHT["shade"], linewidth=0)


def _legend(figure: Figure, timeline: Timeline, end_s: float, joints: bool, narrow: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    bars = [bar for bar in timeline.bars if bar.start_s < end_s]
    used = [part for i, part in enumerate(PARTS) if any(bar.parts_s[i] > 0 for bar in bars)]
    handles: list[Patch | Line2D] = [Patch(color=LIGHT[part], label=part) for part in used]
    marks = dict.fromkeys(MARK[bar.status] for bar in bars if bar.status in MARK)
    handles += [Patch(facecolor="none", edgecolor=LIGHT[mark], label=MARKED_AS[mark]) for mark in marks]
    if timeline.first_motion_s is not None:
        handles.append(Line2D([], [], color=LIGHT["ink"], linestyle=(0, (1, 1.5)), label="first motion"))
    if joints and timeline.joints:
        handles.append(Line2D([], [], color=LIGHT["s1"], label="measured"))
        handles.append(Line2D([], [], color=LIGHT["s2"], linestyle=(0, (3, 2)), label="commanded"))
    figure.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0.0, 0.0), ncols=3 if narrow else 9, handlelength=1.2,
        columnspacing=1.2, borderaxespad=0.2,
    )  # fmt: skip
