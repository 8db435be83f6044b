"""What a sweep does besides its variants: progress while it lasts, its report and the final table at its end."""

from __future__ import annotations

import importlib
import math
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict
from rich.table import Table

from vla_sim.board import Board
from vla_sim.errors import RecordError
from vla_sim.harness.objective import PENALTY
from vla_sim.progress import SweepProgress, console
from vla_sim.report.sweep import write_sweep
from vla_sim.telemetry.store import find_runs, load_run

BAD_INPUT, GATE_MISSED = 2, 3
RAY_ALONE = {"include_dashboard": False, "log_to_driver": False, "logging_level": "error"}


class _Now:
    """The sweep of this process. Not kept in the callback, which Hydra copies to every worker."""

    board: Board | None = None
    progress: SweepProgress | None = None
    asked_dir = ""  # what must be added to the command to come to the same folder again
    folder: Path | None = None


class SweepReport(Callback):
    """Shows progress, writes the report of the sweep folder and prints a row a variant."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Called by Hydra before a single run."""
        _remember(config, "run")

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Called by Hydra before the first variant."""
        _remember(config, "sweep")
        _tame(config)
        board = _Now.board = Board(Path(config.hydra.sweep.dir))
        board.clear()
        plan = plan_of(config)
        _Now.progress = SweepProgress(board, plan.variants, int(config.get("episodes") or 0), plan.keys)
        _Now.progress.start()

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Called once by Hydra after the last variant. Ends with SystemExit when one was refused or missed a gate."""
        folder = Path(config.hydra.sweep.dir)
        variants = Board(folder).read()
        end_progress()
        try:
            _report(folder)
            _print_best(folder / "optimization_results.yaml")
        except RecordError as error:
            sys.stderr.write(f"error: {error}\n")
            raise SystemExit(BAD_INPUT) from None
        if any(variant.state == "refused" for variant in variants):
            raise SystemExit(BAD_INPUT)
        if any(variant.gates_missed for variant in variants):
            raise SystemExit(GATE_MISSED)


def end_progress() -> None:
    """Take down the bars and the board, however the sweep ended."""
    if _Now.progress is not None:
        _Now.progress.stop()
        _Now.progress = None
    if _Now.board is not None:
        _Now.board.clear()
        _Now.board = None


def how_to_go_on(command: str) -> str:
    """One line for somebody who has just interrupted `command`."""
    if _Now.folder is None:
        return "interrupted before anything was played"
    again = " ".join(word for word in (command, _Now.asked_dir) if word)
    return f"interrupted; what was finished is kept in {os.path.relpath(_Now.folder)}; to go on: {again}"


@dataclass(frozen=True)
class Plan:
    """What a sweep will be, as far as that is known before."""

    variants: int
    keys: frozenset[str]  # in which variants differ


def plan_of(config: DictConfig) -> Plan:
    """From the configuration of the sweeper and the command line, which has the last word."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.override_parser.overrides_parser import OverridesParser

    sweeper = config.hydra.sweeper
    words = [*(f"{key}={value}" for key, value in (sweeper.params or {}).items()), *config.hydra.overrides.task]
    parsed = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader()).parse_overrides(words)
    last = {override.get_key_element(): override for override in parsed}
    swept = {key: override for key, override in last.items() if override.is_sweep_override()}
    if "n_trials" in sweeper:
        return Plan(int(sweeper.n_trials), frozenset(swept))
    values = [list(o.sweep_string_iterator()) for o in swept.values() if o.is_discrete_sweep()]
    return Plan(math.prod(map(len, values)), frozenset(swept))


def _remember(config: DictConfig, kind: str) -> None:
    _Now.folder = Path(config.hydra[kind].dir)
    written = OmegaConf.to_container(config.hydra[kind], resolve=False)
    assert isinstance(written, dict)
    named_by_time = "${now:" in str(written["dir"])
    _Now.asked_dir = f"hydra.{kind}.dir={_Now.folder}" if named_by_time else ""


def _tame(config: DictConfig) -> None:
    """Plugins speak only when something is wrong; a Ray cluster of this sweep alone needs no dashboard."""
    if config.hydra.sweeper._target_.startswith("hydra_plugins.hydra_optuna_sweeper"):
        optuna = importlib.import_module("optuna")
        optuna.logging.set_verbosity(optuna.logging.WARNING)
    ray = config.hydra.launcher.get("ray")
    if ray is not None and ray.init.get("address") is None and "RAY_ADDRESS" not in os.environ:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        with open_dict(ray.init):
            for key, value in {"num_cpus": cores, **RAY_ALONE}.items():
                ray.init.setdefault(key, value)


def _report(folder: Path) -> None:
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


def _print_best(results: Path) -> None:
    """What a search found, from the file its sweeper writes."""
    if not results.is_file():
        return
    found = OmegaConf.to_container(OmegaConf.load(results))
    assert isinstance(found, dict)
    words = ", ".join(f"{key}={value}" for key, value in found["best_params"].items())
    value = float(found["best_value"])
    if abs(value) >= PENALTY:
        console.print(f"no variant meets all conditions; the one that misses them least: {words}", soft_wrap=True)
    else:
        console.print(f"best    {words}: {value:.6g}", soft_wrap=True)


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
