"""The study: every object, mass and friction with one hand, as a table with Wilson intervals.

    python -m experiments.grasping.trials --hand dex3 --jobs 2

One CSV row a cell. Trials of a cell differ in where the object stands; cells share their trials' places.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import multiprocessing
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from rich.console import Console

from experiments.grasping.trial import Result, attempt, draw
from robots.g1 import G1
from vla_sim.catalogue import GRASPABLE
from vla_sim.harness.statistics import wilson

MASSES_KG, FRICTIONS = (0.1, 0.25, 0.5), (0.4, 0.6, 0.8, 1.0)
FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Cell:
    """What one row of the table is about."""

    hand: str
    shape: str
    mass_kg: float
    friction: float


@dataclass(frozen=True)
class Row:
    """How the trials of one cell went. `low` and `high` are the 95 % Wilson interval of success."""

    hand: str
    shape: str
    mass_kg: float
    friction: float
    trials: int
    successes: int  # in the air at the end, after at most three attempts
    low: float
    high: float
    first: int  # successes at the first attempt
    fell: int  # robots that lay down
    slip_mm: float | None  # median over successes, of the object in the hand while it was held
    grip: float | None  # median over successes, measured


def row(cell: Cell, results: Sequence[Result]) -> Row:
    """The trials of one cell, summed up."""
    held = [r for r in results if r.success]
    low, high = wilson(len(held), len(results))
    return Row(
        **asdict(cell), trials=len(results), successes=len(held), low=round(low, 4), high=round(high, 4),
        first=sum(r.attempts == 1 for r in held), fell=sum(r.reason == "fell" for r in results),
        slip_mm=_median([1000 * r.slip_m for r in held], 1), grip=_median([r.grip for r in held], 3),
    )  # fmt: skip


def _median(values: list[float], digits: int) -> float | None:
    ordered = sorted(values)
    if not ordered:
        return None
    half = len(ordered) // 2
    middle = ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
    return round(middle, digits)


def one(cell: Cell, seed: int, trial: int) -> Result:
    """One trial of a cell."""
    kind = G1(cell.hand)
    return attempt(kind, draw(seed, trial, cell.shape, cell.mass_kg, cell.friction, kind.reach_zone()))


def measure(cells: Sequence[Cell], trials: int, seed: int, jobs: int) -> Iterable[Row]:
    """A row a cell, in their order, as they get done."""
    # A fresh interpreter a worker: physics clients and compiled code do not survive a fork.
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting = [(cell, [pool.submit(one, cell, seed, i) for i in range(trials)]) for cell in cells]
        for cell, futures in waiting:
            yield row(cell, [future.result() for future in futures])


def write(path: Path, rows: Iterable[Row]) -> list[Row]:
    """Rows to a CSV file, each as it comes."""
    done = []
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(Row)], lineterminator="\n")
        writer.writeheader()
        for found in rows:
            writer.writerow(asdict(found))
            file.flush()
            done.append(found)
    return done


def summary(rows: Sequence[Row]) -> list[str]:
    """Lines to read: success by friction, over objects and masses, and at the usual task's."""
    lines = []
    for friction in sorted({r.friction for r in rows}):
        lines.append(f"friction {friction:g}: {_share([r for r in rows if r.friction == friction])}")
    for shape in sorted({r.shape for r in rows}):
        usual = [r for r in rows if r.shape == shape and r.friction == 0.8 and r.mass_kg < 0.4]
        if usual:
            lines.append(f"{shape}, friction 0.8, below 0.4 kg: {_share(usual)}")
    return lines


def _share(rows: Sequence[Row]) -> str:
    good, tried = sum(r.successes for r in rows), sum(r.trials for r in rows)
    low, high = wilson(good, tried)
    return f"{good} of {tried} ({100 * low:.0f}-{100 * high:.0f} %), {sum(r.first for r in rows)} at the first attempt"


def main() -> None:
    """Measure one hand."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hand", default="gripper", help="gripper or dex3")
    parser.add_argument("--trials", type=int, default=10, help="a cell")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--masses", type=float, nargs="+", default=list(MASSES_KG), help="kg")
    parser.add_argument("--frictions", type=float, nargs="+", default=list(FRICTIONS))
    parser.add_argument("--out", type=Path, default=None, help="CSV file; the study's own when left out")
    asked = parser.parse_args()
    cells = [Cell(asked.hand, *rest) for rest in itertools.product(GRASPABLE, asked.masses, asked.frictions)]
    path = asked.out or FOLDER / f"{asked.hand}.csv"
    rows = write(path, measure(cells, asked.trials, asked.seed, asked.jobs))
    console = Console()
    for line in summary(rows):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


if __name__ == "__main__":
    main()
