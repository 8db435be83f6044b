"""The command: what it refuses, its exit codes, and that what it proposes can be typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from vla_sim import analyse
from vla_sim.analyse import main, read_words
from vla_sim.configuration import compose, settings_of
from vla_sim.errors import ConfigError


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short trials of few alternatives."""
    few = {"network": ["satellite", "wifi6"], "device": ["orin", "thor"], "deploy": ["cloud", "edge"]}
    monkeypatch.setattr("vla_sim.analysis.changes.TRIAL_S", 20.0)
    monkeypatch.setattr("vla_sim.configuration.groups", lambda: few)


def analysed(folder: Path, *words: str) -> tuple[int, dict[str, Any]]:
    code = main([*words, f"out={folder}"])
    return code, json.loads((folder / "analysis.json").read_text())


def save_network(path: Path, batch: int | str = 1) -> Path:
    """x [batch, 64] times a matrix [64, 32]."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (batch, 64))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(np.zeros((64, 32), np.float32), "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), str(path))
    return path


# Refusals


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["deploy=clod"], "did you mean 'cloud'"),
        (["deploy=edge,cloud"], "has several values"),
        (["-m"], "cannot read '-m'"),
        (["deploy"], "cannot read 'deploy'"),
        (["fail_over_budget=maybe"], "must be true or false"),
        (["model=no/such.onnx"], "there is no file"),
        (["model.percepton=x.onnx"], "did you mean 'perception'"),
        (["shape.x=1x2"], "is of no model"),
        (["model=x.onnx", "shape.x=1xN"], "cannot read the size '1xN'"),
        (["stack.perception.profile=pi1"], "did you mean 'pi0'"),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main([*words, f"out={tmp_path / 'none'}"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1
    assert said in shown.err
    assert not (tmp_path / "none").exists()


def test_help_names_every_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for word in ("model=", "model.STAGE=", "shape.INPUT=", "out=", "fail_over_budget=true"):
        assert word in shown


def test_words_are_sorted() -> None:
    words = read_words(["deploy=cloud", "model.grasp=a.onnx", "model=b.onnx", "shape.x=1X3x8", "out=o"])
    assert words.overrides == ("deploy=cloud",)
    assert words.models == {"grasp": Path("a.onnx"), "perception": Path("b.onnx")}
    assert words.shapes == {"x": (1, 3, 8)}
    assert (words.out, words.fail_over_budget) == (Path("o"), False)


# Whole analyses


def test_everything_on_the_robot_is_over_budget_by_its_queue_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An Orin takes 152 ms for an image, and two are under way: the second waits for the first."""
    code, data = analysed(tmp_path, "deploy=edge", "network=wifi6", "fail_over_budget=true")
    assert code == 0  # an empty deployment would do
    assert data["beyond_reach"] == []
    assert "perception" in data["failing"]
    assert any("robot is offered 3." in line for line in data["warnings"])
    assert "links" not in data["sections"]
    proposals = [row["words"] for row in data["sections"]["changes"]]
    assert "stack.agent.max_in_flight=1" in proposals
    assert "device@devices.robot=thor" in proposals
    for words in proposals[:4]:
        chosen = ["deploy=edge", "network=wifi6", *words.split()]
        settings_of(compose(chosen), chosen)  # it can be typed as it stands
    shown = capsys.readouterr().out
    assert "Over budget: perception on robot" in shown
    assert str(tmp_path / "analysis.md") in shown


def test_code_3_when_even_an_empty_deployment_is_too_slow(tmp_path: Path) -> None:
    words = ("deploy=edge", "stack.perception.profile=pi0@orin_50w")
    code, data = analysed(tmp_path, *words, "fail_over_budget=true")
    assert code == 3
    assert "perception" in data["beyond_reach"]
    (row,) = (row for row in data["sections"]["compute"] if row["stage"] == "perception")
    assert row["network"] == "pi0"


def test_a_given_network_is_counted(tmp_path: Path) -> None:
    path = save_network(tmp_path / "net.onnx", "N")
    _, data = analysed(
        tmp_path, "deploy=edge", "device@devices.robot=native", f"model={path}", "shape.x=5x64"
    )  # fmt: skip
    (row,) = (row for row in data["sections"]["compute"] if row["stage"] == "perception")
    assert row["flops"]["value"] == 2 * 5 * 64 * 32
    assert row["network"] == "net.onnx"


def test_an_open_size_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save_network(tmp_path / "net.onnx", "N")
    assert main([f"model={path}", f"out={tmp_path}"]) == 2
    assert "shape.x: the size of this input is not fixed (N); give shape.x=Nx64" in capsys.readouterr().err


def test_a_network_named_in_the_stack_is_found() -> None:
    plain = {"stack": {"perception": {"_target_": "m.Net", "weights": "nets/eye.onnx"}, "grasp": None}}
    assert dict(analyse._named_in(plain, ("perception", "grasp"))) == {"perception": Path("nets/eye.onnx")}


def test_a_stage_without_a_profile_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["deploy=edge", "~devices.robot.profiles.grasp", f"out={tmp_path / 'o'}"]) == 2
    assert "cannot read" in capsys.readouterr().err


def test_scenario_holds_what_a_run_would_use() -> None:
    words = ["deploy=cloud", "network=5g", "cameras.rate_hz=10"]
    plain, what = analyse.scenario_of(words)
    settings = settings_of(compose(words), words)
    assert what.deployment == settings.episode.deployment
    assert what.agent == settings.episode.agent
    assert what.budget == settings.budget
    assert what.cameras.rate_hz == 10
    assert what.control_rate_hz == plain["env"]["control_rate_hz"]


def test_errors_of_the_configuration_are_its_own() -> None:
    with pytest.raises(ConfigError, match="there is no choice"):
        analyse.scenario_of(["network=6g"])
