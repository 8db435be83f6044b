"""What a run says on the terminal: a bar while it lasts, a table at the end; of a sweep a line a variant."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from vla_sim.board import OVER, Board, Tally, Variant, left_s, tally
from vla_sim.clock import Stopwatch

WIDTH_WITHOUT_TERMINAL = 120  # characters, for logs
LOOK_EVERY_S = 0.5
ROWS = 8  # variants shown at once

console = Console(stderr=True, highlight=False)
if not console.is_terminal:
    console = Console(stderr=True, highlight=False, width=WIDTH_WITHOUT_TERMINAL)


class SweepProgress:
    """Follows the board of a sweep in a thread of its own, wherever its variants run.

    On a terminal: a bar over all episodes and one a variant under way. Anywhere: a line for each variant that is over.
    """

    def __init__(
        self, board: Board, planned: int, episodes_each: int, keys: Collection[str] = (), out: Console | None = None
    ) -> None:
        self._board, self._planned, self._each, self._keys = board, planned, episodes_each, keys
        self._out = out or console
        self._said: set[int] = set()
        self._wall = Stopwatch()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True, name="progress")
        self._live = Live(console=self._out, transient=True, auto_refresh=False) if self._out.is_terminal else None

    def start(self) -> None:
        """Begin to follow."""
        if self._live is not None:
            self._live.start()
        self._thread.start()

    def stop(self) -> None:
        """Say what is left to say, and end."""
        self._end.set()
        self._thread.join()
        self._look()
        if self._live is not None:
            self._live.stop()

    def _follow(self) -> None:
        while not self._end.wait(LOOK_EVERY_S):
            self._look()

    def _look(self) -> None:
        variants = self._board.read()
        total = tally(variants, self._planned, self._each)
        for variant in variants:
            if variant.state in OVER and variant.number not in self._said:
                self._said.add(variant.number)
                self._out.print(Text(line_of(variant, len(self._said), total.variants, self._keys)), soft_wrap=True)
        if self._live is not None:
            self._live.update(bars(total, variants, self._wall.elapsed_s, self._keys), refresh=True)


class EpisodeProgress:
    """A bar over the episodes of one run, with the successes so far. Silent where there is no terminal."""

    def __init__(self) -> None:
        self._wall = Stopwatch()
        self._live = Live(console=console, transient=True, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> EpisodeProgress:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, variant: Variant) -> None:
        """An episode is over."""
        if self._live is not None:
            total = tally([variant], 1, 0)
            self._live.update(bars(total, [], self._wall.elapsed_s, title=variant.label()), refresh=True)


def line_of(variant: Variant, place: int, planned: int, keys: Collection[str] = ()) -> str:
    """One line on a variant that is over."""
    head = f"[{place}/{planned}] {variant.label(keys)}"
    if variant.state == "refused":
        return f"{head}: {variant.note}"
    kept = f", {variant.kept} of them kept from before" if variant.kept else ""
    note = f"; {variant.note}" if variant.note else ""
    return f"{head}: {variant.good} of {variant.done} episodes succeeded{kept}{note}"


def bars(
    total: Tally, variants: Iterable[Variant], elapsed_s: float, keys: Collection[str] = (), title: str = ""
) -> Group:
    """The whole as a bar with its numbers, and a row for each variant under way."""
    grid = Table.grid(padding=(0, 1))
    grid.add_row(
        Text(title or f"{total.variants_over} of {total.variants} variants"),
        ProgressBar(total=max(total.episodes, 1), completed=total.done, width=30),
        f"{total.done}/{total.episodes} episodes",
        f"{total.good} succeeded",
        time_left(left_s(total, elapsed_s)),
    )
    running = [variant for variant in variants if variant.state == "running"]
    for variant in running[:ROWS]:
        bar = ProgressBar(total=max(variant.total, 1), completed=variant.done, width=30)
        grid.add_row(Text(variant.label(keys)), bar, f"{variant.done}/{variant.total}", f"{variant.good} succeeded", "")
    rest = len(running) - ROWS
    return Group(grid, *([Text(f"and {rest} more")] if rest > 0 else []))


def time_left(seconds: float | None) -> str:
    """`1 h 05 min left`, `3 min 20 s left`, `12 s left`; nothing while it is not known."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min left"
    return f"{minutes} min {rest:02d} s left" if minutes else f"{rest} s left"


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
