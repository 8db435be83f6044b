"""Work counted from ONNX graphs built by hand, against closed forms and against counting the multiplications."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from vla_sim.analysis.flops import Work, count
from vla_sim.errors import ConfigError

FLOAT, HALF, INT64 = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT64
Shape = Sequence[int | str]


def save(
    folder: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Shape],
    outputs: Sequence[str],
    weights: Mapping[str, Any] | None = None,
    opset: int = 23,
) -> Path:
    """A model of these nodes; the shapes of its outputs are left to be inferred."""
    held = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in (weights or {}).items()]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs],
        held,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    path = folder / "model.onnx"
    onnx.save(model, str(path))
    return path


def one(folder: Path, kind: str, ins: Mapping[str, Shape], weights: Mapping[str, Any], **attributes: Any) -> Work:
    """A model of one node."""
    node = helper.make_node(kind, [*ins, *weights], ["y"], **attributes)
    return count(save(folder, [node], ins, ["y"], weights))


def zeros(*shape: int) -> Any:
    return np.zeros(shape, np.float32)


# Closed forms


def test_gemm(tmp_path: Path) -> None:
    work = one(tmp_path, "Gemm", {"a": (4, 5)}, {"b": zeros(5, 7), "c": zeros(7)})
    assert work.flops == 2 * 4 * 5 * 7 + 4 * 7
    assert (work.parameters, work.weight_bytes) == (35 + 7, 4 * 42)
    assert work.inputs == {"a": (4, 5)}
    turned = one(tmp_path, "Gemm", {"a": (5, 4)}, {"b": zeros(7, 5)}, transA=1, transB=1)
    assert turned.flops == 2 * 4 * 5 * 7


@pytest.mark.parametrize(
    ("a", "b", "flops"),
    [
        ((3, 4), (4, 5), 2 * 3 * 4 * 5),
        ((2, 8, 3, 4), (2, 8, 4, 5), 2 * 16 * 3 * 4 * 5),
        ((2, 1, 3, 4), (8, 4, 5), 2 * 16 * 3 * 4 * 5),  # one batch is stretched over the other
        ((4,), (4, 5), 2 * 4 * 5),
        ((3, 4), (4,), 2 * 3 * 4),
        ((4,), (4,), 2 * 4),
    ],
)
def test_matmul(tmp_path: Path, a: Shape, b: Shape, flops: int) -> None:
    node = helper.make_node("MatMul", ["a", "b"], ["y"])
    assert count(save(tmp_path, [node], {"a": a, "b": b}, ["y"])).flops == flops


@settings(max_examples=25, deadline=None)
@given(
    batch=st.integers(1, 3), groups=st.integers(1, 3), per_in=st.integers(1, 3), per_out=st.integers(1, 3),
    side=st.integers(5, 11), kernel=st.integers(1, 4), stride=st.integers(1, 3), pad=st.integers(0, 2),
    dilation=st.integers(1, 2), biased=st.booleans(),
)  # fmt: skip
def test_conv_against_counting_its_windows(
    tmp_path_factory: pytest.TempPathFactory, batch: int, groups: int, per_in: int, per_out: int, side: int,
    kernel: int, stride: int, pad: int, dilation: int, biased: bool,
) -> None:  # fmt: skip
    """One multiplication with its addition for each output, input channel of its group, and kernel position."""
    reach = dilation * (kernel - 1) + 1
    starts = [x for x in range(-pad, side + pad, stride) if x + reach <= side + pad]
    if not starts:
        return
    weights = {"w": zeros(groups * per_out, per_in, kernel, kernel)}
    weights |= {"b": zeros(groups * per_out)} if biased else {}
    work = one(
        tmp_path_factory.mktemp("conv"), "Conv", {"x": (batch, groups * per_in, side, side)}, weights, group=groups,
        strides=[stride, stride], pads=[pad] * 4, dilations=[dilation, dilation],
    )  # fmt: skip
    outputs = batch * groups * per_out * len(starts) ** 2
    assert work.flops == outputs * (2 * per_in * kernel**2 + biased)
    assert work.products == work.flops


def test_transposed_conv_is_as_much_work_as_the_conv_it_turns_round(tmp_path: Path) -> None:
    """From [1, 6, 9, 9] to [1, 4, 4, 4] with stride 2, and back: the same multiplications."""
    there = one(tmp_path, "Conv", {"x": (1, 6, 9, 9)}, {"w": zeros(4, 3, 3, 3)}, group=2, strides=[2, 2])
    back = one(tmp_path, "ConvTranspose", {"x": (1, 4, 4, 4)}, {"w": zeros(4, 3, 3, 3)}, group=2, strides=[2, 2])
    assert there.flops == back.flops == 2 * 4 * 16 * 3 * 9


def test_attention_is_two_products_and_a_softmax(tmp_path: Path) -> None:
    """The operator, and the same written out, agree but for the scaling."""
    b, h, n, m, d = 2, 3, 5, 7, 8
    shapes = {"q": (b, h, n, d), "k": (b, h, m, d), "v": (b, h, m, d)}
    whole = count(save(tmp_path, [helper.make_node("Attention", [*shapes], ["y"])], shapes, ["y"]))
    assert whole.flops == b * h * n * m * (2 * d + 2 * d + 5)
    parts = [
        helper.make_node("Transpose", ["k"], ["t"], perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", ["q", "t"], ["s"]),
        helper.make_node("Softmax", ["s"], ["p"]),
        helper.make_node("MatMul", ["p", "v"], ["y"]),
    ]
    assert count(save(tmp_path, parts, shapes, ["y"])).flops == whole.flops


def test_attention_over_three_axes_with_fewer_heads_for_keys(tmp_path: Path) -> None:
    shapes = {"q": (2, 5, 24), "k": (2, 7, 8), "v": (2, 7, 8)}
    node = helper.make_node("Attention", [*shapes], ["y"], q_num_heads=3, kv_num_heads=1)
    assert count(save(tmp_path, [node], shapes, ["y"])).flops == 2 * 3 * 5 * 7 * (2 * 8 + 2 * 8 + 5)


def test_einsum_is_the_product_it_writes(tmp_path: Path) -> None:
    node = helper.make_node("Einsum", ["a", "b"], ["y"], equation="bik,bkj->bij")
    assert count(save(tmp_path, [node], {"a": (2, 3, 4), "b": (2, 4, 5)}, ["y"])).flops == 2 * 2 * 3 * 4 * 5


def test_recurrent_layers_multiply_their_weights_at_every_step(tmp_path: Path) -> None:
    weights = {"w": zeros(1, 4 * 6, 5), "r": zeros(1, 4 * 6, 6)}
    work = one(tmp_path, "LSTM", {"x": (7, 2, 5)}, weights, hidden_size=6)
    assert work.flops == 2 * 7 * 2 * (4 * 6 * 5 + 4 * 6 * 6)


def test_what_moves_data_is_free_and_elements_count_once(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"]),
        helper.make_node("Relu", ["t"], ["r"]),
        helper.make_node("MaxPool", ["r4"], ["y"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Unsqueeze", ["r", "axes"], ["r4"]),
    ]
    order = [nodes[0], nodes[1], nodes[3], nodes[2]]
    work = count(save(tmp_path, order, {"x": (4, 6)}, ["y"], {"axes": np.array([0, 1])}))
    assert work.by_operator == {"Relu": 24.0, "MaxPool": 6 * 4.0}
    assert work.products == 0


# Memory


def test_activations_are_those_alive_together(tmp_path: Path) -> None:
    """x 10 -> a 1000 -> b 1000 -> y 10: a and b are alive together, x no more."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("MatMul", ["b", "v"], ["y"]),
    ]
    path = save(tmp_path, nodes, {"x": (1, 10)}, ["y"], {"w": zeros(10, 1000), "v": zeros(1000, 10)})
    work = count(path)
    assert work.activation_bytes == 4 * 2000
    assert work.memory_gb == pytest.approx((4 * 20_000 + 4 * 2000) / 1e9)


