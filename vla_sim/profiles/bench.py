"""Times a recorded sequence of calls in a fresh process: loading, first call, warm calls, threads, memory."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from vla_sim.clock import Stopwatch
from vla_sim.errors import ConfigError, VlaSimError
from vla_sim.profiles.measured import Measurement, Timing

THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENCV_FOR_THREADS_NUM",
)  # fmt: skip
STATUS = Path("/proc/self/status")
WARM_UP = 5  # calls after the first that are not counted


@dataclass(frozen=True)
class Call:
    """A method of a stage and what it was given; the stage itself when `method` is `__call__`."""

    method: str
    arguments: tuple[Any, ...]
    named: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """What to time. It travels to a fresh process, so all of it must be picklable.

    `prepare(threads, *arguments)` is not timed and returns what loads and builds the stage. The calls are replayed from
    the first again and again, so they begin with what makes the stage forget. The time of one unit is that of the
    methods in `timed` up to and with the next in `ends`.
    """

    prepare: Callable[..., Callable[[], Any]]
    arguments: tuple[Any, ...]
    calls: tuple[Call, ...]
    timed: frozenset[str] = frozenset({"__call__"})
    ends: frozenset[str] = frozenset({"__call__"})
    wanted: int = 1000  # units to time
    limit_s: float = 20.0  # after which fewer will do


def run_apart(job: Job, threads: int | None = None) -> Measurement:
    """Run the job in a fresh process; `threads` = what its libraries are told to use, None = their own choice.

    Raises ConfigError for a job that holds nothing to time, and for a stage that fails.
    """
    if not any(call.method in job.ends for call in job.calls):
        raise ConfigError("calls", "there is nothing to time")
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(theirs, job, threads))
    with _environment(threads):
        process.start()
    theirs.close()
    try:
        answer = ours.recv()
    except EOFError:
        answer = "its process died"
    finally:
        process.join()
        ours.close()
    if isinstance(answer, Measurement):
        return answer
    raise ConfigError("profile", f"the stage failed while it was measured: {answer}")


@contextlib.contextmanager
def _environment(threads: int | None) -> Iterator[None]:
    """Libraries read these once, when they are loaded: they must be set before the process begins."""
    if threads is None:
        yield
        return
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _serve(connection: Connection, job: Job, threads: int | None) -> None:
    try:
        answer: Measurement | str = run(job, threads)
    except VlaSimError as error:
        answer = str(error)
    except Exception as error:  # noqa: BLE001 - whatever a stage raises is the answer
        answer = f"{type(error).__name__}: {error}".splitlines()[0]
    connection.send(answer)
    connection.close()


def run(job: Job, threads: int | None = None) -> Measurement:
    """The job in this process."""
    load = job.prepare(threads, *job.arguments)
    _reset_peak()
    before_mb = _memory_mb("VmRSS")
    watch = Stopwatch()
    stage = load()
    load_s = watch.elapsed_s
    loaded_mb = _memory_mb("VmRSS")
    units = _units(stage, job)
    first_s = next(units)
    for _ in range(WARM_UP):
        next(units)
    usage, watch = _processor_s(), Stopwatch()
    durations_s: list[float] = []
    while len(durations_s) < job.wanted and (watch.elapsed_s < job.limit_s or not durations_s):
        durations_s.append(next(units))
    busy_s, wall_s = _processor_s() - usage, watch.elapsed_s
    peak_mb = _memory_mb("VmHWM")
    return Measurement(
        threads_asked=threads,
        load_ms=1e3 * load_s,
        first_call_ms=1e3 * first_s,
        warm=Timing.of(np.array(durations_s)),
        threads=_threads(),
        processor_ms=1e3 * busy_s / len(durations_s),
        cores_busy=busy_s / wall_s,
        memory_loaded_mb=_growth(before_mb, loaded_mb),
        memory_peak_mb=_growth(before_mb, peak_mb),
    )


def _units(stage: Any, job: Job) -> Iterator[float]:
    """Durations of unit after unit, s, for as long as anyone asks."""
    while True:
        unit_s = 0.0
        for call in job.calls:
            method = stage if call.method == "__call__" else getattr(stage, call.method)
            watch = Stopwatch()
            method(*call.arguments, **call.named)
            if call.method in job.timed:
                unit_s += watch.elapsed_s
            if call.method in job.ends:
                yield unit_s
                unit_s = 0.0


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _status(key: str) -> int | None:
    """A number of this process's entry in Linux's list of processes; None elsewhere."""
    try:
        lines = STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{key}:")), None)


def _memory_mb(key: str) -> float | None:
    kilobytes = _status(key)
    return None if kilobytes is None else kilobytes / 1024


def _growth(before_mb: float | None, after_mb: float | None) -> float | None:
    return None if before_mb is None or after_mb is None else max(after_mb - before_mb, 0.0)


def _reset_peak() -> None:
    """Forget what memory this process once had, where the system can."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _threads() -> int:
    found = _status("Threads")
    return len(sys._current_frames()) if found is None else found
