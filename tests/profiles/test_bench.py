from __future__ import annotations

import os
from dataclasses import replace

import pytest

from tests.profiles import sample_stage
from vla_sim.errors import ConfigError
from vla_sim.profiles import bench
from vla_sim.profiles.bench import THREAD_VARIABLES, Call, Job, run, run_apart

CALLS = (Call("reset", ()), *(call for i in range(3) for call in (Call("tick", (i,)), Call("command", ()))))
JOB = Job(sample_stage.prepare, (), CALLS, frozenset({"tick", "command"}), frozenset({"command"}), 20, 30.0)
FAILS = replace(JOB, prepare=sample_stage.told, calls=(Call("__call__", ()),), ends=frozenset({"__call__"}))


def test_calls_are_replayed_in_order_from_the_reset() -> None:
    found = run(JOB)  # the stage itself refuses any other order
    assert found.warm.calls == 20
    assert found.threads_asked is None
    assert 0 < found.warm.min_ms <= found.warm.p50_ms <= found.warm.p99_ms <= found.warm.max_ms
    assert found.warm.p999_ms is None


def test_a_unit_is_the_time_of_all_its_timed_methods() -> None:
    spin = tuple(replace(call, named={"spin": 300_000}) if call.method == "tick" else call for call in CALLS)
    slow = run(replace(JOB, calls=spin))
    without = run(replace(JOB, calls=spin, timed=frozenset({"command"})))
    assert slow.warm.min_ms > without.warm.min_ms + 0.5
    assert slow.processor_ms > 0.5  # of all that is done, timed or not


def test_the_time_limit_ends_it_early_but_not_before_one_call() -> None:
    assert run(replace(JOB, wanted=10**9, limit_s=1e-9)).warm.calls == 1
    assert run(replace(JOB, wanted=10**9, limit_s=0.2)).warm.calls > 1


def test_in_a_fresh_process_with_its_memory() -> None:
    found = run_apart(JOB, threads=1)
    assert found.threads_asked == 1
    assert found.threads >= 1
    assert found.memory_loaded_mb is not None
    assert found.memory_peak_mb is not None
    assert 18 < found.memory_loaded_mb < 30
    assert 55 < found.memory_peak_mb < 80
    assert found.load_ms > 0
    assert found.first_call_ms > 0


@pytest.mark.parametrize("threads", [None, 3])
def test_threads_are_told_by_the_environment_of_that_process_alone(threads: int | None) -> None:
    before = [os.environ.get(name, "-") for name in THREAD_VARIABLES]
    with pytest.raises(ConfigError) as caught:
        run_apart(FAILS, threads)
    said = before if threads is None else [str(threads)] * len(THREAD_VARIABLES)
    assert str(caught.value) == f"profile: the stage failed while it was measured: RuntimeError: {','.join(said)}"
    assert [os.environ.get(name, "-") for name in THREAD_VARIABLES] == before


def test_a_process_that_dies_is_reported() -> None:
    with pytest.raises(ConfigError, match="its process died"):
        run_apart(replace(JOB, prepare=sample_stage.dies))


def test_nothing_to_time_is_refused() -> None:
    with pytest.raises(ConfigError, match="there is nothing to time"):
        run_apart(replace(JOB, calls=(Call("reset", ()),)))


def test_where_the_system_does_not_say_memory_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "STATUS", bench.STATUS / "nowhere")
    found = run(JOB)
    assert (found.memory_loaded_mb, found.memory_peak_mb) == (None, None)
    assert found.threads >= 1
