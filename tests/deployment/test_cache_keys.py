"""What a cache knows a question by: what counts, what does not, and when two frames are similar."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_sim.deployment.cache import MISSING, CacheSpec, Policy, build
from vla_sim.deployment.cache_keys import UNSEEN, ExactKeys, Signature, SimilarKeys, key_of
from vla_sim.rng import stream
from vla_sim.types import Array, Detections, Frame, Intent, Intrinsics, Mode, ObjectQuery, Utterance

HEIGHT, WIDTH = 60, 80
FRAME = Frame(
    camera="head",
    time_s=1.25,
    rgb=stream(0, 0, "picture").integers(40, 200, (HEIGHT, WIDTH, 3)).astype(np.uint8),
    intrinsics=Intrinsics.from_fov(WIDTH, HEIGHT, 1.2),
    pose_camera_in_base=np.diag([1.0, -1.0, -1.0, 1.0]),
    depth_m=np.linspace(0.5, 2.0, HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH),
    segmentation=np.ones((HEIGHT, WIDTH), np.int32),
)
INTENT = Intent("place", ObjectQuery("cube", "red"), ObjectQuery("tray"))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=4)
    | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def painted(colour: int, at: tuple[int, int] = (20, 20), size: int = 20) -> Frame:
    rgb = FRAME.rgb.copy()
    rgb[at[0] : at[0] + size, at[1] : at[1] + size] = colour
    return replace(FRAME, rgb=rgb)


def shifted(x_m: float = 0.0, turn_rad: float = 0.0) -> Array:
    """[4, 4] a little way from where a frame is taken otherwise."""
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(turn_rad), -np.sin(turn_rad)], [np.sin(turn_rad), np.cos(turn_rad)]]
    pose[0, 3] = x_m
    return pose


# Exactly


def test_when_a_frame_was_taken_does_not_count_and_neither_does_what_no_stage_sees() -> None:
    assert key_of(replace(FRAME, time_s=9.0, segmentation=None, rgb=FRAME.rgb.copy())) == key_of(FRAME)


@pytest.mark.parametrize(
    "change",
    [
        {"camera": "left_wrist"},
        {"rgb": painted(7, size=1).rgb},
        {"depth_m": None},
        {"depth_m": FRAME.depth_m + np.float32(1e-6)},  # type: ignore[operator]
        {"intrinsics": Intrinsics.from_fov(WIDTH, HEIGHT, 1.3)},
        {"pose_camera_in_base": shifted(1e-9)},
        {"pose_base_in_odom": shifted(1e-9)},
    ],
)
def test_everything_else_of_a_frame_counts(change: dict[str, Any]) -> None:
    assert key_of(replace(FRAME, **change)) != key_of(FRAME)


@given(values, values)
def test_different_values_have_different_names(a: Any, b: Any) -> None:
    assert (key_of(a) == key_of(b)) == (spelt(a) == spelt(b))


def spelt(value: Any) -> str:
    """A value as text, whatever the order in which its mappings were filled."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {spelt(value[key])}' for key in sorted(value))}}}"
    return f"[{', '.join(map(spelt, value))}]" if isinstance(value, list) else repr(value)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (["ab", "c"], ["a", "bc"]),
        ([[1], 2], [[1, 2]]),
        (1, True),
        (1, 1.0),
        ("1", 1),
        (b"a", "a"),
        (None, "None"),
        (np.zeros(3), np.zeros((3, 1))),
        (np.zeros(2, np.int32), np.zeros(1, np.int64)),
        (Mode.HOLD, Mode.TRACK),
        (Mode.HOLD, Mode.HOLD.value),
        (ObjectQuery("cube"), ObjectQuery("mug")),
        (Utterance("stop"), "stop"),
        (Intent("stop"), Intent("go")),
    ],
)
def test_values_that_look_alike_have_different_names(a: Any, b: Any) -> None:
    assert key_of(a) != key_of(b)


def test_names_of_equal_values_are_equal() -> None:
    grid = np.arange(12.0).reshape(3, 4)
    assert key_of(grid.T) == key_of(np.ascontiguousarray(grid.T))
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})
    assert key_of((INTENT, [1])) == key_of([replace(INTENT), (1,)])


