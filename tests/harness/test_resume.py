"""A run that was interrupted or killed goes on and ends as if nothing had been; what is not its own it leaves alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.harness.mock_run import content_hash_of, run, run_settings
from vla_sim.clock import Stopwatch
from vla_sim.errors import ConfigError
from vla_sim.harness import resume
from vla_sim.harness.experiment import RunSettings
from vla_sim.harness.manifest import code_digest
from vla_sim.harness.resume import finished_metrics, first_difference
from vla_sim.harness.sequential import StopRule
from vla_sim.telemetry.store import content_hash

ROOT = Path(__file__).resolve().parents[2]
EPISODES = 4


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file but those that hold wall time or the moment."""
    held = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in sorted(held.items()) if not name.endswith("manifest.json")}


def without_wall(metrics: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in metrics.items() if key not in ("wall_s", "speed")}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    run(folder)
    return folder


def expect_same(folder: Path, whole: Path) -> None:
    assert content_hash_of(folder) == content_hash_of(whole) == content_hash(folder)
    assert files_of(folder).keys() == files_of(whole).keys()
    assert (folder / "spans.parquet").read_bytes() == (whole / "spans.parquet").read_bytes()
    metrics = [json.loads((place / "metrics.json").read_text()) for place in (folder, whole)]
    assert without_wall(metrics[0]) == without_wall(metrics[1])


def interrupted(folder: Path, after: int, settings: RunSettings | None = None) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(folder, settings, stop_after=after)


# Going on


@pytest.mark.parametrize("after", [1, 2, EPISODES])
def test_an_interrupted_run_goes_on_where_it_was(after: int, tmp_path: Path, undisturbed: Path) -> None:
    interrupted(tmp_path, after)
    assert not (tmp_path / "manifest.json").exists()
    told, _ = run(tmp_path)
    assert [row.episode for row in told.kept] == list(range(after))
    assert [row.episode for row in told.played] == list(range(after, EPISODES))
    expect_same(tmp_path, undisturbed)


def test_nothing_is_left_of_the_parts(undisturbed: Path) -> None:
    names = {path.name for path in undisturbed.rglob("*")}
    assert "parts" not in names
    assert not [name for name in names if name.startswith(".")]


def test_a_finished_run_is_not_played_again(tmp_path: Path) -> None:
    _, metrics = run(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert finished_metrics(tmp_path, run_settings().request) == metrics
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_parts_that_outlived_their_run_are_removed(tmp_path: Path) -> None:
    interrupted(tmp_path, EPISODES)
    parts = tmp_path / "parts"
    held = {path.relative_to(parts): path.read_bytes() for path in parts.rglob("*") if path.is_file()}
    run(tmp_path)
    for name, content in held.items():  # as if it had been killed between the manifest and the parts' removal
        (parts / name).parent.mkdir(parents=True, exist_ok=True)
        (parts / name).write_bytes(content)
    assert finished_metrics(tmp_path, run_settings().request) is not None
    assert not parts.exists()


def test_more_episodes_are_added_to_those_that_are_there(tmp_path: Path, undisturbed: Path) -> None:
    run(tmp_path, run_settings(2))
    told, _ = run(tmp_path)
    assert [row.episode for row in told.played] == [2, 3]
    expect_same(tmp_path, undisturbed)


@pytest.mark.parametrize("kill_at", ["parts", "manifest"])
def test_adding_may_itself_be_stopped(kill_at: str, tmp_path: Path, undisturbed: Path) -> None:
    run(tmp_path, run_settings(3))
    take_apart = resume._take_apart

    def stop_halfway(folder: Path, parts: Any) -> None:
        if kill_at == "manifest":
            take_apart(folder, parts)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resume, "_take_apart", stop_halfway)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path)
    told, _ = run(tmp_path)
    assert [row.episode for row in told.played] == [3]
    expect_same(tmp_path, undisturbed)


