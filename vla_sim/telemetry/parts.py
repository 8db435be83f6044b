"""Episodes on disk one by one while a run lasts: what was finished outlives whatever ends the process."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyarrow as pa

from vla_sim.errors import RecordError
from vla_sim.telemetry import schema
from vla_sim.telemetry.digest import hash_tables
from vla_sim.telemetry.recorder import EpisodeRow
from vla_sim.telemetry.store import atomic_write_bytes, atomic_write_json, read_tables

FOLDER = "parts"
CONFIG, MARK, SEAL = "config.yaml", "run.json", "part.json"
PICTURES = ("figures", "video")


class Parts:
    """The finished episodes of a run that is not over, each a folder that appears whole or not at all.

    Beside them lie the configuration and the digest of the code they were made by. One process at a time holds them;
    the system lets go of a lock however its holder ends.
    """

    def __init__(self, run_folder: Path) -> None:
        self.run_folder, self.folder = run_folder, run_folder / FOLDER
        self._lock: IO[str] | None = None

    @property
    def begun(self) -> bool:
        """Whether somebody has begun a run here and not ended it."""
        return (self.folder / MARK).is_file()

    def identity(self) -> tuple[str, str]:
        """Configuration (YAML) and code digest the parts were made by; raises RecordError when they cannot be read."""
        try:
            text = (self.folder / CONFIG).read_text(encoding="utf-8")
            return text, str(json.loads((self.folder / MARK).read_text(encoding="utf-8"))["code_digest"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RecordError(self.folder, "is damaged; remove it, or run with resume=false") from error

    def begin(self, config_text: str, code_digest: str) -> None:
        """Take the folder for this process and say what is played. Raises RecordError when another one plays here."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self.folder / ".lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            self._lock = None
            raise RecordError(self.run_folder, "another process is playing episodes into it; wait for it") from error
        for left in self.folder.glob(".episode_*"):  # the episode that was under way when it ended
            shutil.rmtree(left)
        if not self.begun:
            atomic_write_bytes(self.folder / CONFIG, config_text.encode())
            atomic_write_json(self.folder / MARK, {"code_digest": code_digest})

    def close(self) -> None:
        """Let others go on here. Parts without any episode are removed."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
            if not self.numbers():
                self.clear()

    def clear(self) -> None:
        """Remove the parts; the mark goes first, so that no half is taken for a whole."""
        (self.folder / MARK).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def numbers(self) -> list[int]:
        """Episodes that are there."""
        return sorted(int(path.name.removeprefix("episode_")) for path in self.folder.glob("episode_*"))

    @contextmanager
    def room(self, number: int) -> Iterator[Path]:
        """A folder to write an episode's tables and pictures into; kept when the block ends without an exception."""
        room = self.folder / f".episode_{number:05d}"
        shutil.rmtree(room, ignore_errors=True)
        room.mkdir(parents=True)
        try:
            yield room
            atomic_write_json(room / SEAL, {"content_hash": hash_tables(read_tables(room))})
            _sync(room)
            room.rename(self._place(number))
            _sync(self.folder)
        finally:
            shutil.rmtree(room, ignore_errors=True)

    def row(self, number: int) -> EpisodeRow | None:
        """How an episode went, or None when it is not there. One that was damaged since is removed."""
        place = self._place(number)
        if not place.is_dir():
            return None
        try:
            seal = json.loads((place / SEAL).read_text(encoding="utf-8"))["content_hash"]
            tables = read_tables(place)
            if seal == hash_tables(tables):
                (row,) = tables["episodes"].to_pylist()
                return EpisodeRow(**row)
        except (OSError, ValueError, KeyError, TypeError, RecordError):
            pass
        shutil.rmtree(place)
        return None

    def tables(self, numbers: Sequence[int]) -> dict[str, pa.Table]:
        """The records of these episodes as one run's, keyed by the names in `schema.TABLES`."""
        read = [read_tables(self._place(number)) for number in numbers]
        return {name: join([tables[name] for tables in read]) for name in schema.TABLES}

    def move_pictures(self, numbers: Sequence[int]) -> None:
        """Put what was drawn and filmed during the episodes where a run keeps it."""
        for number in numbers:
            place = self._place(number)
            for path in sorted(path for kind in PICTURES for path in (place / kind).rglob("*") if path.is_file()):
                target = self.run_folder / path.relative_to(place)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, target)

    def _place(self, number: int) -> Path:
        return self.folder / f"episode_{number:05d}"


def join(tables: Sequence[pa.Table]) -> pa.Table:
    """Tables of one schema end to end, as if they had been recorded in one go: one chunk, one dictionary a column."""
    return pa.concat_tables(tables).unify_dictionaries().combine_chunks()


def _sync(folder: Path) -> None:
    """Have the names in a folder written to disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
