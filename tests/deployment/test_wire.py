from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_sim.deployment.wire import DEPTH_STEP_M, CompressedFrame, Wire, payload_bytes
from vla_sim.errors import ConfigError
from vla_sim.types import Frame, Intent, Intrinsics, ObjectQuery, Observation, RobotState

HEIGHT, WIDTH = 60, 80


def scene() -> Frame:
    """A smooth picture with a red square and a hole in the depth."""
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    rgb = np.stack([u * 2, v * 3, (u + v)], axis=-1).astype(np.uint8)
    rgb[20:40, 20:40] = (230, 25, 25)
    depth_m = (0.5 + 0.01 * v + 0.003 * u).astype(np.float32)
    depth_m[5:10, 5:10] = np.inf
    return Frame(
        camera="head",
        time_s=1.25,
        rgb=rgb,
        intrinsics=Intrinsics.from_fov(WIDTH, HEIGHT, 1.2),
        pose_camera_in_base=np.diag([1.0, -1.0, -1.0, 1.0]),
        depth_m=depth_m,
        segmentation=np.ones((HEIGHT, WIDTH), np.int32),
    )


def through(value: Any, quality: int = 90) -> Any:
    wire = Wire(quality)
    return wire.decode(wire.encode(value))


def colour_error(quality: int) -> float:
    return float(np.mean(np.abs(through(scene(), quality).rgb.astype(int) - scene().rgb.astype(int))))


def test_colours_arrive_nearly_as_they_were_and_in_the_same_order() -> None:
    assert colour_error(90) < 4
    assert np.allclose(through(scene()).rgb[25:35, 25:35].mean(axis=(0, 1)), (230, 25, 25), atol=4)


def test_lower_quality_is_smaller_and_worse() -> None:
    assert Wire(30).encode(scene()).n_bytes < Wire(95).encode(scene()).n_bytes
    assert colour_error(30) > colour_error(95)


def test_depth_arrives_to_half_a_step_and_nothing_stays_nothing() -> None:
    sent, got = scene().depth_m, through(scene()).depth_m
    assert sent is not None
    hit = np.isfinite(sent)
    assert np.array_equal(np.isfinite(got), hit)
    assert np.abs(got[hit] - sent[hit]).max() <= DEPTH_STEP_M / 2 + 1e-6
    assert got.dtype == np.float32


@given(st.floats(allow_nan=True, allow_infinity=True, width=32))
def test_any_depth_is_known_to_half_a_step_or_unknown(depth_m: float) -> None:
    frame = replace(scene(), depth_m=np.full((4, 4), depth_m, np.float32), rgb=np.zeros((4, 4, 3), np.uint8))
    got = through(frame).depth_m
    if DEPTH_STEP_M / 2 < depth_m <= 65535 * DEPTH_STEP_M:
        assert got == pytest.approx(np.full((4, 4), depth_m), abs=DEPTH_STEP_M / 2 + 2e-6)
    else:
        assert np.all(np.isinf(got))


def test_the_rest_of_a_frame_arrives_but_the_simulator_labels() -> None:
    sent, got = scene(), through(scene())
    assert (got.camera, got.time_s, got.intrinsics) == (sent.camera, sent.time_s, sent.intrinsics)
    assert np.array_equal(got.pose_camera_in_base, sent.pose_camera_in_base)
    assert got.segmentation is None


def test_a_frame_without_depth_has_none_on_arrival() -> None:
    assert through(replace(scene(), depth_m=None)).depth_m is None


def test_the_size_is_that_of_the_compressed_images_and_a_little() -> None:
    message = Wire().encode(scene())
    body = message.body
    assert isinstance(body, CompressedFrame)
    assert body.depth_png is not None
    images = len(body.jpeg) + len(body.depth_png)
    assert images < message.n_bytes < images + 450  # two poses of 128 bytes among it
    assert message.n_bytes < scene().rgb.nbytes


def test_frames_are_found_however_deep() -> None:
    state = RobotState(0.0, np.zeros(3), np.zeros(3), np.zeros(2), np.zeros(3))
    sent = [(Observation(state, {"head": scene()}), "look"), 7]
    message = Wire().encode(sent)
    assert message.n_bytes < scene().rgb.nbytes
    (observation, word), number = Wire().decode(message)
    assert (word, number) == ("look", 7)
    assert observation.state is state
    assert observation.frames["head"].segmentation is None
    assert observation.frames["head"].rgb.shape == (HEIGHT, WIDTH, 3)


def test_values_without_frames_pass_as_they_are() -> None:
    intent = Intent("pick", ObjectQuery("cube", "red"))
    assert through(intent) is intent


@pytest.mark.parametrize("quality", [0, 101])
def test_quality_has_limits(quality: int) -> None:
    with pytest.raises(ConfigError, match="jpeg_quality: must be between 1 and 100"):
        Wire(quality)


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Pair:
    a: object
    b: object


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (None, 1),
        (True, 1),
        (0, 1), (127, 1), (128, 2), (255, 2), (256, 3), (65535, 3), (65536, 5), (2**32 - 1, 5), (2**32, 9),
        (-1, 1), (-32, 1), (-33, 2), (-128, 2), (-129, 3), (-32768, 3), (-32769, 5), (-(2**31), 5), (-(2**31) - 1, 9),
        (0.5, 9),
        ("", 1), ("é", 3), ("x" * 31, 32), ("x" * 32, 34), ("x" * 256, 259), ("x" * 65536, 65541),
        (b"abc", 4),
        (np.zeros((3, 4)), 96),
        (np.float32(1), 4),
        (Colour.RED, 4),
        ([1, 2, 3], 4), ((1,) * 16, 19), ([None] * 65536, 65541),
        ({"a": 1}, 4),
        (Pair(1, "ab"), 5),
    ],
)  # fmt: skip
def test_sizes_follow_messagepack(value: object, size: int) -> None:
    assert payload_bytes(value) == size


def test_what_has_no_encoding_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot put a set on the wire"):
        payload_bytes(Pair(1, {2}))


def test_importing_the_deployment_loads_nothing_heavy() -> None:
    heavy = {"cv2", "hydra", "matplotlib", "numba", "omegaconf", "pandas", "pinocchio", "pybullet", "scipy"}
    program = f"import sys, vla_sim.deployment.config; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).resolve().parents[2], check=True)
