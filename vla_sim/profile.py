"""Measures a stage of this project on this machine: `python -m vla_sim.profile STAGE [key=value ...]`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # envs and robots lie beside this package, also when started from elsewhere
    sys.path.insert(0, str(ROOT))

from vla_sim.clock import today  # noqa: E402
from vla_sim.errors import ConfigError, VlaSimError, nearest  # noqa: E402

if TYPE_CHECKING:
    from vla_sim.profiles.bench import Job
    from vla_sim.profiles.measured import StageReport
    from vla_sim.profiles.recording import Log
    from vla_sim.spec import RobotSpec

BAD_INPUT, INTERRUPTED = 2, 130
ALL = "all"
NAMES = ("intent", "planning", "perception", "grasp", "navigation", "safety", "control")
WORLDS = {"navigation": ("env=navigate",)}  # where a stage is asked, if not in the configuration's own task
EPISODES = "episodes=3"  # played for their inputs, if the command says nothing else
OUT = Path("outputs") / "profiles"
HELP = f"""\
How long does a stage of the stack take on this machine?

usage: python -m vla_sim.profile STAGE [option=value ...] [group=choice ...] [key=value ...]
       python -m vla_sim.profile model=FILE.onnx [dim.NAME=SIZE ...] [option=value ...]
       python -m vla_sim.profile --list

STAGE      {" | ".join(NAMES)} | {ALL}
options    calls=1000 (or more, to replay every input equally often)  seconds=20 (but no longer than this)
           out=FILE.yaml (of {ALL}: a folder)
the rest   as in python -m vla_sim.run: the stack, and the task whose inputs are recorded