def test_weights_take_the_bytes_of_their_type(tmp_path: Path) -> None:
    node = helper.make_node("Cast", ["w"], ["f"], to=FLOAT)
    add = helper.make_node("Add", ["x", "f"], ["y"])
    path = save(tmp_path, [node, add], {"x": (3, 5)}, ["y"], {"w": np.zeros((3, 5), np.float16)})
    assert count(path).weight_bytes == 2 * 15


# Sizes


def test_an_open_size_is_refused_by_name_and_can_be_given(tmp_path: Path) -> None:
    node = helper.make_node("MatMul", ["pixels", "w"], ["y"])
    path = save(tmp_path, [node], {"pixels": ("batch", "tokens", 16)}, ["y"], {"w": zeros(16, 4)})
    with pytest.raises(ConfigError, match=r"shape\.pixels: the size .* \(batch, tokens\).*give shape\.pixels=NxNx16"):
        count(path)
    assert count(path, {"pixels": (2, 10, 16)}).flops == 2 * 2 * 10 * 16 * 4


def test_a_size_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    node = helper.make_node("MatMul", ["pixels", "w"], ["y"])
    path = save(tmp_path, [node], {"pixels": ("batch", 16)}, ["y"], {"w": zeros(16, 4)})
    with pytest.raises(ConfigError, match=r"shape\.pixels: 2x15 does not fit the model's Nx16"):
        count(path, {"pixels": (2, 15)})
    with pytest.raises(ConfigError, match=r"shape\.pixel: the model has no such input; did you mean 'pixels'"):
        count(path, {"pixel": (2, 16)})


