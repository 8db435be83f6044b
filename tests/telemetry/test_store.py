"""Run folders: whole files, a hash that ignores wall time, and one clear line when something is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.telemetry.sample_records import EPISODE, HANDS, JOINTS, SPAN, filled
from vla_sim.errors import RecordError
from vla_sim.telemetry import store
from vla_sim.telemetry.digest import hash_mapping, hash_tables
from vla_sim.telemetry.recorder import Recorder


def write_run(folder: Path) -> Path:
    filled(30).write(folder)
    store.atomic_write_bytes(folder / "config.yaml", b"seed: 3\n")
    store.atomic_write_json(folder / "manifest.json", {"content_hash": store.content_hash(folder)})
    store.atomic_write_json(folder / "metrics.json", {"episodes": 1})
    return folder


def problem(folder: Path) -> str:
    with pytest.raises(RecordError) as caught:
        store.load_run(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_run_is_read_back(tmp_path: Path) -> None:
    run = store.load_run(write_run(tmp_path / "run"))
    assert run.config == {"seed": 3}
    assert run.metrics == {"episodes": 1}
    assert len(run.ticks) == 30
    assert len(run.spans) == 2
    assert run.episodes["reason"].tolist() == ["lifted"]


def test_a_missing_folder_names_the_nearest_run(tmp_path: Path) -> None:
    write_run(tmp_path / "pick_place_cloud")
    text = problem(tmp_path / "pick_place_clod")
    assert "no such folder" in text
    assert f"did you mean '{tmp_path / 'pick_place_cloud'}'?" in text


def test_a_missing_folder_is_sought_below_the_last_one_that_exists(tmp_path: Path) -> None:
    write_run(tmp_path / "outputs" / "first")
    assert str(tmp_path / "outputs" / "first") in problem(tmp_path / "output" / "first")


def test_a_missing_folder_far_from_any_run_gets_advice(tmp_path: Path) -> None:
    assert "give the folder that a run wrote" in problem(tmp_path / "nothing" / "here")


@pytest.mark.parametrize("name", store.RUN_FILES)
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    (write_run(tmp_path / "run") / name).unlink()
    text = problem(tmp_path / "run")
    assert name in text
    assert "did not finish" in text


def test_a_run_that_was_stopped_says_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "parts" / "episode_00000").mkdir(parents=True)
    assert "the command that began it goes on with it" in problem(tmp_path)


def test_a_folder_without_any_record_is_not_a_run(tmp_path: Path) -> None:
    assert "not a run folder" in problem(tmp_path)


@pytest.mark.parametrize("name", store.RUN_FILES)
def test_a_file_cut_short_is_named(tmp_path: Path, name: str) -> None:
    path = write_run(tmp_path / "run") / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    assert name in problem(tmp_path / "run")


def test_missing_columns_are_named(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run") / "spans.parquet"
    store.atomic_write_parquet(path, pq.read_table(path).drop_columns(["queue_s", "site"]))
    assert "lacks the columns site, queue_s" in problem(tmp_path / "run")


def test_tables_of_another_run_are_noticed(tmp_path: Path) -> None:
    filled(29).write(write_run(tmp_path / "run"))
    assert "do not match the hash" in problem(tmp_path / "run")


def test_the_hash_ignores_wall_time_and_nothing_else(tmp_path: Path) -> None:
    def digest(**changes: Any) -> str:
        recorder = Recorder(JOINTS, HANDS)
        recorder.episode(EPISODE._replace(**changes))
        recorder.span(SPAN)
        return hash_tables(recorder.tables())

    assert digest() == digest(wall_s=99.0)
    variants: list[dict[str, Any]] = [
        {},
        {"sim_s": 9.6},
        {"ttfa_s": 0.0},
        {"reason": "lifte"},
        {"seed": 43},
        {"success": False},
    ]
    assert len({digest(**change) for change in variants}) == len(variants)


def test_the_hash_does_not_depend_on_storage() -> None:
    words = ["ok", "late", "ok"]
    coded = pa.array(words).dictionary_encode()
    other = pa.DictionaryArray.from_arrays(pa.array([2, 0, 2], pa.int32()), pa.array(["late", "lost", "ok"]))
    tables = [pa.table({"a": column}) for column in (coded, other, pa.chunked_array([words[:1], words[1:]]))]
    assert len({hash_tables({"t": table}) for table in tables}) == 1


def test_the_hash_keeps_neighbouring_words_apart() -> None:
    assert hash_tables({"t": pa.table({"a": ["ab", "c"]})}) != hash_tables({"t": pa.table({"a": ["a", "bc"]})})


def test_a_configuration_hash_ignores_the_order_of_keys() -> None:
    assert hash_mapping({"a": 1, "b": {"c": 2, "d": 3}}) == hash_mapping({"b": {"d": 3, "c": 2}, "a": 1})
    assert hash_mapping({"a": 1}) != hash_mapping({"a": 2})


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    store.atomic_write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.atomic_write_json(path, {"a": float("nan")})

    def break_halfway(stream: object) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        store.atomic_write(path, break_halfway)
    assert json.loads(path.read_text()) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.json"]


def test_runs_are_found_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("10", "9", "extra"):
        write_run(tmp_path / name)
    (tmp_path / "figures").mkdir()
    assert [path.name for path in store.find_runs(tmp_path)] == ["9", "10", "extra"]
