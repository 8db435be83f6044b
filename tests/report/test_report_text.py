"""Numbers as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_sim.report.text import cell, percent
from vla_sim.report.theme import DARK, LIGHT


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (1234.5, "ms", "1,234"),
        (4.26, "ms", "4.3"),
        (0.4, "ms", "0.40"),
        (0.0, "ms", "0"),
        (None, "ms", "–"),
        (0.5, "percent", "50\u00a0%"),
        (0.999, "percent", "99.9\u00a0%"),
        (0.0004, "percent", "0.0\u00a0%"),
        (-0.125, "points", "\u221212"),
        (0.001, "points", "0"),
        (0.3, "points", "+30"),
        (0.00002, "p", "< 0.001"),
        (0.25, "p", "0.250"),
        ("object_fell", "words", "object fell"),
        (True, "yes", "yes"),
        (1234, "int", "1,234"),
    ],
)
def test_cells(value: float | str | None, form: str, text: str) -> None:
    assert cell(value, form) == text


@given(st.floats(0, 1))
def test_only_all_reads_as_100_percent(ratio: float) -> None:
    assert (percent(ratio) == "100\u00a0%") == (ratio == 1)


def test_no_colour_stands_for_two_things() -> None:
    assert len(set(LIGHT.values())) == len(LIGHT)
    assert list(DARK) == list(LIGHT)
