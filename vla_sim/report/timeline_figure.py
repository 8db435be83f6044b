"""One episode drawn on one time axis: camera images, requests by stage, skill phases, joints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vla_sim.report.bars import draw_bars, rows_needed, status_handles
from vla_sim.report.render import NARROW_BELOW_IN
from vla_sim.report.text import words
from vla_sim.report.theme import LIGHT
from vla_sim.report.timeline import Bar, Stretch, Timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

IMAGE_IN, ROW_IN, JOINT_IN = 0.80, 0.30, 0.72  # heights
MARGIN_IN = 0.30  # right of the axes
LEGEND_ROW_IN = 0.20
OUTAGE_ALPHA = 0.13
LETTER_PT = 5.0  # about as wide as a letter of a phase's name


@dataclass(frozen=True)
class Window:
    """The part of an episode that is drawn, seconds after the command."""

    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        """Seconds shown."""
        return self.end_s - self.start_s

    def overlaps(self, start_s: float, end_s: float) -> bool:
        """Whether something that lasted is at least partly shown."""
        return start_s < self.end_s and end_s >= self.start_s

    def clip(self, stretch: Stretch) -> tuple[float, float]:
        """Start and length of what is shown of a stretch."""
        start = max(stretch.start_s, self.start_s)
        return start, max(0.0, min(stretch.end_s, self.end_s) - start)


def draw_timeline(timeline: Timeline, folder: Path, width_in: float, window: Window, joints: bool) -> Figure:
    """Everything of the episode within `window`; `joints` adds the joint curves below."""
    from matplotlib.figure import Figure

    narrow = width_in < NARROW_BELOW_IN
    stages = stage_rows(timeline, window)
    heights = [IMAGE_IN * (0.72 if narrow else 1)] * bool(timeline.thumbnails) + [ROW_IN * rows_of(timeline, window)]
    heights += [JOINT_IN] * (len(timeline.joints) if joints else 0)
    handles, columns = _handles(timeline, window, joints), 3 if narrow else 8
    top_in, bottom_in = 0.08, 0.55 + LEGEND_ROW_IN * -(-len(handles) // columns)
    gaps = 0.10 * (len(heights) - 1)
    figure = Figure(figsize=(width_in, sum(heights) + gaps + top_in + bottom_in))
    left, right = (0.82 if narrow else 1.05) / width_in, 1 - (0.12 if narrow else MARGIN_IN) / width_in
    stack = iter(stack_axes(figure, heights, left, right, top_in))
    if timeline.thumbnails:
        _images(next(stack), timeline, folder, window, width_in * (right - left), heights[0])
    last = draw_requests(next(stack), timeline, stages, window, narrow)
    if joints:
        for axes, curve in zip(stack, timeline.joints, strict=False):
            last.tick_params(labelbottom=False, length=0)
            last = joint_axes(axes, timeline.phases, curve.joint, window)
            last.plot(curve.t_s, curve.commanded_rad, color=LIGHT["s2"], linewidth=1.0, linestyle=(0, (3, 2)))
            last.plot(curve.t_s, curve.measured_rad, color=LIGHT["s1"], linewidth=1.3)
    last.set_xlabel("seconds after the command")
    figure.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0.0, 0.0), ncols=columns, handlelength=1.2,
        columnspacing=1.2, borderaxespad=0.2,
    )  # fmt: skip
    return figure


def rows_of(timeline: Timeline, window: Window) -> float:
    """Height that `draw_requests` needs, in rows."""
    stages = stage_rows(timeline, window)
    return sum(_stage_heights(timeline, stages, window)) + 1 + len(_notable(timeline, window))


def stage_rows(timeline: Timeline, window: Window) -> list[str]:
    """Stages with a request within `window`, in the order they were first asked."""
    shown = (bar for bar in timeline.bars if window.overlaps(bar.start_s, bar.end_s))
    return list(dict.fromkeys(bar.stage for bar in shown))


def _stage_heights(timeline: Timeline, stages: Sequence[str], window: Window) -> list[float]:
    """Rows each stage needs for its lanes."""
    return [rows_needed(_shown(timeline, stage, window)) for stage in stages]


def _shown(timeline: Timeline, stage: str, window: Window) -> list[Bar]:
    return [bar for bar in timeline.bars if bar.stage == stage and window.overlaps(bar.start_s, bar.end_s)]


def _notable(timeline: Timeline, window: Window) -> list[tuple[str, str, list[Stretch]]]:
    """Rows for what went wrong within `window`: name, colour, when."""
    rows = (("held", "bad", timeline.starved), ("stale view", "warn", timeline.stale))
    shown = [(name, colour, [s for s in found if window.overlaps(s.start_s, s.end_s)]) for name, colour, found in rows]
    return [row for row in shown if row[2]]


def stack_axes(figure: Figure, heights: Sequence[float], left: float, right: float, top_in: float) -> list[Axes]:
    """Axes of the given heights, inches, one below the other."""
    whole, y = figure.get_figheight(), figure.get_figheight() - top_in
    stack = []
    for height in heights:
        stack.append(figure.add_axes((left, (y - height) / whole, right - left, height / whole)))
        y -= height + 0.10
    return stack


def _images(axes: Axes, timeline: Timeline, folder: Path, window: Window, width_in: float, height_in: float) -> None:
    from matplotlib.image import imread

    axes.axis("off")
    rows, columns = imread(folder / timeline.thumbnails[0].path).shape[:2]
    wide_s = 0.88 * height_in * columns / rows / width_in * window.length_s  # of one image, on the time axis
    slots = max(1, int(window.length_s / (wide_s * 1.08)))
    middles = [window.start_s + (i + 0.5) * window.length_s / slots for i in range(slots)]
    shown = [image for image in timeline.thumbnails if window.start_s <= image.t_s < window.end_s]
    picked = sorted(
        {min(shown, key=lambda image: abs(image.t_s - middle)) for middle in middles if shown},
        key=lambda image: image.t_s,
    )
    free_s = window.start_s
    for i, image in enumerate(picked):
        room_s = window.end_s - (len(picked) - i) * wide_s * 1.02  # leave space for those to come
        left = max(free_s, min(image.t_s - wide_s / 2, room_s))
        free_s = left + wide_s * 1.03
        pixels = imread(folder / image.path)
        step = max(1, pixels.shape[0] // 120)
        axes.imshow(
            pixels[::step, ::step], extent=(left, left + wide_s, 0.12, 1.0), aspect="auto", interpolation="nearest"
        )
        axes.plot([left + wide_s / 2, image.t_s], [0.12, -0.02], color=LIGHT["muted"], linewidth=0.8, clip_on=False)
    axes.set(xlim=(window.start_s, window.end_s), ylim=(0, 1))


def draw_requests(axes: Axes, timeline: Timeline, stages: Sequence[str], window: Window, narrow: bool) -> Axes:
    """Rows for the skill's phases, for each stage's requests, and for what went wrong."""
    names, middles, below = ["skill", *stages], [0.0], 0.5
    for outage in timeline.outages:
        start, length = window.clip(outage)
        if length > 0:
            axes.axvspan(start, start + length, color=LIGHT["bad"], alpha=OUTAGE_ALPHA, linewidth=0, zorder=0)
    _phases(axes, timeline, window)
    for stage, rows in zip(stages, _stage_heights(timeline, stages, window), strict=True):
        bars = _shown(timeline, stage, window)
        middles.append(below + rows / 2)
        draw_bars(axes, middles[-1], rows, bars, window.start_s, window.end_s)
        below += rows
    for name, colour, stretches in _notable(timeline, window):
        middles.append(below + 0.5)
        axes.broken_barh([window.clip(s) for s in stretches], (below + 0.32, 0.36), color=LIGHT[colour])
        names.append(name)
        below += 1
    first = timeline.first_motion_s
    if first is not None and window.overlaps(first, first):
        axes.axvline(first, color=LIGHT["ink"], linewidth=1.0, linestyle=(0, (1, 1.5)))
    axes.set(xlim=(window.start_s, window.end_s), ylim=(below + 0.1, -0.5))
    axes.set_yticks(middles, names)
    for label in axes.get_yticklabels():
        label.set_color(LIGHT["ink"])
        label.set_fontsize(8.5 if narrow else 9)
    axes.spines["left"].set_visible(False)
    return axes


def _phases(axes: Axes, timeline: Timeline, window: Window) -> None:
    """Blocks with the skill's phase, and its name where it fits."""
    points = axes.get_window_extent().width * 72 / axes.figure.dpi / window.length_s  # per second
    for i, phase in enumerate(timeline.phases):
        start, length = window.clip(phase)
        if length <= 0:
            continue
        axes.broken_barh([(start, length)], (-0.36, 0.72), color=LIGHT["shade2" if i % 2 else "shade"])
        name = words(phase.name)
        if len(name) * LETTER_PT + 4 < length * points:
            axes.text(start + length / 2, 0, name, ha="center", va="center", fontsize=8)


