"""The command: what it refuses and how, and one small measurement from the command line to a profile in use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from vla_sim import profile
from vla_sim.deployment.profile import Device
from vla_sim.profile import NAMES, Request, parse
from vla_sim.profiles.library import names, resolve
from vla_sim.profiles.recording import STAGES, Log


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["percption"], "stage: unknown 'percption'; did you mean 'perception'?"),
        (["perception", "--lst"], "command line: unknown option '--lst'; there are --list and --help"),
        (["perception", "calls=0"], "calls: must be a whole number of at least 1, got '0'"),
        (["perception", "calls=ten"], "calls: must be a whole number of at least 1, got 'ten'"),
        (["perception", "seconds=-1"], "seconds: must be a positive number, got '-1'"),
        (["perception", "seconds=soon"], "seconds: must be a positive number, got 'soon'"),
        (["perception", "seconds=inf"], "seconds: must be a positive number, got 'inf'"),
        (["perception", "out=file.txt"], "out: must be a file that ends in .yaml, got 'file.txt'"),
        (["all", "out=file.yaml"], "out: must be a folder, for a file each stage, got 'file.yaml'"),
        (["env=reach"], "stage: name a stage or a model=FILE.onnx; stages are intent,"),
        (["perception", "model=net.onnx"], "stage: name a stage or a model=FILE.onnx"),
        (["model=net.onnx", "env=reach"], "env: means nothing for a model file"),
        (["perception", "dim.batch=2"], "dim.batch: is for a model=FILE.onnx"),
        (["model=net.onnx", "dim.batch=x"], "dim.batch: must be a whole number"),
        (["model=nowhere.onnx"], "model: there is no file nowhere.onnx"),
        (["perception", "env=raech"], "env: there is no choice 'raech'; did you mean 'reach'?"),
        (["perception", "episods=1"], "episods: there is no such key; did you mean 'episodes'?"),
        (["perception", "episodes=0"], "episodes: at least one is needed, got 0"),
    ],
)
def test_bad_input_ends_with_one_line_and_code_2(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert profile.main(words) == 2
    shown = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(shown) == 1
    assert shown[0].startswith(f"error: {message}")


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert profile.main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in (*NAMES, "model=FILE.onnx", "--list", "calls=", "seconds=", "out="))
    assert profile.main([]) == 2


def test_the_list_names_everything_in_the_library(capsys: pytest.CaptureFixture[str]) -> None:
    assert profile.main(["--list"]) == 0
    shown = capsys.readouterr().out
    for group in names().values():
        assert all(name in shown for name in group)


def test_what_is_not_its_own_goes_to_the_configuration() -> None:
    words = ["perception", "grasp", "calls=7", "seconds=2.5", "env=fetch", "stack.perception.predict=true", "out=here"]
    request = parse(words)
    assert request.stages == ("perception", "grasp")
    assert request.overrides == ("env=fetch", "stack.perception.predict=true")
    assert (request.calls, request.seconds, request.out) == (7, 2.5, Path("here"))
    assert request.file("grasp") == Path("here/grasp.yaml")
    assert request.command == "python -m vla_sim.profile " + " ".join(words)


def test_a_stage_is_played_in_a_task_that_asks_for_it() -> None:
    tasks = profile._tasks(parse(["all"]))
    assert tasks == [
        ((profile.EPISODES,), [name for name in NAMES if name != "navigation"]),
        ((profile.EPISODES, "env=navigate"), ["navigation"]),
    ]
    assert profile._tasks(parse(["all", "env=fetch", "episodes=1"])) == [(("env=fetch", "episodes=1"), list(NAMES))]


def test_a_task_that_never_asks_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def silent(words: Any, names: Any) -> tuple[None, dict[str, Log]]:
        return None, {name: Log(STAGES[name]) for name in names}

    monkeypatch.setattr(profile, "record", silent)
    assert profile.main(["navigation", "env=pick_place"]) == 2
    shown = capsys.readouterr().err
    assert "stage: navigation is never asked in this task; env=navigate and env=fetch ask for the way" in shown


def test_an_interrupt_ends_with_its_own_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(request: Request) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(profile, "measure", interrupted)
    assert profile.main(["intent"]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_from_the_command_line_to_a_profile_in_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "intent.yaml"
    words = ["intent", "calls=25", "env=reach", "episodes=2", f"out={path}"]
    assert profile.main(words) == 0
    shown = capsys.readouterr().err
    assert "intent" in shown
    assert str(path) in shown
    kept = yaml.safe_load(path.read_text())
    assert kept["command"] == f"python -m vla_sim.profile {' '.join(words)}"
    assert (kept["inputs"], kept["default"]["warm"]["calls"], kept["one_thread"]["threads_asked"]) == (2, 26, 1)
    assert kept["default"]["load_ms"] > kept["default"]["first_call_ms"] > 0
    found = resolve(str(path), Device("robot"))
    assert found.provenance == "measured here"
    assert 0.01 < found.p50_ms < 100
