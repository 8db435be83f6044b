"""The front door: `python -m vla_sim.run [group=choice ...] [key=value ...] [-m]`. Compose, build, run, report."""

from __future__ import annotations

import shlex
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # envs and robots lie beside this package, also when started from elsewhere
    sys.path.insert(0, str(ROOT))

from vla_sim.errors import ConfigError, RecordError, Refused, VlaSimError  # noqa: E402

BAD_INPUT, INTERRUPTED = 2, 130
MULTIRUN = ("-m", "--multirun")
# What Hydra gets from extras of this project: how it is chosen, where it lives, and the extra that brings it.
EXTRAS = (
    ("hydra/launcher=joblib", "hydra_plugins.hydra_joblib_launcher", "joblib"),
    ("hydra/launcher=ray", "hydra_plugins.hydra_ray_launcher", "ray"),
    ("hydra/sweeper=optuna", "hydra_plugins.hydra_optuna_sweeper", "optuna"),
)
HELP = """\
vla_sim: will this VLA still do its job on that chip, over that network, on that robot?

usage: python -m vla_sim.run [experiment=NAME] [group=choice ...] [key=value ...] [-m]

keys       episodes=5  seed=0  delay_ms=null  command=null  cameras.rate_hz=20  video=true
           hydra.run.dir=FOLDER (one run)  hydra.sweep.dir=FOLDER (a sweep)
sweep      -m, with values separated by commas: deploy=edge,cloud network=wifi6,4g -m
workers    hydra/launcher=joblib hydra.launcher.n_jobs=2 (extra joblib), hydra/launcher=ray (extra ray)
going on   the same command in the same folder plays what is missing; resume=false plays all again
report     python -m vla_sim.report FOLDER draws the report of a run or a sweep again

groups and their choices
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code (0 done, 2 bad input, 3 a gate was missed, 130 interrupted)."""
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
        _end_progress()
        sys.stderr.write(_how_to_go_on(words) + "\n")
        return INTERRUPTED
    finally:
        _end_progress()
    return 0


def _fail(error: VlaSimError) -> int:
    sys.stderr.write(f"error: {error}\n")
    return BAD_INPUT


def _end_progress() -> None:
    if "vla_sim.sweeps" in sys.modules:
        sys.modules["vla_sim.sweeps"].end_progress()


def _group_lines() -> list[str]:
    folders = sorted(path for path in (ROOT / "conf").iterdir() if path.is_dir() and path.name != "hydra")
    return [f"  {folder.name:<11}{' | '.join(sorted(f.stem for f in folder.glob('*.yaml')))}" for folder in folders]


def _check(words: list[str]) -> None:
    """Refuse what cannot work before anything is built or written."""
    from vla_sim.configuration import sweep_values

    overrides = [word for word in words if not word.startswith("-")]
    for flag in (word for word in words if word.startswith("-")):
        if flag not in MULTIRUN:
            raise ConfigError("command line", f"unknown option {flag!r}", "there are -m and --help")
    _check_extras(overrides)
    choices = sweep_values(overrides)
    for values, word in zip(choices, overrides, strict=True):
        if values and not {*MULTIRUN} & {*words}:
            raise ConfigError(word.split("=")[0], "has several values", "add -m to sweep over them")
    first = [_pin(w, v[0]) if v else w for w, v in zip(overrides, choices, strict=True)]
    if any(word.startswith(("experiment=", "hydra/sweeper=")) for word in first):
        _check_sweeper(first)
    _check_one(first)
    for i, values in enumerate(choices):
        for value in values[1:]:
            _check_one([*first[:i], _pin(overrides[i], value), *first[i + 1 :]])


def _check_extras(overrides: list[str]) -> None:
    """What comes with an extra that is not installed is named with it; Hydra only says that there is no such file."""
    for choice, place, extra in EXTRAS:
        if choice in overrides and not _installed(place):
            raise ConfigError(choice, "is not installed", f"it needs: pip install -e '.[{extra}]'")


def _check_sweeper(overrides: list[str]) -> None:
    from vla_sim import configuration as conf

    target = str(conf.compose(overrides, with_hydra=True).hydra.sweeper.get("_target_"))
    _check_extras([choice for choice, place, _ in EXTRAS if target.startswith(place)])


def _installed(place: str) -> bool:
    return find_spec(place.partition(".")[0]) is not None and find_spec(place) is not None


def _pin(word: str, value: str) -> str:
    return f"{word.split('=', 1)[0]}={value}"


def _check_one(overrides: list[str]) -> None:
    from vla_sim import configuration as conf
    from vla_sim.types import Utterance

    config = conf.compose(overrides)
    settings = conf.settings_of(config, overrides)
    if settings.episode.command is not None:
        grammar = {key: value for key, value in config.stack.intent.items() if key != "profile"}
        conf.instantiate(grammar, "stack.intent")(Utterance(settings.episode.command))


def _run_hydra(words: list[str]) -> None:
    import hydra

    from vla_sim.variant import run_variant

    kept = sys.argv
    sys.argv = [kept[0], *sorted(words, key=lambda word: word in MULTIRUN)]  # Hydra wants its options last
    try:
        hydra.main(version_base="1.3", config_path=str(ROOT / "conf"), config_name="config")(run_variant)()
    finally:
        sys.argv = kept


def _how_to_go_on(words: list[str]) -> str:
    from vla_sim.sweeps import how_to_go_on

    return how_to_go_on(shlex.join(["python", "-m", "vla_sim.run", *words]))


if __name__ == "__main__":
    raise SystemExit(main())
