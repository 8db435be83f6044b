"""One episode of two runs below one another on one time axis: requests of each, joints of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vla_sim.report.bars import status_handles
from vla_sim.report.pair_data import PairData
from vla_sim.report.render import NARROW_BELOW_IN
from vla_sim.report.theme import LIGHT
from vla_sim.report.timeline_figure import (
    JOINT_IN,
    LEGEND_ROW_IN,
    MARGIN_IN,
    ROW_IN,
    Window,
    draw_requests,
    joint_axes,
    rows_of,
    stack_axes,
    stage_rows,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

COLOURS = ("s1", "s2")  # of the first run and the second
TITLE_IN = 0.22
LEFT_IN, NARROW_LEFT_IN, NARROW_MARGIN_IN = 1.05, 0.82, 0.12


def margins(width_in: float) -> tuple[float, float]:
    """Where the time axis begins and ends, as shares of the figure's width."""
    narrow = width_in < NARROW_BELOW_IN
    left_in, right_in = (NARROW_LEFT_IN, NARROW_MARGIN_IN) if narrow else (LEFT_IN, MARGIN_IN)
    return left_in / width_in, 1 - right_in / width_in


def draw_pair(data: PairData, width_in: float) -> Figure:
    """Requests of the first run, of the second, then the joints that either moved most."""
    from matplotlib.figure import Figure

    narrow, window = width_in < NARROW_BELOW_IN, Window(0.0, data.end_s)
    heights = []
    for side in data.sides:
        heights += [TITLE_IN, ROW_IN * rows_of(side.timeline, window)]
    joints = data.first.joints
    heights += [JOINT_IN] * len(joints)
    handles, columns = _handles(data), 3 if narrow else 8
    bottom_in = 0.55 + LEGEND_ROW_IN * -(-len(handles) // columns)
    figure = Figure(figsize=(width_in, sum(heights) + 0.10 * (len(heights) - 1) + 0.05 + bottom_in))
    left, right = margins(width_in)
    stack = iter(stack_axes(figure, heights, left, right, 0.05))
    last = None
    for side, colour in zip(data.sides, COLOURS, strict=True):
        title = next(stack)
        title.axis("off")
        title.text(0, 0.2, side.name, color=LIGHT[colour], fontsize=9.5, fontweight="bold", va="bottom")
        last = draw_requests(next(stack), side.timeline, stage_rows(side.timeline, window), window, narrow)
        last.axvline(side.timeline.end_s, color=LIGHT["muted"], linewidth=0.8)
        last.tick_params(labelbottom=False, length=0)
    for first, second in zip(data.first.joints, data.second.joints, strict=True):
        last = joint_axes(next(stack), (), first.joint, window)
        last.plot(first.t_s, first.measured_rad, color=LIGHT[COLOURS[0]], linewidth=1.3)
        last.plot(second.t_s, second.measured_rad, color=LIGHT[COLOURS[1]], linewidth=1.3)
        last.tick_params(labelbottom=False, length=0)
    assert last is not None
    last.tick_params(labelbottom=True, axis="x", length=3)
    last.set_xlabel("seconds after the command")
    figure.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0.0, 0.0), ncols=columns, handlelength=1.2,
        columnspacing=1.2, borderaxespad=0.2,
    )  # fmt: skip
    return figure


def _handles(data: PairData) -> list[Patch | Line2D]:
    from matplotlib.lines import Line2D

    handles: list[Patch | Line2D] = [*status_handles([bar for side in data.sides for bar in side.timeline.bars])]
    handles += [
        Line2D([], [], color=LIGHT[colour], label=side.name) for side, colour in zip(data.sides, COLOURS, strict=True)
    ]
    return handles