def test_a_size_known_only_when_it_runs_is_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("NonZero", ["x"], ["i"]), helper.make_node("Cast", ["i"], ["y"], to=FLOAT)]
    with pytest.raises(ConfigError, match=r"size of 'i' at NonZero 0 is not known before it runs"):
        count(save(tmp_path, nodes, {"x": (3, 4)}, ["y"]))


def test_an_operator_outside_the_standard_is_refused_not_counted_as_nothing(tmp_path: Path) -> None:
    node = helper.make_node("MagicMatMul", ["x"], ["y"], domain="com.magic")
    graph = helper.make_graph(
        [node],
        "graph",
        [helper.make_tensor_value_info("x", FLOAT, (2, 3))],
        [helper.make_tensor_value_info("y", FLOAT, (2, 3))],
        value_info=[],
    )
    opsets = [helper.make_opsetid("", 23), helper.make_opsetid("com.magic", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets), str(tmp_path / "m.onnx"))
    with pytest.raises(ConfigError, match=r"com\.magic:MagicMatMul, whose work is not known"):
        count(tmp_path / "m.onnx")


def test_files_that_are_no_graph_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no file"):
        count(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("not a graph at all")
    with pytest.raises(ConfigError, match=r"text\.onnx (cannot be read|holds no)"):
        count(tmp_path / "text.onnx")


# Graphs inside graphs


def test_an_if_counts_its_heavier_branch(tmp_path: Path) -> None:
    info = helper.make_tensor_value_info
    light = helper.make_graph([helper.make_node("Relu", ["x"], ["l"])], "light", [], [info("l", FLOAT, (1, 8))])
    heavy = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["m"])], "heavy", [], [info("m", FLOAT, (1, 8))])
    node = helper.make_node("If", ["yes"], ["z"], then_branch=light, else_branch=heavy)
    weights = {"yes": np.array(True), "w": zeros(8, 8)}
    assert count(save(tmp_path, [node], {"x": (1, 8)}, ["z"], weights)).flops == 2 * 8 * 8