def joint_axes(axes: Axes, phases: Sequence[Stretch], name: str, window: Window) -> Axes:
    """Axes for one joint's angle, every other phase shaded."""
    for i, phase in enumerate(phases):
        start, length = window.clip(phase)
        if i % 2 == 0 and length > 0:
            axes.axvspan(start, start + length, color=LIGHT["shade"], linewidth=0)
    axes.set_xlim(window.start_s, window.end_s)
    axes.margins(y=0.12)
    axes.locator_params(axis="y", nbins=3)
    axes.spines["left"].set_visible(False)
    short = words(name.removesuffix("_joint"))
    axes.set_ylabel(short.replace(" ", "\n") + "\nrad", rotation=0, ha="right", va="center", fontsize=8)
    axes.yaxis.set_label_coords(-0.045 if axes.get_position().width > 0.8 else -0.10, 0.5)
    axes.tick_params(axis="y", labelsize=7)
    return axes


def _handles(timeline: Timeline, window: Window, joints: bool) -> list[Patch | Line2D]:
    """Legend entries for what is shown, and for nothing else."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    bars = [bar for bar in timeline.bars if window.overlaps(bar.start_s, bar.end_s)]
    handles: list[Patch | Line2D] = [*status_handles(bars)]
    if any(window.clip(outage)[1] > 0 for outage in timeline.outages):
        handles.append(Patch(color=LIGHT["bad"], alpha=OUTAGE_ALPHA, label="out of reach"))
    first = timeline.first_motion_s
    if first is not None and window.overlaps(first, first):
        handles.append(Line2D([], [], color=LIGHT["ink"], linestyle=(0, (1, 1.5)), label="first motion"))
    if joints and timeline.joints:
        handles.append(Line2D([], [], color=LIGHT["s1"], label="measured"))
        handles.append(Line2D([], [], color=LIGHT["s2"], linestyle=(0, (3, 2)), label="commanded"))
    return handles
