"""What a run says: a line a variant everywhere, bars on a terminal alone."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from vla_sim.board import Board, Variant, tally
from vla_sim.progress import ROWS, SweepProgress, bars, line_of, time_left

DONE = Variant(0, ("env=reach", "deploy=edge"), 6, done=6, good=4, state="done")


def paper(terminal: bool) -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    return Console(file=stream, force_terminal=terminal, width=100, highlight=False, color_system=None), stream


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0.2, "0 s left"),
        (12.4, "12 s left"),
        (59.6, "1 min 00 s left"),
        (200, "3 min 20 s left"),
        (3900, "1 h 05 min left"),
    ],
)
def test_time_is_said_as_people_say_it(seconds: float | None, text: str) -> None:
    assert time_left(seconds) == text


def test_a_line_says_what_came_of_a_variant() -> None:
    assert line_of(DONE, 1, 9, ["deploy"]) == "[1/9] deploy=edge: 4 of 6 episodes succeeded"
    kept = Variant(1, ("seed=1",), 6, done=6, kept=2, good=6, state="done", note="gate missed")
    assert line_of(kept, 2, 9) == "[2/9] seed=1: 6 of 6 episodes succeeded, 2 of them kept from before; gate missed"
    refused = Variant(2, ("seed=-1",), 6, state="refused", note="error: seed: must not be negative")
    assert line_of(refused, 3, 9) == "[3/9] seed=-1: error: seed: must not be negative"


def test_bars_say_all_that_is_asked() -> None:
    running = [Variant(n, (f"delay_ms={n}",), 10, done=5, good=2) for n in range(1, ROWS + 3)]
    out, stream = paper(terminal=False)
    variants = [DONE, *running]
    out.print(bars(tally(variants, 12, 10), variants, 55.0, ["delay_ms"]))
    shown = stream.getvalue()
    for words in (
        "1 of 12 variants",
        "56/116 episodes",
        "24 succeeded",
        "59 s left",
        "delay_ms=1 ",
        "5/10",
        "and 2 more",
    ):
        assert words in shown, shown
    assert "deploy=edge" not in shown  # it is over


def test_markup_in_an_override_is_shown_as_it_stands() -> None:
    out, stream = paper(terminal=False)
    out.print(bars(tally([], 1, 4), [Variant(0, ("report.gates=[b]",), 4)], 1.0))
    assert "report.gates=[b]" in stream.getvalue()


@pytest.mark.parametrize("terminal", [False, True])
def test_each_variant_gets_one_line_wherever_it_ran(terminal: bool, tmp_path: Path) -> None:
    out, stream = paper(terminal)
    board = Board(tmp_path)
    progress = SweepProgress(board, 2, 6, ["deploy"], out)
    progress.start()
    board.tell(DONE)
    progress._look()
    progress._look()
    board.tell(Variant(1, ("env=reach", "deploy=cloud"), 6, done=6, good=6, state="done"))
    progress.stop()
    shown = stream.getvalue()
    assert shown.count("[1/2] deploy=edge: 4 of 6 episodes succeeded") == 1
    assert shown.count("[2/2] deploy=cloud: 6 of 6 episodes succeeded") == 1
    assert ("1 of 2 variants" in shown) == terminal
    if not terminal:
        assert len(shown.splitlines()) == 2
