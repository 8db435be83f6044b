"""What a run says on the terminal: a bar while it lasts, a table at the end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from vla_sim.telemetry.recorder import EpisodeRow

WIDTH_WITHOUT_TERMINAL = 120  # characters, for logs

console = Console(stderr=True, highlight=False)
if not console.is_terminal:
    console = Console(stderr=True, highlight=False, width=WIDTH_WITHOUT_TERMINAL)


class EpisodeProgress:
    """A bar over the episodes of one variant, with the successes so far. Silent where there is no terminal."""

    def __init__(self, label: str, episodes: int) -> None:
        self._label, self._good = label, 0
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip
        self._task = self._bar.add_task(label, total=episodes, state="")

    def __enter__(self) -> EpisodeProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def episode(self, row: EpisodeRow) -> None:
        """An episode is over."""
        self._good += row.success
        self._bar.update(self._task, advance=1, state=f"{self._good} succeeded, last: {row.reason}")


def print_summary(folder: Path, metrics: dict[str, Any]) -> None:
    """The few numbers one looks for first, and where the rest lies."""
    table = Table(show_header=False, box=None, pad_edge=False)
    low, high = (f"{100 * bound:.0f}" for bound in metrics["success_ci95"])
    rate = metrics["success_rate"]
    table.add_row("success", f"{100 * rate:.0f} % ({low}-{high} %), {metrics['episodes']} episodes")
    first = metrics["ttfa_ms"].get("p50")
    table.add_row("first action", "none" if first is None else f"{first:.0f} ms after the command")
    perception = metrics["latency_ms"].get("perception", {}).get("p95")
    if perception is not None:
        table.add_row("perception", f"p95 {perception:.0f} ms from image to answer")
    table.add_row("falls, errors", f"{metrics['falls']}, {metrics['errors']}")
    speed = metrics["sim_s"] / max(metrics["wall_s"], 1e-9)
    table.add_row("speed", f"{speed:.1f} times real time")
    table.add_row("report", os.path.relpath(folder / "report.html"))
    console.print(table)