def test_a_name_is_the_same_in_every_process() -> None:
    program = (
        "from vla_sim.deployment.cache_keys import key_of; from vla_sim.types import Intent, ObjectQuery; "
        "print(key_of(Intent('place', ObjectQuery('cube', 'red'), ObjectQuery('tray'))))"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == key_of(INTENT)


def test_what_has_no_name_is_refused() -> None:
    @dataclass
    class Holder:
        inner: object

    for value in (object(), Holder({1, 2}), Holder):
        with pytest.raises(TypeError, match="has no name in a cache"):
            key_of(value)


# Similar


def similar(a: Frame, b: Frame) -> bool:
    return Signature.of(a).distance(Signature.of(b)) <= 1.0


@given(st.integers(0, 10_000))
def test_noise_and_exposure_leave_a_frame_similar(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 5, FRAME.rgb.shape)
    noisy = np.clip(FRAME.rgb + noise + 20, 0, 255).astype(np.uint8)
    depth = np.asarray(FRAME.depth_m) + np.random.default_rng(seed).normal(0, 0.002, (HEIGHT, WIDTH)).astype(np.float32)
    assert similar(FRAME, replace(FRAME, rgb=noisy, depth_m=depth, time_s=7.0))


@pytest.mark.parametrize(
    ("change", "still"),
    [
        ({"pose_base_in_odom": shifted(0.009)}, True),
        ({"pose_base_in_odom": shifted(0.011)}, False),
        ({"pose_base_in_odom": shifted(turn_rad=np.radians(0.9))}, True),
        ({"pose_base_in_odom": shifted(turn_rad=np.radians(1.1))}, False),
        ({"pose_camera_in_base": shifted(0.011) @ FRAME.pose_camera_in_base}, False),
        ({"camera": "left_wrist"}, False),
        ({"depth_m": None}, False),
        ({"depth_m": np.asarray(FRAME.depth_m) * np.float32(0.98)}, False),
        ({"rgb": FRAME.rgb[:, :-1]}, False),
    ],
)
def test_what_makes_a_frame_another(change: dict[str, Any], still: bool) -> None:
    assert similar(FRAME, replace(FRAME, **change)) is still


def test_a_thing_that_comes_goes_or_changes_its_colour_is_seen() -> None:
    red, green = FRAME.rgb.copy(), FRAME.rgb.copy()
    red[20:30, 20:30], green[20:30, 20:30] = (200, 20, 20), (20, 112, 20)  # equally grey
    frames = [FRAME, painted(20), painted(20, at=(20, 28)), replace(FRAME, rgb=red), replace(FRAME, rgb=green)]
    assert not any(similar(a, b) for i, a in enumerate(frames) for b in frames[:i])


def test_depths_that_nothing_measured_are_compared_too() -> None:
    nothing = replace(FRAME, depth_m=np.full((HEIGHT, WIDTH), np.inf, np.float32))
    unknown = replace(FRAME, depth_m=np.full((HEIGHT, WIDTH), np.nan, np.float32))
    assert similar(nothing, unknown)
    assert not similar(nothing, FRAME)


@pytest.mark.parametrize("shape", [(3, 4), (12, 16), (13, 17), (240, 320)])
def test_block_means_of_every_size(shape: tuple[int, int]) -> None:
    even = replace(FRAME, rgb=np.full((*shape, 3), 90, np.uint8), depth_m=np.full(shape, 0.5, np.float32))
    signature = Signature.of(even)
    assert np.abs(signature.colours).max() < 1e-4
    assert signature.disparity == pytest.approx(np.full((12, 16), 2.0))


def test_frames_that_drift_are_compared_with_the_one_that_was_answered() -> None:
    """Each is like the one before, but the answer is not handed on for ever."""
    cache = build(CacheSpec("lru", 8, key="similar"), lambda: 0.0)
    hits = []
    for i in range(30):
        moved = replace(FRAME, time_s=float(i), pose_base_in_odom=shifted(0.004 * i))
        hits.append(cache.recall(moved) is not MISSING)
        if not hits[-1]:
            cache.remember(moved, Detections(float(i), ()))
    assert hits == [i % 3 != 0 for i in range(30)]


def test_the_most_similar_frame_answers() -> None:
    cache = build(CacheSpec("lru", 8, key="similar"), lambda: 0.0)
    for x_m in (0.0, 0.015):
        cache.remember(replace(FRAME, pose_base_in_odom=shifted(x_m)), x_m)
    assert cache.recall(replace(FRAME, pose_base_in_odom=shifted(0.007))) == 0.0
    assert cache.recall(replace(FRAME, pose_base_in_odom=shifted(0.008))) == 0.015


def test_an_answer_to_a_similar_frame_is_replaced_not_added() -> None:
    cache = build(CacheSpec("lru", 8, key="similar"), lambda: 0.0)
    cache.remember(FRAME, "old")
    cache.remember(replace(FRAME, pose_base_in_odom=shifted(0.008)), "new")
    assert len(cache) == 1
    assert cache.recall(replace(FRAME, pose_base_in_odom=shifted(0.016))) == "new"
    assert cache.recall(replace(FRAME, pose_base_in_odom=shifted(-0.004))) is MISSING


@pytest.mark.parametrize("policy", ["lru", "lfu", "adaptive"])
def test_what_is_kept_is_found_however_many_frames_have_come_since(policy: Policy) -> None:
    """A frame asked for again and again stays in every policy's cache; its name must not be forgotten."""
    cache = build(CacheSpec(policy, 3, key="similar"), lambda: 0.0)
    cache.remember(FRAME, "often")
    for i in range(1, 40):
        assert cache.recall(FRAME) == "often"
        assert cache.recall(replace(FRAME, pose_base_in_odom=shifted(float(i)))) is MISSING
        cache.remember(replace(FRAME, pose_base_in_odom=shifted(float(i))), i)
        assert len(cache) <= 3


def test_names_are_forgotten_with_their_frames() -> None:
    keys = SimilarKeys(4, kept=lambda name: name == "frame 1")
    names = [keys.assign(replace(FRAME, pose_base_in_odom=shifted(float(i)))) for i in range(10)]
    assert len(set(names)) == 10
    found = [keys.find(replace(FRAME, pose_base_in_odom=shifted(float(i)))) for i in range(10)]
    assert found == ["frame 1", *[UNSEEN] * 6, *names[7:]]


def test_what_is_no_frame_goes_by_its_exact_name() -> None:
    similar, exact = SimilarKeys(4, lambda _: True), ExactKeys()
    assert similar.find(INTENT) == similar.assign(INTENT) == exact.find(INTENT) == exact.assign(INTENT)
