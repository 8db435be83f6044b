"""What happens when a sweep is over: its report and the final table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from rich.table import Table

from vla_sim.progress import console
from vla_sim.report.sweep import write_sweep
from vla_sim.telemetry.store import find_runs, load_run


class SweepReport(Callback):
    """Writes the report of the sweep folder and prints a row a variant."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Called once by Hydra after the last variant."""
        folder = Path(config.hydra.sweep.dir)
        runs = find_runs(folder)
        if not runs:
            return
        page = write_sweep(folder)
        table = Table(title=f"{len(runs)} variants")
        for column in ("variant", "success", "95 % interval", "first action", "perception p95", "falls"):
            table.add_column(column, justify="left" if column == "variant" else "right")
        records = [load_run(path) for path in runs]
        shared = set.intersection(*({*run.manifest["overrides"]} for run in records))
        for run in records:
            own = [word for word in run.manifest["overrides"] if word not in shared]
            table.add_row(", ".join(own) or str(run.manifest["variant"]), *_cells(run.metrics))
        console.print(table)
        console.print(f"report  {os.path.relpath(page)}")


def _cells(metrics: dict[str, Any]) -> tuple[str, ...]:
    low, high = metrics["success_ci95"]
    first = metrics["ttfa_ms"].get("p50")
    perception = metrics["latency_ms"].get("perception", {}).get("p95")
    return (
        f"{100 * metrics['success_rate']:.0f} %",
        f"{100 * low:.0f}-{100 * high:.0f} %",
        "-" if first is None else f"{first:.0f} ms",
        "-" if perception is None else f"{perception:.0f} ms",
        str(metrics["falls"]),
    )
