"""Work and memory of a neural network, counted from its ONNX graph: nothing is run and no weights are read."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vla_sim.analysis.operators import Shape, check_standard, elements, is_product, operations
from vla_sim.errors import ConfigError, nearest

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Work:
    """One inference of a network."""

    flops: float
    products: float  # of these, in products of matrices and convolutions
    by_operator: dict[str, float]  # FLOPs by kind of node, most first
    parameters: int
    weight_bytes: int
    activation_bytes: int  # most that are alive at once, inputs included; no tensor takes the place of another
    inputs: dict[str, Shape]
    file: str

    @property
    def memory_gb(self) -> float:
        """Weights and activations."""
        return (self.weight_bytes + self.activation_bytes) / 1e9


@dataclass
class _Tally:
    by_operator: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    products: float = 0.0

    def add(self, kind: str, flops: float) -> None:
        if flops:
            self.by_operator[kind] += flops
        self.products += flops * is_product(kind)

    @property
    def flops(self) -> float:
        return sum(self.by_operator.values())

    def take(self, other: _Tally) -> None:
        for kind, flops in other.by_operator.items():
            self.by_operator[kind] += flops
        self.products += other.products


def count(path: Path, shapes: Mapping[str, Shape] | None = None) -> Work:
    """The work of one inference. `shapes` fixes inputs whose size the file leaves open.

    Raises ConfigError for a file that is no ONNX graph, and for a size that is not known, naming the input.
    """
    graph = _with_shapes(_load(path), dict(shapes or {}))
    known = _Known(graph)
    tally = _Tally()
    activations = _walk(graph, known, tally, 1.0)
    weights = [*graph.initializer, *(item.values for item in graph.sparse_initializer)]
    return Work(
        flops=tally.flops,
        products=tally.products,
        by_operator=dict(sorted(tally.by_operator.items(), key=lambda item: -item[1])),
        parameters=sum(math.prod(weight.dims) for weight in weights),
        weight_bytes=sum(math.ceil(math.prod(w.dims) * _element_bytes(w.data_type)) for w in weights),
        activation_bytes=activations,
        inputs={item.name: known.shape(item.name, "the graph") for item in _inputs(graph)},
        file=path.name,
    )


# -- reading ----------------------------------------------------------------------------------------------------


def _load(path: Path) -> onnx.ModelProto:
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from onnx.inliner import inline_local_functions

    if not path.is_file():
        raise ConfigError("model", f"there is no file {str(path)!r}", "give the path of an ONNX file")
    try:
        model = onnx.load(str(path), load_external_data=False)
    except (DecodeError, OSError, ValueError) as error:
        raise ConfigError("model", f"{path.name} cannot be read as ONNX", str(error).splitlines()[0]) from None
    if not model.graph.node:
        raise ConfigError("model", f"{path.name} holds no ONNX graph")
    return inline_local_functions(model) if model.functions else model


def _inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """What is fed in: inputs that are not weights."""
    weights = {weight.name for weight in graph.initializer}
    return [item for item in graph.input if item.name not in weights]


def _with_shapes(model: onnx.ModelProto, shapes: dict[str, Shape]) -> onnx.GraphProto:
    """The graph with the shape of every tensor, given those of its inputs."""
    import onnx

    names = [item.name for item in _inputs(model.graph)]
    for name in shapes:
        if name not in names:
            raise ConfigError(f"shape.{name}", "the model has no such input", nearest(name, names))
    for item in _inputs(model.graph):
        _fix(item, shapes.get(item.name))
    del model.graph.value_info[:]  # what an exporter wrote there may speak of other sizes
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    try:
        return onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    except onnx.shape_inference.InferenceError as error:
        reason = " ".join(str(error).split())
        raise ConfigError("model", f"its shapes do not fit together: {reason}", "check the shapes given") from None


def _fix(item: onnx.ValueInfoProto, shape: Shape | None) -> None:
    """Write the given shape into an input, or see that it has one."""
    kind = item.type.tensor_type
    was = [dim.dim_value if dim.HasField("dim_value") else dim.dim_param or "?" for dim in kind.shape.dim]
    example = "x".join(str(dim) if isinstance(dim, int) else "N" for dim in was) or "1x3x224x224"
    if shape is None:
        open_dims = [str(dim) for dim in was if not isinstance(dim, int) or dim <= 0]
        if open_dims or not kind.HasField("shape"):
            problem = f"the size of this input is not fixed ({', '.join(open_dims) or 'no shape at all'})"
            raise ConfigError(f"shape.{item.name}", problem, f"give shape.{item.name}={example} with numbers")
        return
    clash = len(was) != len(shape) or any(isinstance(a, int) and a != b for a, b in zip(was, shape, strict=True))
    if kind.HasField("shape") and clash:
        given = "x".join(map(str, shape))
        raise ConfigError(f"shape.{item.name}", f"{given} does not fit the model's {example}")
    del kind.shape.dim[:]
    for size in shape:
        kind.shape.dim.add().dim_value = size


class _Known:
    """Shapes and types of a graph's tensors, those of the graphs around it included."""

    def __init__(self, graph: onnx.GraphProto, outer: _Known | None = None) -> None:
        self._outer = outer
        self._types = {item.name: item.type.tensor_type for item in (*graph.input, *graph.value_info, *graph.output)}
        self._weights = {weight.name: weight for weight in graph.initializer}

    def shape(self, name: str, node: str) -> Shape:
        """Raises ConfigError naming the node when it depends on the data."""
        if name in self._weights:
            return tuple(self._weights[name].dims)
        kind = self._types.get(name)
        if kind is None and self._outer is not None:
            return self._outer.shape(name, node)
        dims = [] if kind is None else list(kind.shape.dim)
        if kind is None or not kind.HasField("shape") or not all(dim.HasField("dim_value") for dim in dims):
            problem = f"the size of {name!r} at {node} is not known before it runs"
            raise ConfigError("model", problem, "export the graph with fixed shapes")
        return tuple(dim.dim_value for dim in dims)

    def n_bytes(self, name: str, node: str) -> float:
        """Of a tensor that is no weight."""
        kind = self._types.get(name)
        if kind is None:
            return 0.0 if self._outer is None else self._outer.n_bytes(name, node)
        return elements(self.shape(name, node)) * _element_bytes(kind.elem_type)


