"""Measure everything and print the table."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from experiments.bench.environments import environment_rows
from experiments.bench.harness import harness_rows
from experiments.bench.renderer import renderer_row
from experiments.bench.walking import walking_row


def main() -> None:
    """One row a comparison."""
    table = Table(title="benchmark: medians of ratios within this run")
    for column in ("what", "ours", "reference", "ratio", "wanted"):
        table.add_column(column)
    for row in (*harness_rows(), renderer_row(), walking_row(), *environment_rows()):
        table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    main()
