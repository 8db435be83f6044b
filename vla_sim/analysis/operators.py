"""How many floating-point operations one node of an ONNX graph takes, from the shapes of what goes in and out.

A multiplication with its addition counts as two. Element by element, each element counts as one operation for each pass
over it (`PASSES`); what only moves data counts as none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vla_sim.errors import ConfigError

Shape = tuple[int, ...]
Shapes = Sequence[Shape | None]  # None = an optional input that is left out
Rule = Callable[[Shapes, Shapes, Mapping[str, Any]], float]

STANDARD_DOMAINS = ("", "ai.onnx")
MOVES = {
    "Cast", "CastLike", "CenterCropPad", "Compress", "Concat", "ConcatFromSequence", "Constant", "ConstantOfShape",
    "DepthToSpace", "Dropout", "Expand", "EyeLike", "Flatten", "Gather", "GatherElements", "GatherND", "Identity",
    "NonZero", "OneHot", "Pad", "Range", "Reshape", "Resize", "ReverseSequence", "ScatterElements", "ScatterND",
    "Scatter", "Shape", "Size", "Slice", "SpaceToDepth", "Split", "Squeeze", "TensorScatter", "Tile", "Transpose",
    "Trilu", "Unique", "Unsqueeze", "Upsample",
}  # fmt: skip
PASSES = {  # over the elements of the output
    "BatchNormalization": 2,
    "Elu": 2,
    "Gelu": 4,
    "GroupNormalization": 7,
    "HardSigmoid": 3,
    "HardSwish": 4,
    "InstanceNormalization": 7,
    "LayerNormalization": 7,
    "LogSoftmax": 5,
    "Mish": 4,
    "RMSNormalization": 5,
    "RotaryEmbedding": 3,
    "Sigmoid": 3,
    "Softmax": 5,
    "Softplus": 3,
    "Swish": 4,
    "Tanh": 4,
}


def elements(shape: Shape | None) -> int:
    """How many a tensor has; none when it is not there."""
    return 0 if shape is None else math.prod(shape)


def check_standard(kind: str, domain: str) -> None:
    """Raise ConfigError for an operator that is not of the ONNX standard: counted as nothing, it would be hidden."""
    if domain not in STANDARD_DOMAINS:
        problem = f"holds an operator {domain}:{kind}, whose work is not known"
        raise ConfigError("model", problem, "export it with standard operators")


def operations(kind: str, ins: Shapes, outs: Shapes, attributes: Mapping[str, Any]) -> float:
    """Of one node, in FLOPs."""
    if kind in PRODUCTS:
        return PRODUCTS[kind](ins, outs, attributes)
    return 0.0 if kind in MOVES else _by_element(kind, ins, outs, attributes)


def is_product(kind: str) -> bool:
    """Whether an operator multiplies matrices, which is what accelerators are built for."""
    return kind in PRODUCTS


def _by_element(kind: str, ins: Shapes, outs: Shapes, attributes: Mapping[str, Any]) -> float:
    if kind in ("AveragePool", "MaxPool", "LpPool"):
        return float(elements(outs[0]) * math.prod(attributes["kernel_shape"]))
    if kind.startswith(("Reduce", "Global", "Arg", "Cum")) or kind in ("TopK", "NonMaxSuppression", "Mean", "Sum"):
        return float(sum(elements(shape) for shape in ins))
    return float(PASSES.get(kind, 1) * elements(outs[0]))


# -- products ---------------------------------------------------------------------------------------------------


def _there(shapes: Shapes, index: int) -> Shape:
    shape = shapes[index]
    assert shape is not None, "a required tensor"
    return shape


def _matmul(ins: Shapes, outs: Shapes, _: Mapping[str, Any]) -> float:
    return 2.0 * elements(outs[0]) * _there(ins, 0)[-1]


def _gemm(ins: Shapes, outs: Shapes, attributes: Mapping[str, Any]) -> float:
    inner = _there(ins, 0)[0 if attributes.get("transA", 0) else 1]
    bias = elements(outs[0]) if len(ins) > 2 and ins[2] is not None else 0
    return 2.0 * elements(outs[0]) * inner + bias


def _conv(weight: int, bias: int) -> Rule:
    """Weights are [outputs, inputs / groups, kernel ...]; `weight` and `bias` are their places among the inputs."""

    def rule(ins: Shapes, outs: Shapes, _: Mapping[str, Any]) -> float:
        added = elements(outs[0]) if len(ins) > bias and ins[bias] is not None else 0
        return 2.0 * elements(outs[0]) * math.prod(_there(ins, weight)[1:]) + added

    return rule


def _conv_transpose(ins: Shapes, outs: Shapes, _: Mapping[str, Any]) -> float:
    # Every element of the input is multiplied with the kernels of all outputs of its group.
    added = elements(outs[0]) if len(ins) > 2 and ins[2] is not None else 0
    return 2.0 * elements(ins[0]) * math.prod(_there(ins, 1)[1:]) + added


def _recurrent(ins: Shapes, _: Shapes, __: Mapping[str, Any]) -> float:
    steps = math.prod(_there(ins, 0)[:2])  # time and batch, in either order
    return 2.0 * steps * (elements(ins[1]) + elements(ins[2]))


def _attention(ins: Shapes, _: Shapes, attributes: Mapping[str, Any]) -> float:
    """Scores, softmax and the weighted sum of values; a cache of keys that goes in makes the sequence longer."""
    query, key, value = (_there(ins, i) for i in range(3))
    batch, queries = query[0], query[-2]
    heads = query[1] if len(query) == 4 else int(attributes["q_num_heads"])
    of_keys = key[1] if len(key) == 4 else int(attributes["kv_num_heads"])
    depth = query[-1] if len(query) == 4 else query[-1] // heads
    value_depth = value[-1] if len(value) == 4 else value[-1] // of_keys
    past = ins[4] if len(ins) > 4 else None
    keys = key[-2] + (0 if past is None else past[-2])
    return float(batch * heads * queries * keys * (2 * depth + 2 * value_depth + PASSES["Softmax"]))


def _einsum(ins: Shapes, _: Shapes, attributes: Mapping[str, Any]) -> float:
    equation = attributes["equation"]
    equation = (equation.decode() if isinstance(equation, bytes) else str(equation)).replace(" ", "")
    if "." in equation:
        raise ConfigError("model", f"has an Einsum of {equation!r}, which cannot be counted", "write out its axes")
    sizes = {
        axis: size
        for axes, shape in zip(equation.split("->")[0].split(","), ins, strict=True)
        for axis, size in zip(axes, shape or (), strict=True)
    }
    return float(len(ins) * math.prod(sizes.values()))


PRODUCTS: dict[str, Rule] = {
    "Attention": _attention,
    "Conv": _conv(1, 2),
    "ConvInteger": _conv(1, 99),
    "ConvTranspose": _conv_transpose,
    "DeformConv": _conv(1, 3),
    "Einsum": _einsum,
    "GRU": _recurrent,
    "Gemm": _gemm,
    "LSTM": _recurrent,
    "MatMul": _matmul,
    "MatMulInteger": _matmul,
    "QLinearConv": _conv(3, 8),
    "QLinearMatMul": _matmul,
    "RNN": _recurrent,
}
