"""How far each variant of a sweep is, told by small files: the only thing that processes of a sweep tell each other."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

FOLDER = ".progress"
OVER = ("done", "refused")


@dataclass(frozen=True)
class Variant:
    """One variant. `kept` of its `done` episodes were there before, from an earlier process."""

    number: int
    words: tuple[str, ...]  # its overrides
    total: int  # episodes asked for
    done: int = 0
    kept: int = 0
    good: int = 0  # successes among those done
    state: str = "running"  # done | refused
    note: str = ""  # the error, or what is to be said of it at its end
    gates_missed: int = 0

    def label(self, keys: Collection[str] = ()) -> str:
        """A name for people: the overrides of `keys`, or all but the experiment's name when none is among them."""
        own = [word for word in self.words if word.partition("=")[0].lstrip("+") in keys]
        rest = [word for word in self.words if not word.startswith("experiment=")]
        return ", ".join(own or rest) or "default"


@dataclass(frozen=True)
class Tally:
    """A sweep in numbers."""

    variants: int
    variants_over: int
    episodes: int
    done: int
    good: int
    played: int  # by the processes that run now


class Board:
    """The progress files of a sweep folder. Each has one writer, its variant; anybody may read."""

    def __init__(self, sweep_folder: Path) -> None:
        self.folder = sweep_folder / FOLDER

    def clear(self) -> None:
        """Forget everything."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def tell(self, variant: Variant) -> None:
        """Put a variant's state where the others can read it. Nothing is lost when it fails: the records are apart."""
        path = self.folder / f"{variant.number}.json"
        temporary = path.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(asdict(variant)), encoding="utf-8")
            os.replace(temporary, path)

    def read(self) -> list[Variant]:
        """The variants that have begun, by number."""
        found = []
        for path in self.folder.glob("*.json"):
            try:
                told = json.loads(path.read_text(encoding="utf-8"))
                found.append(Variant(**{**told, "words": tuple(told["words"])}))
            except (OSError, ValueError, TypeError, KeyError):
                continue  # cleared in this moment
        return sorted(found, key=lambda variant: variant.number)


class Reporter:
    """Tells a board of one variant, episode by episode. Without a board it only counts."""

    def __init__(self, board: Board | None, number: int, words: Sequence[str], total: int) -> None:
        self._board, self.variant = board, Variant(number, tuple(words), total)
        self._tell()

    def episode(self, success: bool, *, kept: bool = False) -> None:
        """An episode is over, or was over before (`kept`)."""
        v = self.variant
        self.variant = replace(v, done=v.done + 1, kept=v.kept + kept, good=v.good + success)
        self._tell()

    def found(self, episodes: int, successes: int) -> None:
        """The whole variant was there."""
        self.variant = replace(self.variant, total=episodes, done=episodes, kept=episodes, good=successes)
        self._tell()

    def over(self, notes: Sequence[str] = (), gates_missed: int = 0) -> None:
        """It is over; with fewer episodes than were asked for, these were enough."""
        done = replace(self.variant, total=self.variant.done, state="done")
        self.variant = replace(done, note="; ".join(notes), gates_missed=gates_missed)
        self._tell()

    def refused(self, error: str) -> None:
        """It cannot be played."""
        self.variant = replace(self.variant, state="refused", note=error)
        self._tell()

    def _tell(self) -> None:
        if self._board is not None:
            self._board.tell(self.variant)


def tally(variants: Iterable[Variant], planned: int, episodes_each: int) -> Tally:
    """Sum up. Variants that have not begun count with `episodes_each` episodes."""
    begun = list(variants)
    planned = max(planned, len(begun))
    return Tally(
        variants=planned,
        variants_over=sum(v.state in OVER for v in begun),
        episodes=sum(v.done if v.state in OVER else v.total for v in begun) + episodes_each * (planned - len(begun)),
        done=sum(v.done for v in begun),
        good=sum(v.good for v in begun),
        played=sum(v.done - v.kept for v in begun),
    )


def left_s(total: Tally, elapsed_s: float) -> float | None:
    """Time until all is over at the pace so far, s; None before the first episode was played."""
    if not total.played:
        return None
    return elapsed_s / total.played * (total.episodes - total.done)
