"""An ONNX file as something to time: a session of onnxruntime, and random inputs of the shapes it asks for."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vla_sim.errors import ConfigError, nearest
from vla_sim.profiles.bench import Call, Job
from vla_sim.rng import stream

KINDS = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
}


class OnnxStage:
    """One inference of a model file on the processor. Threads are onnxruntime's choice, or those it is told."""

    def __init__(self, path: str, threads: int | None = None) -> None:
        runtime = _runtime()
        options = runtime.SessionOptions()
        if threads is not None:
            options.intra_op_num_threads = options.inter_op_num_threads = threads
        try:
            self.session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001 - onnxruntime raises what pybind made of a C++ exception
            raise ConfigError("model", f"{path} cannot be loaded: {str(error).splitlines()[0]}") from None

    def __call__(self, inputs: dict[str, Any]) -> list[Any]:
        found: list[Any] = self.session.run(None, inputs)
        return found


def _runtime() -> Any:
    if importlib.util.find_spec("onnxruntime") is None:
        raise ConfigError("model", "onnxruntime is not installed, which runs .onnx files", "pip install onnxruntime")
    return importlib.import_module("onnxruntime")


def random_inputs(session: Any, dims: Mapping[str, int], seed: int = 0) -> dict[str, Any]:
    """One input of each tensor the session asks for: normal numbers, zeros for whole ones (they are mostly indices).

    A dimension without a size takes it from `dims` by its name, else 1. Raises ConfigError for a kind of tensor that
    is not known, and for a name in `dims` that the model does not have.
    """
    rng = stream(seed, 0, "profile/onnx")
    wanted = list(session.get_inputs())
    free = {size for tensor in wanted for size in tensor.shape if isinstance(size, str)}
    for name in dims:
        if name not in free:
            hint = nearest(name, free) if free else "all its dimensions are fixed"
            raise ConfigError(f"dim.{name}", "the model has no such free dimension", hint)
    inputs: dict[str, Any] = {}
    for tensor in wanted:
        if tensor.type not in KINDS:
            raise ConfigError(
                "model", f"its input {tensor.name!r} is a {tensor.type}", "only plain tensors can be made"
            )
        shape = [size if isinstance(size, int) else dims.get(size or "", 1) for size in tensor.shape]
        kind = KINDS[tensor.type]
        whole = not np.issubdtype(kind, np.floating)
        inputs[tensor.name] = np.zeros(shape, kind) if whole else rng.standard_normal(shape).astype(kind)
    return inputs


def prepare(threads: int | None, path: str) -> Callable[[], OnnxStage]:
    """`Job.prepare`: what loads the file."""
    return partial(OnnxStage, path, threads)


def onnx_job(path: Path, dims: Mapping[str, int], wanted: int, limit_s: float) -> Job:
    """A job that times a model file with one set of random inputs. Raises ConfigError when it cannot be loaded."""
    if not path.is_file():
        raise ConfigError("model", f"there is no file {path}")
    inputs = random_inputs(OnnxStage(str(path)).session, dims)
    return Job(prepare, (str(path),), (Call("__call__", (inputs,)),), wanted=wanted, limit_s=limit_s)
