"""Finished episodes on disk: whole or not there, one holder at a time, and joined as if never apart."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.telemetry.sample_records import EPISODE, HANDS, JOINTS, SPAN
from vla_sim.errors import RecordError
from vla_sim.telemetry import schema
from vla_sim.telemetry.digest import hash_tables
from vla_sim.telemetry.parts import Parts, join
from vla_sim.telemetry.recorder import Recorder

PHASES = ("search", "reach", "lift", "place")


def record(recorder: Recorder, number: int, phases: str) -> None:
    """An episode whose phases are given by their first letters."""
    for tick, letter in enumerate(phases):
        phase = next(phase for phase in PHASES if phase.startswith(letter))
        recorder.tick(number, tick, tick / 100, phase, [tick, number], [tick + 0.25, 0.5], [1.0])
    recorder.span(SPAN._replace(episode=number, request=number, stage=f"stage_{number % 3}"))
    recorder.episode(EPISODE._replace(episode=number, seed=100 + number))


def keep(parts: Parts, number: int, phases: str = "srl") -> None:
    recorder = Recorder(JOINTS, HANDS)
    record(recorder, number, phases)
    with parts.room(number) as room:
        recorder.write(room)
        (room / "figures" / "frames").mkdir(parents=True)
        (room / "figures" / "frames" / f"e{number}.png").write_bytes(b"picture")


def begun(folder: Path) -> Parts:
    parts = Parts(folder)
    parts.begin("a: 1\n", "c0de")
    return parts


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    own = begun(tmp_path)
    yield own
    own.close()


def table_bytes(table: pa.Table) -> bytes:
    stream = io.BytesIO()
    pq.write_table(table, stream)
    return stream.getvalue()


def test_an_episode_is_there_when_its_room_is_left(tmp_path: Path, parts: Parts) -> None:
    assert parts.row(3) is None
    keep(parts, 3)
    assert parts.numbers() == [3]
    assert parts.row(3) == EPISODE._replace(episode=3, seed=103)
    parts.close()
    assert Parts(tmp_path).identity() == ("a: 1\n", "c0de")


def test_an_episode_that_breaks_off_leaves_nothing(parts: Parts) -> None:
    def break_off() -> None:
        with parts.room(0) as room:
            (room / "episodes.parquet").write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert parts.numbers() == []
    assert not list(parts.folder.glob(".episode*"))


def test_what_a_killed_process_left_is_swept_away(tmp_path: Path) -> None:
    left = tmp_path / "parts" / ".episode_00004"
    left.mkdir(parents=True)
    (left / "ticks.parquet").write_bytes(b"half")
    parts = begun(tmp_path)
    assert not left.exists()
    assert parts.numbers() == []
    parts.close()


def test_parts_without_an_episode_leave_no_trace(tmp_path: Path) -> None:
    begun(tmp_path).close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["episodes.parquet", "spans.parquet", "ticks.parquet", "part.json"])
def test_a_damaged_episode_is_played_again(parts: Parts, name: str) -> None:
    keep(parts, 0)
    keep(parts, 1)
    path = parts.folder / "episode_00000" / name
    path.write_bytes(path.read_bytes()[:-9])
    assert parts.row(0) is None
    assert parts.numbers() == [1]


def test_an_episode_that_was_changed_is_noticed(parts: Parts) -> None:
    keep(parts, 0)
    other = Recorder(JOINTS, HANDS)
    record(other, 0, "sss")
    other.write(parts.folder / "episode_00000")
    assert parts.row(0) is None


def test_two_processes_do_not_play_into_one_folder(tmp_path: Path) -> None:
    first = begun(tmp_path)
    keep(first, 0)
    with pytest.raises(RecordError, match="another process is playing"):
        begun(tmp_path)
    first.close()
    second = begun(tmp_path)
    assert second.numbers() == [0]
    second.close()


def test_a_damaged_mark_is_said(parts: Parts) -> None:
    (parts.folder / "run.json").write_text("{")
    with pytest.raises(RecordError, match="resume=false"):
        parts.identity()


def test_pictures_are_moved_and_may_be_moved_twice(tmp_path: Path, parts: Parts) -> None:
    for number in (0, 1):
        keep(parts, number)
    parts.move_pictures([0])
    parts.move_pictures([0, 1])
    assert sorted(path.name for path in (tmp_path / "figures" / "frames").iterdir()) == ["e0.png", "e1.png"]
    parts.clear()
    assert [path.name for path in tmp_path.iterdir()] == ["figures"]


@given(st.lists(st.text("srlp", min_size=0, max_size=6), min_size=1, max_size=5), st.data())
def test_joined_episodes_are_the_bytes_of_one_recording(phases: list[str], data: st.DataObject) -> None:
    whole = Recorder(JOINTS, HANDS)
    apart = []
    for number, letters in enumerate(phases):
        record(whole, number, letters)
        own = Recorder(JOINTS, HANDS)
        record(own, number, letters)
        apart.append(own.tables())
    joined = {name: join([tables[name] for tables in apart]) for name in schema.TABLES}
    assert hash_tables(joined) == hash_tables(whole.tables())
    for name, table in whole.tables().items():
        assert joined[name].schema.equals(table.schema)
        assert table_bytes(joined[name]) == table_bytes(table)
    # In two steps, split anywhere: still the same.
    cut = data.draw(st.integers(1, len(apart)))
    halves = [apart[:cut], apart[cut:]]
    nested = {n: join([join([t[n] for t in half]) for half in halves if half]) for n in schema.TABLES}
    assert hash_tables(nested) == hash_tables(joined)


def test_a_dictionary_in_another_order_is_the_same_record() -> None:
    words = pa.array(["lift", "reach", "lift"])
    other = pa.DictionaryArray.from_arrays(pa.array([1, 0, 1], pa.int32()), pa.array(["reach", "lift", "never"]))
    chunked = pa.chunked_array([words[:1].dictionary_encode(), words[1:].dictionary_encode()])
    tables = [pa.table({"phase": column}) for column in (words.dictionary_encode(), other, chunked)]
    hashes = {hash_tables({"ticks": table}) for table in [*tables, join([tables[2]])]}
    assert len(hashes) == 1
    assert join([tables[2]])["phase"].num_chunks == 1
    assert np.array_equal(join([tables[2]])["phase"].to_numpy(), words.to_numpy(zero_copy_only=False))
