from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vla_sim.errors import ConfigError
from vla_sim.profiles import onnx_file
from vla_sim.profiles.bench import run


class Session:
    """As onnxruntime's: a picture of any number of rows, and words."""

    def __init__(self, path: str, options: Any, providers: list[str]) -> None:
        if Path(path).read_bytes() != b"a model":
            raise RuntimeError("INVALID_PROTOBUF : no model\nmore")
        self.threads = options.intra_op_num_threads
        self.runs: list[dict[str, Any]] = []

    def get_inputs(self) -> list[Any]:
        return [
            SimpleNamespace(name="image", type="tensor(float)", shape=["batch", 3, "rows", 4]),
            SimpleNamespace(name="words", type="tensor(int64)", shape=[1, None]),
        ]

    def run(self, names: None, inputs: dict[str, Any]) -> list[Any]:
        self.runs.append(inputs)
        return [inputs["image"].sum()]


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model file, and something that runs it."""
    runtime = ModuleType("onnxruntime")
    runtime.__spec__ = importlib.util.spec_from_loader("onnxruntime", None)
    options = SimpleNamespace(intra_op_num_threads=0, inter_op_num_threads=0)
    vars(runtime).update(SessionOptions=lambda: options, InferenceSession=Session)
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    path = tmp_path / "net.onnx"
    path.write_bytes(b"a model")
    return path


def test_inputs_have_the_shapes_that_are_asked_for(model: Path) -> None:
    stage = onnx_file.OnnxStage(str(model), threads=1)
    inputs = onnx_file.random_inputs(stage.session, {"rows": 5})
    assert stage.session.threads == 1
    assert inputs["image"].shape == (1, 3, 5, 4)
    assert inputs["image"].dtype == np.float32
    assert 0.5 < inputs["image"].std() < 1.5
    assert (inputs["words"].shape, inputs["words"].dtype) == ((1, 1), np.int64)
    again = onnx_file.random_inputs(stage.session, {"rows": 5})
    np.testing.assert_array_equal(inputs["image"], again["image"])


def test_a_file_is_a_job(model: Path) -> None:
    found = run(onnx_file.onnx_job(model, {"batch": 2}, wanted=30, limit_s=5.0))
    assert found.warm.calls == 30


@pytest.mark.parametrize(
    ("dims", "message"),
    [({"row": 5}, "dim.row: the model has no such free dimension; did you mean 'rows'? (batch, rows)")],
)
def test_an_unknown_dimension_is_refused(model: Path, dims: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        onnx_file.onnx_job(model, dims, wanted=1, limit_s=1.0)
    assert str(caught.value) == message


def test_a_file_that_is_no_model_is_refused_in_one_line(model: Path) -> None:
    model.write_bytes(b"something else")
    with pytest.raises(ConfigError) as caught:
        onnx_file.onnx_job(model, {}, wanted=1, limit_s=1.0)
    assert str(caught.value) == f"model: {model} cannot be loaded: INVALID_PROTOBUF : no model"


def test_a_tensor_of_an_unknown_kind_is_refused() -> None:
    strange = SimpleNamespace(get_inputs=lambda: [SimpleNamespace(name="text", type="tensor(string)", shape=[1])])
    with pytest.raises(ConfigError, match=r"its input 'text' is a tensor\(string\)"):
        onnx_file.random_inputs(strange, {})


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no file"):
        onnx_file.onnx_job(tmp_path / "net.onnx", {}, wanted=1, limit_s=1.0)


def test_without_onnxruntime_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="onnxruntime is not installed, which runs"):
        onnx_file.OnnxStage("net.onnx")