def test_a_changed_budget_or_gate_is_read_from_the_same_records(tmp_path: Path, undisturbed: Path) -> None:
    run(tmp_path)
    changed = run_settings(config={"budget": {"total_ms": 5.0}, "report": {"gates": ["success_rate >= 1"]}})
    assert finished_metrics(tmp_path, changed.request) is None
    told, _ = run(tmp_path, changed)
    assert told.played == []
    assert content_hash_of(tmp_path) == content_hash_of(undisturbed)
    assert "gates" in (tmp_path / "config.yaml").read_text()


def test_a_run_stops_when_its_question_is_answered_wherever_it_was_interrupted(tmp_path: Path) -> None:
    settings = run_settings(40, stop_when=StopRule("success_rate >= 0.99", least=2))
    _, metrics = run(tmp_path / "whole", settings)
    manifest = json.loads((tmp_path / "whole" / "manifest.json").read_text())
    assert 2 <= metrics["episodes"] < 40
    assert manifest["stopped"] == {"asked": 40, "reason": "success_rate >= 0.99 fails"}
    interrupted(tmp_path / "cut", 1, settings)
    run(tmp_path / "cut", settings)
    assert content_hash_of(tmp_path / "cut") == content_hash_of(tmp_path / "whole")
    assert finished_metrics(tmp_path / "whole", settings.request) is not None


def test_a_run_that_plays_all_its_episodes_was_not_stopped(undisturbed: Path) -> None:
    assert json.loads((undisturbed / "manifest.json").read_text())["stopped"] is None


# A real kill


def killed_at_random(folder: Path, rng: np.random.Generator) -> int:
    """Start the run in a process of its own and kill it; returns how many episodes it had kept."""
    words = ["-m", "tests.harness.mock_run", str(folder), "40", code_digest()]
    started = subprocess.Popen([sys.executable, *words], cwd=ROOT)
    before, for_more, pause = kept(folder), Stopwatch(), threading.Event()
    try:
        while kept(folder) <= before and for_more.elapsed_s < 60 and started.poll() is None:
            pause.wait(0.005)
        pause.wait(float(rng.uniform(0.0, 0.2)))
    finally:
        os.kill(started.pid, signal.SIGKILL)
        started.wait()
    return kept(folder)


def kept(folder: Path) -> int:
    return len(list(folder.glob("parts/episode_*")))


def test_a_run_that_was_killed_loses_no_episode_and_ends_the_same(tmp_path: Path) -> None:
    run(tmp_path / "whole", run_settings(40))
    rng, cut, found = np.random.default_rng(7), tmp_path / "cut", 0
    for _ in range(2):
        now = killed_at_random(cut, rng)
        assert found < now < 40
        found = now
    told, _ = run(cut, run_settings(40))
    assert len(told.kept) == found
    expect_same(cut, tmp_path / "whole")


# What does not fit


def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resume, "code_digest", lambda: "another")


MISFITS: list[tuple[dict[str, Any], list[str]]] = [
    ({"config": {"robot": {"name": "mock", "speed": 2.0}}}, ["robot.speed", "was 1.0", "is 2.0 now"]),
    ({"config": {"robot": {"name": "mock"}}}, ["robot.speed", "was 1.0", "is absent now"]),
    ({"config": {"seed": 4, "network": "4g"}}, ["seed", "was 3", "is 4 now"]),
    ({"config": {"zone": [1, 2]}}, ["zone", "was absent", "is [1, 2] now"]),
]


@pytest.mark.parametrize("finished", [False, True], ids=["parts", "run"])
@pytest.mark.parametrize(("change", "words"), MISFITS)
def test_another_configuration_is_refused_by_its_first_key(
    change: dict[str, Any], words: list[str], finished: bool, tmp_path: Path
) -> None:
    if finished:
        run(tmp_path)
    else:
        interrupted(tmp_path, 2)
    before = files_of(tmp_path)
    with pytest.raises(ConfigError) as caught:
        run(tmp_path, run_settings(**change))
    text = str(caught.value)
    assert text.startswith(words[0])
    assert not [word for word in [*words, str(tmp_path), "resume=false", "hydra.sweep.dir"] if word not in text], text
    assert "\n" not in text
    assert files_of(tmp_path) == before


