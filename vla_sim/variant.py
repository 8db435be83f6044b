"""One job of Hydra's: a variant, from configuration to report. Sweeps run it in other processes too."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # a worker of a sweep begins here, not in `run`
    sys.path.insert(0, str(ROOT))

from vla_sim.errors import VlaSimError  # noqa: E402

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from vla_sim.board import Reporter
    from vla_sim.harness.experiment import RunSettings

BAD_INPUT, GATE_MISSED = 2, 3
WATCH, LOOK_FOR_PARENT_S = "parent watch", 0.5


def run_variant(config: DictConfig) -> float | None:
    """Play what is not there yet, write the report, hold the result against its gates. Returns the objective.

    Ends with SystemExit 2 when it cannot be played, and 3 when it is a run of its own and misses a gate. In another
    process than the sweep's it returns None instead: there, an exit would take the other variants with it.
    """
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from vla_sim.board import Board, Reporter
    from vla_sim.telemetry.store import find_runs

    hydra = HydraConfig.get()
    swept = hydra.mode == RunMode.MULTIRUN
    elsewhere = swept and not hydra.launcher._target_.endswith(".BasicLauncher")
    if elsewhere:
        _live_and_die_with_the_sweep()
    chosen = [word for word in hydra.overrides.task if not word.startswith(("hydra.", "hydra/", "resume="))]
    folder = Path(hydra.runtime.output_dir)
    board = Board(Path(hydra.sweep.dir)) if swept else None
    reporter = Reporter(board, hydra.job.num if swept else 0, chosen, config.get("episodes") or 0)
    others = []
    if "n_trials" in hydra.sweeper:  # a search comes to the same variant again
        others = [path for path in find_runs(Path(hydra.sweep.dir)) if path.name != folder.name]
    try:
        return _run(config, chosen, folder, reporter, swept, others)
    except VlaSimError as error:
        with contextlib.suppress(OSError):
            folder.rmdir()  # made by Hydra; gone again if nothing was written into it
        if elsewhere:
            reporter.refused(f"error: {error}")
            return None
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(BAD_INPUT) from None


def _run(
    config: DictConfig, chosen: list[str], folder: Path, reporter: Reporter, swept: bool, others: list[Path]
) -> float:
    from vla_sim import configuration as conf
    from vla_sim.harness.gates import check
    from vla_sim.harness.resume import finished_metrics, outdated
    from vla_sim.progress import print_summary
    from vla_sim.report.page import write_report

    settings = conf.settings_of(config, chosen)
    there = ((place, finished_metrics(place, settings.request)) for place in (folder, *others))
    place, metrics = next(((place, found) for place, found in there if found is not None), (folder, None))
    said = []
    if metrics is not None:
        reporter.found(metrics["episodes"], round((metrics["success_rate"] or 0.0) * metrics["episodes"]))
    else:
        said = [f"played again: {reason}" for reason in [outdated(folder, settings.request)] if reason]
        metrics = _play(config, settings, folder, reporter, swept)
        (folder / "report.html").unlink(missing_ok=True)  # of the records as they were before
    if place != folder:
        with contextlib.suppress(OSError):
            folder.rmdir()
    elif not (folder / "report.html").is_file():
        write_report(folder)
    missed = [result.line for result in check(metrics, settings.gates) if not result.passed]
    reporter.over([*said, *missed], len(missed))
    if not swept:
        print_summary(folder, metrics)
        sys.stderr.writelines(f"{line}\n" for line in [*said, *missed])
        if missed:
            raise SystemExit(GATE_MISSED)
    return settings.objective.score(metrics)


def _play(config: DictConfig, settings: RunSettings, folder: Path, reporter: Reporter, swept: bool) -> dict[str, Any]:
    from vla_sim import configuration as conf
    from vla_sim.harness.experiment import run_experiment
    from vla_sim.progress import EpisodeProgress
    from vla_sim.telemetry.recorder import EpisodeRow

    bar = contextlib.nullcontext() if swept else EpisodeProgress()

    def tell(row: EpisodeRow, kept: bool = False) -> None:
        reporter.episode(row.success, kept=kept)
        if isinstance(bar, EpisodeProgress):
            bar.show(reporter.variant)

    robot = conf.build_robot(config)
    try:
        stack = conf.build_stack(config, robot.spec)
        try:
            with bar:
                return run_experiment(robot, stack, settings, folder, tell, lambda row: tell(row, kept=True))
        finally:
            stack.close()
    finally:
        robot.close()


def _live_and_die_with_the_sweep() -> None:
    """In a worker: leave Ctrl-C to the sweep, which ends its workers; end when the sweep was killed."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if any(thread.name == WATCH for thread in threading.enumerate()):
        return
    parent, ended = os.getppid(), threading.Event()

    def watch() -> None:
        while not ended.wait(LOOK_FOR_PARENT_S):
            if os.getppid() != parent:
                os._exit(1)

    threading.Thread(target=watch, daemon=True, name=WATCH).start()
