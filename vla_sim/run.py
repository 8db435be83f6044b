"""The front door: `python -m vla_sim.run [group=choice ...] [key=value ...] [-m]`. Compose, build, run, report."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # envs and robots lie beside this package, also when started from elsewhere
    sys.path.insert(0, str(ROOT))

from vla_sim.errors import ConfigError, RecordError, Refused, VlaSimError  # noqa: E402

if TYPE_CHECKING:
    from omegaconf import DictConfig

BAD_INPUT, INTERRUPTED = 2, 130
MULTIRUN = ("-m", "--multirun")
HELP = """\
vla_sim: will this VLA still do its job on that chip, over that network, on that robot?

usage: python -m vla_sim.run [experiment=NAME] [group=choice ...] [key=value ...] [-m]

keys       episodes=5  seed=0  delay_ms=null  command=null  cameras.rate_hz=20  video=true
           hydra.run.dir=FOLDER (one run)  hydra.sweep.dir=FOLDER (a sweep)
sweep      -m, with values separated by commas: deploy=edge,cloud network=wifi6,4g -m
report     python -m vla_sim.report FOLDER draws the report of a run or a sweep again

groups and their choices
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code (0 done, 2 bad input, 130 interrupted)."""
    words = sys.argv[1:] if argv is None else argv
    if any(word in ("-h", "--help") for word in words):
        sys.stdout.write(HELP + "\n".join(_group_lines()) + "\n")
        return 0
    try:
        _check(words)
        _run_hydra(words)
    except (ConfigError, RecordError, Refused) as error:
        return _fail(error)
    except SystemExit as end:  # how a job inside Hydra ends with a code of its own
        return end.code if isinstance(end.code, int) else BAD_INPUT
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what was finished is kept\n")
        return INTERRUPTED
    return 0


def _fail(error: VlaSimError) -> int:
    sys.stderr.write(f"error: {error}\n")
    return BAD_INPUT


def _group_lines() -> list[str]:
    folders = sorted(path for path in (ROOT / "conf").iterdir() if path.is_dir())
    return [f"  {folder.name:<11}{' | '.join(sorted(f.stem for f in folder.glob('*.yaml')))}" for folder in folders]


def _check(words: list[str]) -> None:
    """Refuse what cannot work before anything is built or written."""
    from vla_sim.configuration import sweep_values

    overrides = [word for word in words if not word.startswith("-")]
    for flag in (word for word in words if word.startswith("-")):
        if flag not in MULTIRUN:
            raise ConfigError("command line", f"unknown option {flag!r}", "there are -m and --help")
    choices = sweep_values(overrides)
    for values, word in zip(choices, overrides, strict=True):
        if values and not {*MULTIRUN} & {*words}:
            raise ConfigError(word.split("=")[0], "has several values", "add -m to sweep over them")
    first = [_pin(w, v[0]) if v else w for w, v in zip(overrides, choices, strict=True)]
    _check_one(first)
    for i, values in enumerate(choices):
        for value in values[1:]:
            _check_one([*first[:i], _pin(overrides[i], value), *first[i + 1 :]])


def _pin(word: str, value: str) -> str:
    return f"{word.split('=', 1)[0]}={value}"


def _check_one(overrides: list[str]) -> None:
    from vla_sim import configuration as conf
    from vla_sim.types import Utterance

    config = conf.compose(overrides)
    settings = conf.settings_of(config, overrides)
    if settings.episode.command is not None:
        conf.instantiate(config.stack.intent, "stack.intent")(Utterance(settings.episode.command))


def _run_hydra(words: list[str]) -> None:
    import hydra

    kept = sys.argv
    sys.argv = [kept[0], *sorted(words, key=lambda word: word in MULTIRUN)]  # Hydra wants its options last
    try:
        hydra.main(version_base="1.3", config_path=str(ROOT / "conf"), config_name="config")(run_variant)()
    finally:
        sys.argv = kept


def run_variant(config: DictConfig) -> float | None:
    """One job of Hydra's: a variant, from configuration to report. Returns its success rate."""
    from hydra.core.hydra_config import HydraConfig

    from vla_sim import configuration as conf
    from vla_sim.harness.experiment import run_experiment
    from vla_sim.progress import EpisodeProgress, print_summary
    from vla_sim.report.page import write_report

    job = HydraConfig.get()
    chosen = [word for word in job.overrides.task if not word.startswith("hydra.")]
    folder = Path(job.runtime.output_dir)
    try:
        settings = conf.settings_of(config, chosen)
        robot = conf.build_robot(config)
        try:
            stack = conf.build_stack(config, robot.spec)
            with EpisodeProgress(", ".join(chosen) or "default", settings.episodes) as progress:
                metrics: dict[str, Any] = run_experiment(robot, stack, settings, folder, progress.episode)
        finally:
            robot.close()
    except VlaSimError as error:
        with contextlib.suppress(OSError):
            folder.rmdir()  # made by Hydra; gone again if nothing was written into it
        raise SystemExit(_fail(error)) from None
    write_report(folder)
    print_summary(folder, metrics)
    rate = metrics["success_rate"]
    return None if rate is None else float(rate)


if __name__ == "__main__":
    raise SystemExit(main())
