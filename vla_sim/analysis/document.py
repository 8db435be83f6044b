"""The analysis as tables of figures, each with its source, whatever they are then shown on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from vla_sim.analysis.figure import NONE, Figure, digits


class Pair(NamedTuple):
    """Median and 95 % quantile of one thing, in one unit and from one source; None = there is none."""

    p50: float | None
    p95: float | None
    unit: str
    source: str

    def text(self) -> str:
        """As people read it; its unit is said elsewhere."""
        if self.p50 is None or self.p95 is None:
            return NONE
        if self.p50 == self.p95 == 0:
            return "0"
        return f"{digits(self.p50)} / {digits(self.p95)}"


Cell = str | Figure | Pair


class Column(NamedTuple):
    """`key` is its name in the JSON file."""

    key: str
    title: str


@dataclass(frozen=True)
class Section:
    """One table."""

    key: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    unit: str = ""  # said in the title, so not in every cell

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{self.key}: a row of {len(row)} cells for {len(self.columns)} columns")

    def text(self, cell: Cell) -> str:
        """What stands in a cell, without its mark."""
        if isinstance(cell, Figure):
            return cell.text(self.unit)
        return cell if isinstance(cell, str) else cell.text()

    def plain(self) -> list[dict[str, Any]]:
        """As JSON takes it: a mapping a row."""
        keys = [column.key for column in self.columns]
        return [{key: _plain(cell) for key, cell in zip(keys, row, strict=True)} for row in self.rows]


def _plain(cell: Cell) -> Any:
    if isinstance(cell, Pair):
        return cell._asdict()
    if isinstance(cell, Figure):
        return {"value": cell.value, "unit": cell.unit, "source": cell.source}
    return cell


@dataclass(frozen=True)
class Document:
    """The whole analysis. `answer` is what to read if one reads nothing else."""

    title: str
    words: tuple[str, ...]  # of the command line
    answer: tuple[str, ...]
    warnings: tuple[str, ...]
    sections: tuple[Section, ...]
    failing: tuple[str, ...] = ()
    beyond_reach: tuple[str, ...] = ()  # of these even the floor exceeds the budget

    def plain(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {
            "title": self.title,
            "command": list(self.words),
            "within_budget": not self.failing,
            "failing": list(self.failing),
            "beyond_reach": list(self.beyond_reach),
            "answer": list(self.answer),
            "warnings": list(self.warnings),
            "sections": {section.key: section.plain() for section in self.sections},
        }


@dataclass
class Footnotes:
    """Numbers for sources, in the order they are met."""

    numbers: dict[str, int] = field(default_factory=dict)

    def of(self, source: str) -> int:
        """The number of a source."""
        return self.numbers.setdefault(source, len(self.numbers) + 1)

    def marked(self, section: Section) -> tuple[list[int | None], list[list[int | None]]]:
        """For each column and each cell its number.

        It stands at a column's head, or in a row's first cell, where all that is left of its figures has one source.
        """
        sources = [[None if isinstance(cell, str) else cell.source for cell in row] for row in section.rows]
        heads: list[int | None] = []
        for i in range(len(section.columns)):
            named = [row[i] for row in sources if row[i] is not None]
            shared = len(named) > 1 and len(set(named)) == 1
            heads.append(self.of(str(named[0])) if shared else None)
            for row in sources:
                row[i] = None if shared else row[i]
        for row, cells in zip(sources, section.rows, strict=True):
            named = [source for source in row if source is not None]
            if len(named) > 1 and len(set(named)) == 1 and isinstance(cells[0], str):
                row[:] = [named[0], *[None] * (len(row) - 1)]
        return heads, [[None if source is None else self.of(source) for source in row] for row in sources]

    def __iter__(self) -> Iterator[tuple[int, str]]:
        return ((number, source) for source, number in self.numbers.items())
