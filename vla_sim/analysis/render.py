"""A document on the terminal, as Markdown, and as files."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from vla_sim.analysis.document import Cell, Document, Footnotes, Section
from vla_sim.telemetry.store import atomic_write_bytes, atomic_write_json

SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
WIDTH_WITHOUT_TERMINAL = 160  # characters, for logs
MARKDOWN, JSON = "analysis.md", "analysis.json"
COLOURS = {"met": "green", "not always met": "yellow", "missed": "red", "cannot be met": "bold red"}


# -- terminal ---------------------------------------------------------------------------------------------------


def working() -> AbstractContextManager[object]:
    """Says on a terminal that it takes a few seconds; silent elsewhere."""
    console = Console(stderr=True)
    return console.status("analysing ...") if console.is_terminal else nullcontext()


def show(document: Document, console: Console | None = None) -> None:
    """Print it, its sources last; on standard output if nothing else is given."""
    console = console or _standard_output()
    notes = Footnotes()
    console.print(Text(document.title, style="bold"))
    for line in document.answer:
        console.print(Text(line))
    for line in document.warnings:
        console.print(Text(f"! {line}", style="yellow"))
    for section in document.sections:
        console.print()
        console.print(Text(section.title, style="bold"))
        console.print(_table(section, notes, console.width))
        if section.note:
            console.print(Text(section.note, style="dim"))
    console.print()
    console.print(Text("Where the figures come from", style="bold"))
    listed = Table.grid(padding=(0, 1))
    for number, source in notes:
        listed.add_row(Text(str(number), style="dim"), Text(source, style="dim"))
    console.print(listed)


def _standard_output() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH_WITHOUT_TERMINAL)


def _table(section: Section, notes: Footnotes, width: int) -> Table:
    heads, cells = notes.marked(section)
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for i, (column, mark) in enumerate(zip(section.columns, heads, strict=True)):
        numbers = any(not isinstance(row[i], str) for row in section.rows)
        table.add_column(
            column.title + _raised(mark),
            justify="right" if numbers else "left",
            overflow="fold",
            no_wrap=numbers and width >= WIDTH_WITHOUT_TERMINAL,  # narrower, a number is better broken than cut
        )
    for row, marks in zip(section.rows, cells, strict=True):
        table.add_row(*(_styled(section, cell, mark) for cell, mark in zip(row, marks, strict=True)))
    return table


def _styled(section: Section, cell: Cell, mark: int | None) -> Text:
    text = section.text(cell)
    return Text(text + _raised(mark), style=COLOURS.get(text, "") if isinstance(cell, str) else "")


def _raised(mark: int | None) -> str:
    return "" if mark is None else str(mark).translate(SUPERSCRIPTS)


# -- Markdown ---------------------------------------------------------------------------------------------------


def markdown(document: Document) -> str:
    """The whole document as one Markdown page."""
    notes = Footnotes()
    command = " ".join(["python -m vla_sim.analyse", *(_quoted(word) for word in document.words)])
    lines = [f"# {document.title}", "", *(f"{line}\n" for line in document.answer)]
    lines += [f"- {line}" for line in document.warnings]
    lines += ["", f"    {command}"]
    for section in document.sections:
        lines += ["", f"## {section.title}", "", *_rows(section, notes)]
        if section.note:
            lines += ["", section.note]
    lines += ["", "## Where the figures come from", ""]
    lines += [f"{number}. {_escaped(source)}" for number, source in notes]
    return "\n".join(lines) + "\n"


def _quoted(word: str) -> str:
    return f"'{word}'" if any(letter in word for letter in " []{}()*?") else word


def _rows(section: Section, notes: Footnotes) -> list[str]:
    heads, cells = notes.marked(section)
    numbers = [any(not isinstance(row[i], str) for row in section.rows) for i in range(len(section.columns))]
    lines = [_line([column.title + _sup(mark) for column, mark in zip(section.columns, heads, strict=True)])]
    lines.append(_line(["---:" if number else "---" for number in numbers]))
    for row, marks in zip(section.rows, cells, strict=True):
        lines.append(_line([_escaped(section.text(c)) + _sup(m) for c, m in zip(row, marks, strict=True)]))
    return lines


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _sup(mark: int | None) -> str:
    return "" if mark is None else f" <sup>{mark}</sup>"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def write(document: Document, folder: Path) -> tuple[Path, Path]:
    """Write the page and the figures into a folder, each whole or not at all; returns both paths."""
    page, figures = folder / MARKDOWN, folder / JSON
    atomic_write_bytes(page, markdown(document).encode())
    atomic_write_json(figures, document.plain())
    return page, figures
