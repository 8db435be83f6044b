"""The tables of a page as CSV, with every digit, for whoever wants to go on with them elsewhere."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from vla_sim.report.parts import Table
from vla_sim.telemetry.store import atomic_write_bytes


def write_tables(folder: Path, tables: Sequence[Table]) -> None:
    """Write `tables/<name>.csv`: a heading of keys, then the values as they are; what does not exist is empty."""
    for table in tables:
        atomic_write_bytes(folder / "tables" / f"{table.name}.csv", to_csv(table).encode())


def to_csv(table: Table) -> str:
    """One table in RFC 4180's form."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    keys = [column.key for column in table.columns]
    writer.writerow(keys)
    writer.writerows([["" if row[key] is None else row[key] for key in keys] for row in table.rows])
    return stream.getvalue()
