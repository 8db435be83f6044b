"""The study's figures from its records: `python -m experiments.walking.figures [FOLDER]`.

The folder (default: `records`) holds the CSV files that `experiments.walking.trials --out` wrote; the figures are put
beside them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd

from experiments.walking.trials import wilson

mpl.use("Agg")
import matplotlib.pyplot as plt

GOOD, BAD = "#2a7f9e", "#c8442c"
WANTED = {"courses": 1.0, "payload": 1.0, "rough": 0.9, "threshold": 0.9, "push15_walk": 0.95, "push15_stand": 0.95,
          "push20_walk": 0.8, "push20_stand": 0.8}  # fmt: skip


def read(folder: Path, name: str) -> pd.DataFrame:
    """All records whose file begins with a name, as one table."""
    files = sorted(folder.glob(f"{name}*.csv"))
    return pd.concat([pd.read_csv(file) for file in files]) if files else pd.DataFrame()


def outcomes(folder: Path) -> None:
    """How many trials of each kind went well, with intervals, against what was wanted."""
    figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    names = [name for name in WANTED if len(read(folder, name))]
    for row, name in enumerate(reversed(names)):
        ok = read(folder, name)["ok"]
        low, high = wilson(int(ok.sum()), len(ok))
        axes.plot([low, high], [row, row], color=GOOD, lw=3)
        axes.plot(ok.mean(), row, "o", color=GOOD)
        axes.plot(WANTED[name], row, "|", color=BAD, ms=16, mew=2)
        axes.text(0.405, row, f"{int(ok.sum())} of {len(ok)}", va="center", fontsize=8)
    axes.set_yticks(
        range(len(names)), [name.replace("_", ", ").replace("push", "push N s: ") for name in reversed(names)]
    )
    axes.set_xlim(0.4, 1.02)
    axes.set_xlabel("part that went well, 95 % interval; the bar is what was wanted")
    figure.savefig(folder / "outcomes.png", dpi=90)


def pushes(folder: Path) -> None:
    """Directions in which pushes were caught, walking and standing."""
    figure, both = plt.subplots(1, 2, figsize=(7.4, 3.7), subplot_kw={"projection": "polar"}, layout="constrained")
    for axes, way in zip(both, ("walk", "stand"), strict=True):
        for impulse in (15, 20):
            rows = read(folder, f"push{impulse}_{way}")
            if not len(rows):
                continue
            for ok, colour, mark in ((True, GOOD, "o"), (False, BAD, "X")):
                some = rows[rows["ok"] == ok]
                axes.plot(np.radians(some["direction_deg"]), some["impulse_ns"], mark, color=colour, ms=5, alpha=0.8)
        axes.set_ylim(0, 23)
        axes.set_yticks([15, 20], ["15 N s", "20"])
        axes.set_theta_zero_location("N")
        axes.set_title(f"{way}ing; up is ahead, blue stayed up", fontsize=9)
    figure.savefig(folder / "pushes.png", dpi=90)


def drift(folder: Path) -> None:
    """Error of the estimate by floor friction."""
    figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
    for name, colour in (("courses", GOOD), ("payload", "#7a5ea8"), ("rough", "#b3892a")):
        rows = read(folder, name)
        if len(rows):
            axes.plot(rows["friction"], rows["error_percent"], "o", ms=4, color=colour, label=name)
    axes.axhline(2.0, color=BAD, lw=1)
    axes.set(xlabel="friction of the floor", ylabel="position error after 30 s,\n% of the path", ylim=(0, None))
    axes.legend(fontsize=8)
    figure.savefig(folder / "estimator.png", dpi=90)


def speeds(folder: Path) -> None:
    """Speed reached against speed commanded."""
    rows = read(folder, "speed")
    if not len(rows):
        return
    commanded = rows["commanded"].map(lambda text: json.loads(text)[0])
    figure, axes = plt.subplots(figsize=(4.2, 3.4), layout="constrained")
    for ok, colour, mark in ((True, GOOD, "o"), (False, BAD, "X")):
        axes.plot(commanded[rows["ok"] == ok], rows.loc[rows["ok"] == ok, "reached_m_s"], mark, color=colour, ms=4)
    axes.plot([0, 0.8], [0, 0.8], color="0.6", lw=1)
    axes.set(xlabel="commanded speed, m/s", ylabel="reached speed, m/s")
    figure.savefig(folder / "speed.png", dpi=90)


def loads(folder: Path) -> None:
    """Courses walked to their end, at rest after each stop, by the load in the right hand."""
    rows = pd.concat([read(folder, "payload"), read(folder, "load")])
    if not len(rows):
        return
    figure, axes = plt.subplots(figsize=(4.2, 3.2), layout="constrained")
    for load_kg, some in rows.groupby("payload_kg"):
        low, high = wilson(int(some["ok"].sum()), len(some))
        axes.plot([load_kg, load_kg], [low, high], color=GOOD, lw=3)
        axes.plot(load_kg, some["ok"].mean(), "o", color=GOOD)
        axes.annotate(f"{some['ok'].sum()}/{len(some)}", (load_kg, 0.03), ha="center", fontsize=8)
    axes.set(xlabel="load in the right hand, kg", ylabel="part that went well,\n95 % interval", ylim=(0, 1.04))
    axes.margins(x=0.1)
    figure.savefig(folder / "payload.png", dpi=90)


def slippery(folder: Path) -> None:
    """Speed reached on floors of any friction, and falls."""
    rows = read(folder, "slippery")
    if not len(rows):
        return
    figure, axes = plt.subplots(figsize=(4.6, 3.2), layout="constrained")
    for words, colour in zip(sorted(rows["commanded"].unique()), (GOOD, "#7a5ea8"), strict=False):
        some = rows[rows["commanded"] == words]
        wanted = json.loads(words)[0]
        stayed, fell = some[some["ok"]], some[~some["ok"]]
        axes.axhline(wanted, color=colour, lw=0.8, ls=":")
        axes.plot(stayed["friction"], stayed["reached_m_s"], "o", ms=4, color=colour, label=f"{wanted} m/s commanded")
        axes.plot(fell["friction"], np.zeros(len(fell)), "X", color=BAD, ms=6)
    axes.plot([], [], "X", color=BAD, label="fell")
    axes.set(xlabel="friction of the floor", ylabel="reached speed, m/s", ylim=(-0.02, None))
    axes.legend(fontsize=8)
    figure.savefig(folder / "friction.png", dpi=90)


def main() -> None:
    """Draw all of them."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "records"
    for draw in (outcomes, pushes, drift, speeds, loads, slippery):
        draw(folder)


if __name__ == "__main__":
    main()