def _element_bytes(data_type: int) -> float:
    """Packed types of less than a byte included; a string counts as its reference."""
    import onnx

    name = onnx.TensorProto.DataType.Name(data_type)
    if name in ("INT4", "UINT4", "FLOAT4E2M1"):
        return 0.5
    if name in ("INT2", "UINT2"):
        return 0.25
    if name in ("STRING", "UNDEFINED"):
        return 8.0
    return float(onnx.helper.tensor_dtype_to_np_dtype(data_type).itemsize)


# -- walking ----------------------------------------------------------------------------------------------------


def _walk(graph: onnx.GraphProto, known: _Known, tally: _Tally, times: float) -> int:
    """Add the work of a graph that runs `times`; returns the most bytes of activations alive at once."""
    last_use = {name: i for i, node in enumerate(graph.node) for name in _reads(node)}
    kept = {item.name for item in graph.output}
    alive = {item.name: known.n_bytes(item.name, "the graph") for item in _inputs(graph)}
    most = sum(alive.values())
    for i, node in enumerate(graph.node):
        label = f"{node.op_type} {node.name!r}" if node.name else f"{node.op_type} {i}"
        check_standard(node.op_type, node.domain)
        inner = _nested(node, known, tally, times, label)
        if inner is None:
            ins = [known.shape(name, label) if name else None for name in node.input]
            outs = [known.shape(name, label) if name else None for name in node.output]
            tally.add(node.op_type, operations(node.op_type, ins, outs, _attributes(node)) * times)
        alive |= {name: known.n_bytes(name, label) for name in node.output if name}
        most = max(most, sum(alive.values()) + (inner or 0))
        for name in [name for name in alive if last_use.get(name, -1) <= i and name not in kept]:
            del alive[name]
    return math.ceil(most)


def _reads(node: onnx.NodeProto) -> Iterator[str]:
    """Names a node reads, by graphs inside it too."""
    yield from node.input
    for attribute in node.attribute:
        for inner in attribute.g.node:
            yield from _reads(inner)


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    from onnx.helper import get_attribute_value

    return {attribute.name: get_attribute_value(attribute) for attribute in node.attribute}


def _nested(node: onnx.NodeProto, known: _Known, tally: _Tally, times: float, label: str) -> int | None:
    """Work of the graphs inside a node: the heavier branch of an If, a Scan's body for each turn.

    Returns the activations they need; None for a node without any.
    """
    bodies = [attribute.g for attribute in node.attribute if attribute.g.node]
    if not bodies:
        return None
    if node.op_type == "If":
        tallies = [_Tally() for _ in bodies]
        needs = [_walk(body, _Known(body, known), own, times) for body, own in zip(bodies, tallies, strict=True)]
        tally.take(max(tallies, key=lambda own: own.flops))
        return max(needs)
    if node.op_type != "Scan":  # it takes one slice of its last input in each turn
        raise ConfigError("model", f"how often {label} runs is not known before it runs", "export it unrolled")
    axis = [*_attributes(node).get("scan_input_axes", [0])][-1]
    turns = known.shape(node.input[-1], label)[axis]
    return _walk(bodies[0], _Known(bodies[0], known), tally, times * turns)
