"""The study's figure from its tables.

python -m experiments.grasping.figure
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.grasping.trials import FOLDER
from vla_sim.catalogue import GRASPABLE
from vla_sim.report.theme import LIGHT, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HANDS = {"gripper": "parallel gripper", "dex3": "Dex3"}
STEP = 0.012  # of friction between the masses' points, so that their intervals do not lie on each other


def table(hand: str) -> list[dict[str, Any]]:
    """The rows of one hand, numbers as numbers."""
    rows = []
    for name in (hand, f"{hand}_slippery"):
        with (FOLDER / f"{name}.csv").open(newline="") as file:
            rows += list(csv.DictReader(file))
    words = ("hand", "shape")
    return [{k: v if k in words else float(v) if v else None for k, v in row.items()} for row in rows]


def panel(axes: Axes, rows: list[dict[str, Any]]) -> None:
    """Success of one hand with one object against friction, a line a mass."""
    masses = sorted({row["mass_kg"] for row in rows})
    for i, mass in enumerate(masses):
        own = sorted((row for row in rows if row["mass_kg"] == mass), key=lambda row: row["friction"])
        at = [row["friction"] + (i - (len(masses) - 1) / 2) * STEP for row in own]
        share = [100 * row["successes"] / row["trials"] for row in own]
        ends = [[s - 100 * r["low"] for s, r in zip(share, own, strict=True)],
                [100 * r["high"] - s for s, r in zip(share, own, strict=True)]]  # fmt: skip
        axes.errorbar(at, share, ends, color=LIGHT[SERIES[i]], marker="o", markersize=3.5, linewidth=1.3,
                      elinewidth=0.9, label=f"{mass:g} kg")  # fmt: skip
    axes.set(ylim=(-4, 104), xticks=[0.2, 0.4, 0.6, 0.8, 1.0], yticks=[0, 50, 100])
    axes.grid(color=LIGHT["line"], linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def draw(path: Path) -> None:
    """Both hands, all objects."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 4.6), layout="constrained", facecolor=LIGHT["paper"])
    grid = figure.subplots(len(HANDS), len(GRASPABLE), sharex=True, sharey=True)
    for line, (hand, title) in zip(grid, HANDS.items(), strict=True):
        rows = table(hand)
        for axes, shape in zip(line, GRASPABLE, strict=True):
            panel(axes, [row for row in rows if row["shape"] == shape])
            axes.set_facecolor(LIGHT["card"])
        line[0].set_ylabel(f"{title}\nsuccess, %")
    for axes, shape in zip(grid[0], GRASPABLE, strict=True):
        axes.set_title(shape, fontsize=10)
    for axes in grid[-1]:
        axes.set_xlabel("friction")
    grid[0][0].legend(fontsize=8, frameon=False, loc="lower right")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    draw(FOLDER / "grasping.png")
