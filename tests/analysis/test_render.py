"""The document on the terminal, as Markdown and as files."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from tests.analysis.scenarios import RADIO, device, scenario
from vla_sim.analysis.analysis import analyse
from vla_sim.analysis.document import Column, Document, Footnotes, Pair, Section
from vla_sim.analysis.figure import Figure, digits, percent
from vla_sim.analysis.render import markdown, show, write


@pytest.fixture(scope="module")
def document() -> Iterator[Document]:
    """Of a deployment over its budget."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vla_sim.analysis.changes.TRIAL_S", 15.0)
        yield _document()


def _document() -> Document:
    what = scenario(
        replace(RADIO, up_mbps=0.8), cloud=device("cloud", 30.0, "h100"), images=(320, 240),
        robot=device("robot", 5.0, "orin_50w"), stages=("intent", "planning", "perception", "grasp", "navigation"),
    )  # fmt: skip
    others = {"network=fast": what.with_network(replace(RADIO, name="fast", up_mbps=400.0))}
    return analyse(
        what,
        "Analysis of a test", ("network=slow",), {}, lambda group: others if group == "network" else {},
        lambda change: " ".join(f"{key}={value}" for key, value in change.words),
    )  # fmt: skip


def test_the_answer_names_the_stage_its_place_and_what_is_enough(document: Document) -> None:
    first, *_, last = document.answer
    assert re.match(r"Over budget: \w+ on cloud over radio: [\d,]+ ms of [\d,]+ ms", first)
    assert last.startswith("Enough")
    assert "uplink of at least" in last
    assert "perception" in document.failing
    assert "perception" in document.beyond_reach


def test_every_section_is_there(document: Document) -> None:
    keys = [section.key for section in document.sections]
    assert keys == [
        "latency", "compute", "sites", "links", "messages", "bandwidth", "reliability", "cameras", "networks", "changes"
    ]  # fmt: skip
    assert all(section.rows for section in document.sections)


def test_every_figure_has_a_source(document: Document) -> None:
    for section in document.sections:
        for row in section.rows:
            for cell in row:
                if not isinstance(cell, str):
                    assert cell.source.strip(), section.key


def test_markdown_tables_are_whole_and_every_mark_has_its_note(document: Document) -> None:
    page = markdown(document)
    for table in re.findall(r"(?:^\|.*\|\n)+", page, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table
    marks = {int(mark) for mark in re.findall(r"<sup>(\d+)</sup>", page)}
    notes = {int(note) for note in re.findall(r"^(\d+)\. \S", page, re.MULTILINE)}
    assert marks == notes
    assert "    python -m vla_sim.analyse network=slow" in page


@pytest.mark.parametrize("width", [60, 100, 160, 220])
def test_no_number_is_cut_on_any_terminal(document: Document, width: int) -> None:
    out = io.StringIO()
    show(document, Console(file=out, width=width))
    text = out.getvalue()
    assert max(len(line) for line in text.splitlines()) <= width
    assert "…" not in text
    if width >= 160:
        table = next(section for section in document.sections if section.key == "latency")
        assert all(table.text(cell) in text for row in table.rows for cell in row)


def test_files_appear_and_json_is_strict(document: Document, tmp_path: Path) -> None:
    page, figures = write(document, tmp_path / "new" / "folder")
    assert page.read_text() == markdown(document)
    data = json.loads(figures.read_text())
    assert data["within_budget"] is False
    row = next(row for row in data["sections"]["latency"] if row["stage"] == "perception")
    assert row["expected"]["p95"] > row["limit"]["value"] > 0
    assert row["limit"]["unit"] == "ms"
    assert row["compute"]["source"]


# The parts


def section(*rows: tuple[str | Figure | Pair, ...]) -> Section:
    columns = tuple(Column(f"c{i}", f"c{i}") for i in range(len(rows[0])))
    return Section("s", "s", columns, rows)


def test_a_source_shared_by_a_column_stands_at_its_head() -> None:
    one, two = (Figure(value, "ms", "here") for value in (1.0, 2.0))
    heads, cells = Footnotes().marked(section(("a", one), ("b", two)))
    assert (heads, cells) == ([None, 1], [[None, None], [None, None]])


def test_a_source_shared_by_a_row_stands_in_its_first_cell() -> None:
    one, two = (Figure(1.0, "ms", f"of {name}") for name in "ab")
    heads, cells = Footnotes().marked(section(("a", one, one), ("b", two, two)))
    assert (heads, cells) == ([None] * 3, [[1, None, None], [2, None, None]])


def test_a_row_must_have_a_cell_for_every_column() -> None:
    with pytest.raises(ValueError, match="a row of 1 cells for 2 columns"):
        Section("s", "s", (Column("a", "a"), Column("b", "b")), (("x",),))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.0123, "0.012"), (1.234, "1.23"), (45.67, "45.7"), (99.96, "100"), (1234.5, "1,234")],
)
def test_three_digits_but_all_of_the_whole_ones(value: float, text: str) -> None:
    assert digits(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 %"), (0.004, "0.004 %"), (1.23, "1.2 %"), (45.6, "46 %"), (94.6, "94.6 %"), (99.99, "99.9 %"),
     (100, "100 %"), (312.4, "312 %"), (2848.0, "2,848 %")],
)  # fmt: skip
def test_only_all_reads_a_hundred_percent(value: float, text: str) -> None:
    assert percent(value) == text


def test_units_take_prefixes_and_are_left_out_when_said_elsewhere() -> None:
    assert Figure(2.83e12, "FLOP", "s").text() == "2.83 TFLOP"
    assert Figure(518, "B", "s").text() == "518 B"
    assert Figure(300, "ms", "s").text("ms") == "300"
    assert Figure(None, "ms", "s").text() == "–"
    assert Pair(1.0, 2.5, "ms", "s").text() == "1 / 2.5"
    with pytest.raises(ValueError, match="must be finite"):
        Figure(float("nan"), "ms", "s")
