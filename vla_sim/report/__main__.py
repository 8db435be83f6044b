"""`python -m vla_sim.report DIR` draws a run's or a sweep's report again, from its records alone."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from vla_sim.errors import RecordError


def redraw(folder: Path) -> Path:
    """Draw the report of a run folder or of a sweep folder; returns the page. Raises RecordError."""
    from vla_sim.report.page import write_report
    from vla_sim.report.sweep import write_sweep
    from vla_sim.telemetry.store import find_runs

    return write_sweep(folder) if find_runs(folder) else write_report(folder)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 when drawn, 2 when the records cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m vla_sim.report", description=(__doc__ or "").strip("`"))
    parser.add_argument("folder", type=Path, metavar="DIR", help="a run folder, or a sweep folder holding run folders")
    try:
        path = redraw(parser.parse_args(arguments).folder)
    except RecordError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