It plays the task, records what the stage is given, replays it in fresh processes, and writes a profile to use as
stack.STAGE.profile=FILE.yaml. --list shows the library of hardware, models and published latencies.
"""


@dataclass(frozen=True)
class Request:
    """A command line, read."""

    stages: tuple[str, ...] = ()  # empty = an ONNX file
    overrides: tuple[str, ...] = ()  # for the configuration
    calls: int = 1000
    seconds: float = 20.0
    out: Path | None = None
    model: Path | None = None
    dims: dict[str, int] = field(default_factory=dict)
    words: tuple[str, ...] = ()  # as given

    @property
    def command(self) -> str:
        """The command that repeats it."""
        return " ".join(("python -m vla_sim.profile", *self.words))

    @property
    def several(self) -> bool:
        """Whether there will be more than one file, in a folder."""
        return len(self.stages) > 1

    def file(self, name: str) -> Path:
        """Where the profile of a stage is written."""
        if self.several:
            return (self.out or OUT) / f"{name}.yaml"
        return self.out or OUT / f"{name}.yaml"


def main(argv: list[str] | None = None) -> int:
    """Measure what the command line asks for; returns the exit code (0 done, 2 bad input, 130 interrupted)."""
    words = sys.argv[1:] if argv is None else argv
    if not words or any(word in ("-h", "--help") for word in words):
        sys.stdout.write(HELP)
        return 0 if words else BAD_INPUT
    try:
        if "--list" in words:
            show_library()
        else:
            measure(parse(words))
    except VlaSimError as error:
        sys.stderr.write(f"error: {error}\n")
        return BAD_INPUT
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; nothing was written for what was not finished\n")
        return INTERRUPTED
    return 0


def parse(words: Sequence[str]) -> Request:
    """Raises ConfigError for an unknown stage or option, and for values that cannot be."""
    stages = [word for word in words if "=" not in word]
    pairs = [word.split("=", 1) for word in words if "=" in word]
    own = {key: value for key, value in pairs if key in ("calls", "seconds", "out", "model")}
    dims = {key.removeprefix("dim."): _whole(key, value) for key, value in pairs if key.startswith("dim.")}
    rest = tuple(f"{key}={value}" for key, value in pairs if key not in own and not key.startswith("dim."))
    for word in stages:
        if word.startswith("-"):
            raise ConfigError("command line", f"unknown option {word!r}", "there are --list and --help")
        if word not in (*NAMES, ALL):
            raise ConfigError("stage", f"unknown {word!r}", nearest(word, (*NAMES, ALL)))
    if bool(stages) == ("model" in own):
        raise ConfigError("stage", "name a stage or a model=FILE.onnx", f"stages are {', '.join((*NAMES, ALL))}")
    if rest and "model" in own:
        raise ConfigError(rest[0].split("=")[0], "means nothing for a model file")
    if dims and "model" not in own:
        raise ConfigError(f"dim.{next(iter(dims))}", "is for a model=FILE.onnx")
    out = Path(own["out"]) if own.get("out") else None
    several = ALL in stages or len(set(stages)) > 1
    if out is not None and (out.suffix == ".yaml") == several:
        problem = "must be a folder, for a file each stage" if several else "must be a file that ends in .yaml"
        raise ConfigError("out", f"{problem}, got {str(out)!r}")
    return Request(
        stages=NAMES if ALL in stages else tuple(dict.fromkeys(stages)),
        overrides=rest,
        calls=_whole("calls", own.get("calls", "1000")),
        seconds=_positive("seconds", own.get("seconds", "20")),
        out=out,
        model=Path(own["model"]) if "model" in own else None,
        dims=dims,
        words=tuple(words),
    )


def _whole(key: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ConfigError(key, f"must be a whole number of at least 1, got {text!r}")
    return int(text)


def _positive(key: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ConfigError(key, f"must be a positive number, got {text!r}")
    return value


def show_library() -> None:
    """What the library holds, on standard output."""
    from rich.console import Console

    from vla_sim.profiles.view import library_tables
    from vla_sim.progress import WIDTH_WITHOUT_TERMINAL

    out = Console(highlight=False)
    if not out.is_terminal:
        out = Console(highlight=False, width=WIDTH_WITHOUT_TERMINAL)
    for table in library_tables():
        out.print(table)


# -- measuring --------------------------------------------------------------------------------------------------


def measure(request: Request) -> None:
    """Measure, write a file a stage, and print what was found. Raises VlaSimError for what cannot be measured."""
    from vla_sim.profiles.measured import save_device, save_report
    from vla_sim.profiles.view import crowd_warning, report_table
    from vla_sim.progress import console

    reports: list[StageReport] = []
    written: list[Path] = []
    with console.status("") as status:
        for name, job, inputs in _jobs(request, status.update):
            reports.append(_report(request, name, job, inputs, status.update))
            written.append(request.file(name))
            save_report(reports[-1], written[-1])
    if request.several:
        written.append(request.file("device"))
        save_device(reports, written[-1])
    console.print(report_table(reports))
    silent = [name for name in request.stages if name not in {report.stage for report in reports}]
    notes = [f"never asked in this task, so not measured: {', '.join(silent)}"] if silent else []
    for line in (*notes, crowd_warning(reports), *(f"profile  {path}" for path in written)):
        if line:
            console.print(line, soft_wrap=True)


Say = Callable[[str], None]


def _report(request: Request, name: str, job: Job, inputs: int, say: Say) -> StageReport:
    from vla_sim.harness.manifest import host_facts
    from vla_sim.profiles.bench import run_apart
    from vla_sim.profiles.measured import StageReport

    say(f"{name}: timing it, as many threads as it likes")
    default = run_apart(job)
    say(f"{name}: timing it, one thread")
    one_thread = run_apart(job, threads=1)
    host = {**host_facts(), "load_average": os.getloadavg()[0]}
    inputs = min(inputs, default.warm.calls)
    return StageReport(name, inputs, default, one_thread, request.command, today(), host)


def _jobs(request: Request, say: Say) -> Iterator[tuple[str, Job, int]]:
    """Name, job and number of inputs of everything to measure; ConfigError when a task asks for none of it."""
    if request.model is not None:
        from vla_sim.profiles.onnx_file import onnx_job

        yield request.model.stem, onnx_job(request.model, request.dims, request.calls, request.seconds), 1
        return
    for words, names in _tasks(request):
        say(f"recording what {', '.join(names)} {'is' if len(names) == 1 else 'are'} given in the task")
        spec, logs = record(words, names)
        if not any(log.units for log in logs.values()):
            hint = "env=navigate and env=fetch ask for the way" if "navigation" in names else "try another env"
            raise ConfigError("stage", f"{' and '.join(names)} is never asked in this task", hint)
        for name, log in logs.items():
            if log.units:
                yield name, stage_job(words, spec, log, request.calls, request.seconds), log.units


def _tasks(request: Request) -> list[tuple[tuple[str, ...], list[str]]]:
    """What to play, and which stages to listen to: the task of the command line, else one that asks the stage."""
    words = request.overrides
    if not any(word.startswith("episodes=") for word in words):
        words = (EPISODES, *words)
    if any(word.startswith(("env=", "experiment=")) for word in words):
        return [(words, list(request.stages))]
    tasks: dict[tuple[str, ...], list[str]] = {}
    for name in request.stages:
        tasks.setdefault((*words, *WORLDS.get(name, ())), []).append(name)
    return list(tasks.items())


def record(words: Sequence[str], names: Sequence[str]) -> tuple[RobotSpec, dict[str, Log]]:
    """Play the configured episodes; what each stage was given, and the robot's spec. ConfigError when one crashes."""
    from vla_sim import configuration as conf
    from vla_sim.harness.episode import Episode
    from vla_sim.profiles.recording import EndsWhenHeard, tapped
    from vla_sim.telemetry.recorder import Recorder

    config = conf.compose(words)
    settings = conf.settings_of(config, words)
    robot = conf.build_robot(config)
    try:
        spec = robot.spec
        stack, logs = tapped(conf.build_stack(config, spec), names)
        recorder = Recorder(spec.upper_joints, spec.hands)
        for number in range(settings.episodes):
            body = EndsWhenHeard(robot, logs.values()) if all(log.stage.once for log in logs.values()) else robot
            row = Episode(body, stack, settings.episode, recorder, number).run()
            if row.error:
                raise ConfigError("env", f"the episode with seed {row.seed} crashed: {row.error}")
    finally:
        robot.close()
    return spec, logs


def stage_job(words: Sequence[str], spec: RobotSpec, log: Log, calls: int, seconds: float) -> Job:
    """What times one stage of the configured stack: `calls` calls or more, in whole passes over its recorded inputs."""
    from vla_sim.profiles.bench import Job

    stage = log.stage
    where = (tuple(words), spec, stage.field)
    wanted = (
        -(-calls // log.units) * log.units
    )  # an episode's beginning is not like its end: each input counts the same
    return Job(prepare, where, tuple(log.calls), stage.timed, stage.ends, wanted, seconds)


def prepare(threads: int | None, words: Sequence[str], spec: RobotSpec, name: str) -> Callable[[], Any]:
    """`Job.prepare`: composes the configuration, and returns what builds the stack and picks the stage from it."""
    from vla_sim import configuration as conf

    config = conf.compose(words)
    return lambda: getattr(conf.build_stack(config, spec), name)


if __name__ == "__main__":
    raise SystemExit(main())
