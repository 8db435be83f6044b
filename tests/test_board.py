"""Progress files: one writer each, whole for every reader, and sums that add up."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_sim.board import FOLDER, Board, Reporter, Tally, Variant, left_s, tally


def test_what_is_told_is_read(tmp_path: Path) -> None:
    board = Board(tmp_path)
    told = [Variant(n, (f"delay_ms={n}", "env=reach"), 5, n % 3, 0, n % 2) for n in (10, 9, 2)]
    for variant in told:
        board.tell(variant)
    assert board.read() == sorted(told, key=lambda variant: variant.number)
    assert not list((tmp_path / FOLDER).glob("*.[0-9]*"))
    board.clear()
    assert board.read() == []
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_none_of_ours_is_passed_over(tmp_path: Path) -> None:
    board = Board(tmp_path)
    board.tell(Variant(0, (), 1))
    (tmp_path / FOLDER / "1.json").write_text("{")
    (tmp_path / FOLDER / "2.json").write_text('{"number": 2}')
    assert [variant.number for variant in board.read()] == [0]


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("in the way")
    Board(tmp_path).tell(Variant(0, (), 1))
    assert Board(tmp_path).read() == []


def test_a_reporter_counts_and_tells(tmp_path: Path) -> None:
    board = Board(tmp_path)
    reporter = Reporter(board, 3, ["deploy=edge"], 4)
    assert board.read() == [Variant(3, ("deploy=edge",), 4)]
    reporter.episode(True, kept=True)
    reporter.episode(False)
    assert board.read() == [Variant(3, ("deploy=edge",), 4, done=2, kept=1, good=1)]
    reporter.over(["said"], gates_missed=1)
    (over,) = board.read()
    assert (over.state, over.total, over.note, over.gates_missed) == ("done", 2, "said", 1)


def test_a_reporter_without_a_board_only_counts() -> None:
    reporter = Reporter(None, 0, (), 4)
    reporter.found(4, 3)
    reporter.over()
    assert reporter.variant == Variant(0, (), 4, done=4, kept=4, good=3, state="done")


def test_a_refusal_is_told(tmp_path: Path) -> None:
    Reporter(Board(tmp_path), 0, (), 4).refused("error: no")
    (refused,) = Board(tmp_path).read()
    assert (refused.state, refused.note) == ("refused", "error: no")


@pytest.mark.parametrize(
    ("words", "keys", "label"),
    [
        ((), (), "default"),
        (("experiment=a",), (), "default"),
        (("experiment=a", "seed=3"), (), "seed=3"),
        (("experiment=a", "seed=3", "deploy=edge"), ("deploy",), "deploy=edge"),
        (("+a.b=3", "seed=3"), ("a.b",), "+a.b=3"),
        (("seed=3",), ("deploy",), "seed=3"),
    ],
)
def test_a_variant_is_named_by_what_differs(words: tuple[str, ...], keys: tuple[str, ...], label: str) -> None:
    assert Variant(0, words, 1).label(keys) == label


def test_a_sweep_in_numbers() -> None:
    variants = [
        Variant(0, (), 2, done=2, good=2, state="done"),  # enough after two
        Variant(1, (), 10, done=4, kept=3, good=1),
        Variant(2, (), 10, state="refused"),
    ]
    total = tally(variants, 5, 10)
    assert total == Tally(variants=5, variants_over=2, episodes=2 + 10 + 0 + 2 * 10, done=6, good=3, played=3)
    assert left_s(total, 30.0) == pytest.approx(26 * 10.0)


def test_nothing_is_foretold_before_an_episode_was_played() -> None:
    assert left_s(tally([Variant(0, (), 4, done=3, kept=3)], 1, 4), 9.0) is None


def test_more_variants_than_were_planned_count_too() -> None:
    assert tally([Variant(n, (), 1) for n in range(3)], 2, 1).variants == 3


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=6), st.integers(0, 9), st.integers(1, 9))
def test_when_all_is_over_nothing_is_left(done: list[tuple[int, int]], more: int, each: int) -> None:
    over = [Variant(n, (), 9, done=d, kept=min(k, d), state="done") for n, (d, k) in enumerate(done)]
    total = tally(over, len(over) + more, each)
    assert total.episodes - total.done == more * each
    if not more and total.played:
        assert left_s(total, 5.0) == 0.0
