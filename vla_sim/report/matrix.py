"""A sweep over two or three keys as a matrix: success and time to first action, cell by cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vla_sim.report.parts import Success
from vla_sim.report.variants import DELAY, Variant, key_words

KEYS_AT_MOST = 4  # more keys, or more panels, are a table's business
PANELS_AT_MOST = 12
COLUMNS_AT_MOST = 8


@dataclass(frozen=True)
class Cell:
    """One variant in its place."""

    label: str
    success: Success
    ttfa_p95_ms: float | None
    in_time: bool  # the 95 % quantile of the first action lies within the budget
    meets: str | None  # the question of the sweep: yes, no, undecided; None = not asked


@dataclass(frozen=True)
class Panel:
    """A table of cells for one choice of the remaining keys; "" when there are none."""

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[Cell | None, ...], ...]


@dataclass(frozen=True)
class Matrix:
    """All panels; `row_key` and `column_key` in words."""

    row_key: str
    column_key: str
    panels: tuple[Panel, ...]


def build_matrix(variants: Sequence[Variant], limit_ms: float, meets: dict[str, str]) -> Matrix | None:
    """The matrix of a sweep over two keys or a few more; None where it would say less than the table.

    A sweep over one key and the delay has curves instead. The key with most values goes to the columns.
    """
    keys = [key for key in (variants[0].choices if variants else ()) if len({v.choices[key] for v in variants}) > 1]
    if not 2 <= len(keys) <= KEYS_AT_MOST or (len(keys) == 2 and DELAY in keys):
        return None
    values = {key: list(dict.fromkeys(variant.choices[key] for variant in variants)) for key in keys}
    fitting = [key for key in keys if len(values[key]) <= COLUMNS_AT_MOST]
    if not fitting:
        return None
    across = max(fitting, key=lambda key: len(values[key]))
    down = max((key for key in keys if key != across), key=lambda key: len(values[key]))
    rest = [key for key in keys if key not in (across, down)]
    placed = {_place(variant, keys): variant for variant in variants}
    groups = dict.fromkeys(tuple(variant.choices[key] for key in rest) for variant in variants)
    if len(placed) < len(variants) or len(groups) > PANELS_AT_MOST:
        return None
    panels = []
    for group in groups:
        fixed = dict(zip(rest, group, strict=True))
        here = [v for v in variants if all(v.choices[key] == value for key, value in fixed.items())]
        rows, columns = (list(dict.fromkeys(v.choices[key] for v in here)) for key in (down, across))
        cells = tuple(
            tuple(
                _cell(placed.get(_key({**fixed, down: row, across: column}, keys)), limit_ms, meets)
                for column in columns
            )
            for row in rows
        )
        title = ", ".join(f"{key_words(key)} {value}" for key, value in fixed.items())
        panels.append(Panel(title, tuple(rows), tuple(columns), cells))
    return Matrix(key_words(down), key_words(across), tuple(panels))


def _place(variant: Variant, keys: Sequence[str]) -> tuple[str, ...]:
    return _key(variant.choices, keys)


def _key(choices: dict[str, str], keys: Sequence[str]) -> tuple[str, ...]:
    return tuple(choices[key] for key in keys)


def _cell(variant: Variant | None, limit_ms: float, meets: dict[str, str]) -> Cell | None:
    if variant is None:
        return None
    late = variant.row["ttfa_p95_ms"]
    ttfa_ms = float(late) if isinstance(late, int | float) else None
    in_time = ttfa_ms is not None and ttfa_ms <= limit_ms
    return Cell(variant.label, variant.success, ttfa_ms, in_time, meets.get(variant.label))