@pytest.mark.parametrize("finished", [False, True], ids=["parts", "run"])
def test_other_code_is_refused_on_request(finished: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if finished:
        run(tmp_path)
    else:
        interrupted(tmp_path, 1)
    elsewhere(monkeypatch)
    assert finished_metrics(tmp_path, run_settings().request) is None
    with pytest.raises(ConfigError, match=r"other code or libraries; .* resume=false"):
        run(tmp_path, run_settings(resume="true"))
    assert resume.outdated(tmp_path, run_settings(resume="true").request) is None


@pytest.mark.parametrize("finished", [False, True], ids=["parts", "run"])
def test_episodes_of_other_code_are_never_mixed_with_ours(
    finished: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: Path
) -> None:
    if finished:
        run(tmp_path)
    else:
        interrupted(tmp_path, 1)
    elsewhere(monkeypatch)
    assert "other code" in str(resume.outdated(tmp_path, run_settings().request))
    told, _ = run(tmp_path)
    assert len(told.played) == EPISODES
    expect_same(tmp_path, undisturbed)


def test_fewer_episodes_than_there_are_is_refused(tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(ConfigError, match=r"^episodes: .* holds 4 already, 2 asked for"):
        run(tmp_path, run_settings(2))


def test_a_run_of_an_older_version_counts_as_other_code(tmp_path: Path) -> None:
    run(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    del manifest["code_digest"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert finished_metrics(tmp_path, run_settings().request) is None
    with pytest.raises(ConfigError, match="other code"):
        run(tmp_path, run_settings(resume="true"))


@pytest.mark.parametrize("name", ["config.yaml", "manifest.json", "episodes.parquet"])
def test_what_cannot_be_read_is_refused(name: str, tmp_path: Path) -> None:
    run(tmp_path)
    path = tmp_path / name
    path.write_bytes(b"[" + path.read_bytes()[:20])
    with pytest.raises(ConfigError, match=r"^resume: .* cannot be read .*resume=false"):
        run(tmp_path, run_settings(resume="true"))
    told, _ = run(tmp_path)
    assert len(told.played) == EPISODES


def damage(folder: Path) -> None:
    (folder / "metrics.json").write_text("{")


def change_table(folder: Path) -> None:
    (folder / "ticks.parquet").unlink()


@pytest.mark.parametrize("harm", [damage, change_table])
def test_a_run_that_was_harmed_does_not_count_as_finished(harm: Callable[[Path], None], tmp_path: Path) -> None:
    run(tmp_path)
    harm(tmp_path)
    assert finished_metrics(tmp_path, run_settings().request) is None


def test_what_does_not_fit_is_replaced_on_request(tmp_path: Path, undisturbed: Path) -> None:
    run(tmp_path, run_settings(config={"seed": 4}))
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "report.html").write_text("of the old records")
    told, _ = run(tmp_path, run_settings(resume="false"))
    assert len(told.played) == EPISODES
    assert (tmp_path / "notes.txt").read_text() == "mine"
    (tmp_path / "notes.txt").unlink()
    expect_same(tmp_path, undisturbed)


def test_what_fits_is_played_again_only_when_nothing_is_to_be_kept(tmp_path: Path) -> None:
    interrupted(tmp_path, 2)
    told, _ = run(tmp_path, run_settings(resume="true"))
    assert len(told.kept) == 2
    told, _ = run(tmp_path, run_settings(resume="false"))
    assert len(told.played) == EPISODES


@pytest.mark.parametrize(
    ("one", "other", "key"),
    [
        ({"a": 1}, {"a": 1}, None),
        ({"a": 1}, {"a": True}, "a"),
        ({"a": float("nan")}, {"a": float("nan")}, None),
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 3, "b": 1}}, "a.c"),
        ({"a": {"b": 1}, "z": 0}, {"a": {"b": 1}}, "z"),
        ({"a": {"b": 1}}, {"a": None}, "a"),
        ({"b": 1, "a": 1}, {"a": 2, "b": 2}, "a"),
    ],
)
def test_the_first_difference(one: dict[str, Any], other: dict[str, Any], key: str | None) -> None:
    assert first_difference(one, other) == key
