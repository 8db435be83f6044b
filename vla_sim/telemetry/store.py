"""Run folders: files that appear whole or not at all, and reading them back with one clear line when they cannot be."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from vla_sim.errors import RecordError
from vla_sim.telemetry import schema
from vla_sim.telemetry.digest import hash_tables

if TYPE_CHECKING:
    import pandas as pd

RUN_FILES = ("config.yaml", "manifest.json", "episodes.parquet", "spans.parquet", "ticks.parquet", "metrics.json")


@dataclass(frozen=True)
class RunRecords:
    """Everything a finished run wrote down, checked against its manifest."""

    folder: Path
    config: dict[str, Any]
    manifest: dict[str, Any]
    metrics: dict[str, Any]
    episodes: pd.DataFrame
    spans: pd.DataFrame
    ticks: pd.DataFrame


def atomic_write(path: Path, fill: Callable[[IO[bytes]], None]) -> None:
    """Let `fill` write a temporary file beside `path`, then put it in its place in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.{os.getpid()}.part"
    try:
        with temporary.open("wb") as stream:
            fill(stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def atomic_write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all."""

    def fill(stream: IO[bytes]) -> None:
        stream.write(content)

    atomic_write(path, fill)


def atomic_write_json(path: Path, value: Any) -> None:
    """Write strict JSON (a NaN or an infinity is a ValueError), indented, keys in the order given."""
    atomic_write_bytes(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def atomic_write_parquet(path: Path, table: pa.Table) -> None:
    """Write a table with zstd; equal tables give equal bytes."""
    atomic_write(path, lambda stream: pq.write_table(table, stream, compression="zstd"))


def content_hash(folder: Path) -> str:
    """Hex sha256 over what a run's three tables say, without the wall-time columns.

    Raises RecordError when a table is missing, truncated or lacks columns.
    """
    return hash_tables(read_tables(folder))


def read_tables(folder: Path) -> dict[str, pa.Table]:
    """The three tables of a run folder, keyed by the names in `schema.TABLES`; raises RecordError."""
    _check_folder(folder)
    return {name: _read_parquet(folder / f"{name}.parquet", name) for name in schema.TABLES}


def load_run(folder: Path) -> RunRecords:
    """Read a whole run folder; raises RecordError with one line saying what is wrong and what to do."""
    tables = read_tables(folder)
    manifest, config = _read_mapping(folder / "manifest.json"), _read_mapping(folder / "config.yaml")
    metrics = _read_mapping(folder / "metrics.json")
    if manifest.get("content_hash") != hash_tables(tables):
        raise RecordError(folder, "its tables do not match the hash in manifest.json; run it again")
    frames = {name: table.to_pandas() for name, table in tables.items()}
    return RunRecords(folder, config, manifest, metrics, **frames)


def is_run(folder: Path) -> bool:
    """Whether a folder looks like the record of a run."""
    return (folder / "manifest.json").is_file() and (folder / "episodes.parquet").is_file()


def find_runs(folder: Path) -> list[Path]:
    """Run folders directly inside `folder`, numbered names in the order of their numbers; raises RecordError."""
    _check_folder(folder)
    return sorted((child for child in folder.iterdir() if child.is_dir() and is_run(child)), key=_natural)


def _natural(path: Path) -> tuple[int, int, str]:
    return (0, int(path.name), "") if path.name.isdecimal() else (1, 0, path.name)


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise RecordError(folder, "there is no such folder" + _nearest_run(folder))


def _nearest_run(folder: Path) -> str:
    """A hint naming the run folder with the most similar name near where `folder` should have been."""
    near = next((parent for parent in folder.parents if parent.is_dir()), Path())
    wanted = folder.name if near == folder.parent else folder.relative_to(near).as_posix()
    candidates = {
        found.parent.relative_to(near).as_posix(): None
        for pattern in ("*/manifest.json", "*/*/manifest.json", "*/*/*/manifest.json")
        for found in sorted(near.glob(pattern))
    }
    close = difflib.get_close_matches(wanted, candidates, n=1, cutoff=0.3)
    return f"; did you mean '{near / close[0]}'?" if close else "; give the folder that a run wrote"


def _read_parquet(path: Path, name: str) -> pa.Table:
    _check_file(path)
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise RecordError(path, "is damaged or cut short; run it again") from error
    wanted = {"episodes": schema.EPISODES, "spans": schema.SPANS, "ticks": schema.TICK_SCALARS}[name]
    missing = [column for column in wanted.names if column not in table.column_names]
    if missing:
        raise RecordError(path, f"lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; run it again")
    return table


def _read_mapping(path: Path) -> dict[str, Any]:
    """A JSON or YAML file holding a mapping."""
    import yaml

    _check_file(path)
    try:
        text = path.read_text(encoding="utf-8")
        value = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        raise RecordError(path, "is damaged or cut short; run it again") from error
    if not isinstance(value, dict):
        raise RecordError(path, "does not hold a mapping; run it again")
    return value


def _check_file(path: Path) -> None:
    if not path.is_file():
        present = [name for name in RUN_FILES if (path.parent / name).is_file()]
        hint = "the run did not finish; run it again" if present else "this is not a run folder"
        if (path.parent / "parts").is_dir():
            hint = "the run did not finish; the command that began it goes on with it"
        raise RecordError(path, f"is missing; {hint}")