def test_a_scan_counts_its_body_for_each_turn(tmp_path: Path) -> None:
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("MatMul", ["h", "w"], ["g"]), helper.make_node("Add", ["g", "s"], ["n"])],
        "body",
        [info("h", FLOAT, (1, 8)), info("s", FLOAT, (1, 8))],
        [info("n", FLOAT, (1, 8))],
    )
    node = helper.make_node("Scan", ["x", "steps"], ["z"], body=body, num_scan_inputs=1)
    work = count(save(tmp_path, [node], {"x": (1, 8), "steps": (10, 1, 8)}, ["z"], {"w": zeros(8, 8)}))
    assert work.flops == 10 * (2 * 8 * 8 + 8)


def test_a_loop_is_refused(tmp_path: Path) -> None:
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("MatMul", ["h", "w"], ["g"])],
        "body",
        [info("i", INT64, ()), info("go", TensorProto.BOOL, ()), info("h", FLOAT, (1, 8))],
        [info("on", TensorProto.BOOL, ()), info("g", FLOAT, (1, 8))],
    )
    node = helper.make_node("Loop", ["turns", "yes", "x"], ["y"], name="denoise", body=body)
    weights = {"turns": np.array(10), "yes": np.array(True), "w": zeros(8, 8)}
    with pytest.raises(ConfigError, match="how often Loop 'denoise' runs is not known"):
        count(save(tmp_path, [node], {"x": (1, 8)}, ["y"], weights))


def test_functions_of_the_model_are_counted_where_they_are_called(tmp_path: Path) -> None:
    twice = helper.make_function(
        "mine", "Twice", ["a", "w"], ["c"],
        [helper.make_node("MatMul", ["a", "w"], ["b"]), helper.make_node("MatMul", ["b", "w"], ["c"])],
        [helper.make_opsetid("", 23)],
    )  # fmt: skip
    graph = helper.make_graph(
        [helper.make_node("Twice", ["x", "w"], ["y"], domain="mine")],
        "graph",
        [helper.make_tensor_value_info("x", FLOAT, (3, 4))],
        [helper.make_tensor_value_info("y", FLOAT, None)],
        [onnx.numpy_helper.from_array(zeros(4, 4), "w")],
    )
    opsets = [helper.make_opsetid("", 23), helper.make_opsetid("mine", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, functions=[twice]), str(tmp_path / "f.onnx"))
    assert count(tmp_path / "f.onnx").flops == 2 * (2 * 3 * 4 * 4)


# A whole network, by a second method: run it and count the multiplications that happen


def test_a_small_network_against_the_formula_of_transformers(tmp_path: Path) -> None:
    """A transformer block of width d over n tokens: 24 n d^2 for its matrices and 4 n^2 d for attention."""
    n, d, heads = 12, 16, 4
    split = {"shape": np.array([1, n, heads, d // heads]), "back": np.array([1, n, d])}
    weights = {name: zeros(d, d) for name in ("wq", "wk", "wv", "wo")}
    weights |= {"up": zeros(d, 4 * d), "down": zeros(4 * d, d), **split}
    node = helper.make_node
    nodes = []
    for letter in "qkv":
        nodes += [
            node("MatMul", ["x", f"w{letter}"], [f"{letter}0"]),
            node("Reshape", [f"{letter}0", "shape"], [f"{letter}1"]),
            node("Transpose", [f"{letter}1"], [letter], perm=[0, 2, 3, 1] if letter == "k" else [0, 2, 1, 3]),
        ]
    nodes += [
        node("MatMul", ["q", "k"], ["s"]),
        node("Softmax", ["s"], ["p"]),
        node("MatMul", ["p", "v"], ["o0"]),
        node("Transpose", ["o0"], ["o1"], perm=[0, 2, 1, 3]),
        node("Reshape", ["o1", "back"], ["o2"]),
        node("MatMul", ["o2", "wo"], ["o"]),
        node("MatMul", ["o", "up"], ["u"]),
        node("MatMul", ["u", "down"], ["y"]),
    ]
    work = count(save(tmp_path, nodes, {"x": (1, n, d)}, ["y"], weights))
    assert work.products == 24 * n * d * d + 4 * n * n * d
    assert work.parameters - 7 == 12 * d * d  # seven are sizes, not weights
    assert math.isclose(work.flops - work.products, 5 * heads * n * n)
