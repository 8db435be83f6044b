"""Smaller images against geometry and brute force, and what detection and grasp planning lose by doing with less."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import envs
from tests.stages.synthetic_frames import INTRINSICS, item, render, room
from vla_sim.deployment.wire import Wire
from vla_sim.errors import ConfigError
from vla_sim.stages.perception import ColourShapeDetector
from vla_sim.stages.simplified import (
    SLANT,
    LowerResolution,
    enlarged,
    factor_of,
    shrink_depth,
    shrunk,
)
from vla_sim.types import Array, Detections, Frame, ObjectQuery

DETECT = ColourShapeDetector()
Scene = tuple[Frame, list[tuple[ObjectQuery, Array]]]


def frame_of(depth_m: NDArray[np.float32]) -> Frame:
    """A grey frame of that depth."""
    height, width = depth_m.shape
    lens = replace(INTRINSICS, width=width, height=height, cx=0.4 * width, cy=0.6 * height)
    return Frame("head", 1.5, np.full((height, width, 3), 100, np.uint8), lens, np.eye(4), depth_m)


def points(frame: Frame) -> Array:
    """[H, W, 3] what each pixel's centre sees, in the camera's frame."""
    k = frame.intrinsics
    v, u = np.mgrid[: k.height, : k.width] + 0.5
    assert frame.depth_m is not None
    return np.stack([(u - k.cx) / k.fx * frame.depth_m, (v - k.cy) / k.fy * frame.depth_m, frame.depth_m], -1)


@pytest.fixture(scope="module")
def scenes() -> Iterator[list[Scene]]:
    """Head images of tables with objects whose places are known."""
    env, made = envs.make("VlaSim/PickPlace-v0"), []
    for seed in range(15):
        env.restart(seed)
        world = env.world
        assert world.layout.tray is not None
        assert world.tray is not None
        bodies = zip((*world.layout.placements, world.layout.tray), [*world.objects, world.tray], strict=True)
        made.append((env.capture("head"), [(p.query, world.pose(body)[0].copy()) for p, body in bodies]))
    yield made
    env.close()


def errors_mm(scenes: list[Scene], detect: LowerResolution | ColourShapeDetector) -> tuple[list[float], int]:
    """How far each object found lies from its true place, and how many there are."""
    errors, total = [], 0
    for frame, truth in scenes:
        items = detect(frame).items
        for query, position in truth:
            total += 1
            of_kind = [d.position_in_base for d in items if (d.shape, d.colour) == (query.shape, query.colour)]
            off = [1e3 * float(np.linalg.norm(place - position)) for place in of_kind]
            errors += [min(off)] if off and min(off) < 30 else []
    return errors, total


# Geometry


@pytest.mark.parametrize("factor", [2, 4, 5])
@pytest.mark.parametrize("slope", [(0.0, 0.0), (0.3, -0.5), (-0.9, 0.2)])
def test_a_plane_stays_where_it_is(factor: int, slope: tuple[float, float]) -> None:
    """Its points lie on the same plane after all pixels became wider; half a pixel's error would be ten times this."""
    k = frame_of(np.zeros((60, 80), np.float32)).intrinsics
    v, u = np.mgrid[: k.height, : k.width] + 0.5
    normal = np.array([slope[0], slope[1], -1.0])
    depth = 0.8 / -(normal[0] * (u - k.cx) / k.fx + normal[1] * (v - k.cy) / k.fy + normal[2])
    small = shrunk(frame_of(depth.astype(np.float32)), factor)
    off = (points(small) @ normal + 0.8) / np.linalg.norm(normal)
    pixel_m = 0.8 / k.fx
    assert np.abs(off).max() < 0.05 * pixel_m


def test_a_direction_is_seen_in_the_same_place_of_the_image() -> None:
    frame = frame_of(np.ones((60, 80), np.float32))
    big, small = frame.intrinsics, shrunk(frame, 4).intrinsics
    assert (small.width, small.height) == (20, 15)
    for x, y in ((0.0, 0.0), (0.3, -0.2), (-0.1, 0.4)):
        assert big.fx * x + big.cx == pytest.approx(4 * (small.fx * x + small.cx))
        assert big.fy * y + big.cy == pytest.approx(4 * (small.fy * y + small.cy))


def test_it_is_the_image_a_camera_with_wider_pixels_takes() -> None:
    """Against the renderer: a half-size image of a scene, and a full-size one shrunk."""
    env = envs.make("VlaSim/PickPlace-v0")
    env.restart(3)
    small = shrunk(env.cameras.capture("head", noise=False), 2)
    taken = env.cameras.capture("head", small.intrinsics, noise=False)
    env.close()
    assert small.depth_m is not None
    assert taken.depth_m is not None
    near = np.isfinite(taken.depth_m) & (taken.depth_m < 1.5)
    off = np.abs(small.depth_m[near] - taken.depth_m[near])
    assert np.mean(off < 0.002) > 0.9  # the rest are edges, where a pixel sees two things
    assert np.median(off) < 1e-4
    assert np.mean(np.abs(small.rgb.astype(int) - taken.rgb.astype(int))) < 2


def brute(depth_m: NDArray[np.float32], factor: int, falls: float) -> Array:
    """The definition, block by block."""
    height, width = (side // factor for side in depth_m.shape)
    found = np.empty((height, width))
    for v in range(height):
        for u in range(width):
            block = depth_m[v * factor : (v + 1) * factor, u * factor : (u + 1) * factor].astype(np.float64).ravel()
            known = block[np.isfinite(block) & (block > 0)]
            found[v, u] = known[known <= known.min() * (1 + falls)].mean() if len(known) else np.inf
    return found


@given(st.integers(0, 10_000), st.sampled_from([1, 2, 3, 4]), st.sampled_from([0.0, 0.01, 0.5]))
def test_depth_is_the_mean_of_the_nearest_surface(seed: int, factor: int, falls: float) -> None:
    rng = np.random.default_rng(seed)
    depth = rng.choice([0.5, 0.503, 0.6, 2.0], (12, 24)).astype(np.float32)
    depth += rng.normal(0, 1e-3, depth.shape).astype(np.float32)
    for nothing in (np.nan, np.inf, 0.0, -1.0, -np.inf):
        depth[rng.random(depth.shape) < 0.15] = nothing
    found = np.empty((12 // factor, 24 // factor), np.float32)
    shrink_depth(depth, factor, falls, found)
    np.testing.assert_allclose(found, brute(depth, factor, falls), rtol=1e-6)


def test_an_edge_does_not_become_a_place_where_nothing_is() -> None:
    depth = np.full((4, 4), 1.0, np.float32)
    depth[:, :1] = 0.5
    assert shrunk(frame_of(depth), 2).depth_m == pytest.approx(np.array([[0.5, 1.0], [0.5, 1.0]]))
    assert SLANT * 2 * 0.5 / INTRINSICS.fx < 0.5  # or this tests nothing


def test_the_rest_of_a_frame_stays_and_the_labels_go() -> None:
    frame = replace(frame_of(np.ones((4, 4), np.float32)), segmentation=np.zeros((4, 4), np.int32))
    for factor in (1, 2):
        small = shrunk(frame, factor)
        assert small.segmentation is None
        assert (small.camera, small.time_s) == ("head", 1.5)
        assert small.pose_camera_in_base is frame.pose_camera_in_base
    assert shrunk(replace(frame, depth_m=None), 2).depth_m is None
    assert frame.depth_m is not None
    assert frame.depth_m.shape == (4, 4)


def test_colours_are_averaged() -> None:
    frame = frame_of(np.ones((4, 4), np.float32))
    frame.rgb[0, 0], frame.rgb[0, 1], frame.rgb[1, 0] = (200, 0, 40), (0, 100, 40), (0, 0, 40)
    assert np.abs(shrunk(frame, 2).rgb[0, 0].astype(int) - (75, 50, 55)).max() <= 1
    assert (shrunk(frame, 2).rgb[1, 1] == 100).all()


# Configuration


def test_a_scale_is_one_over_a_whole_number() -> None:
    assert [factor_of(scale) for scale in (1.0, 0.5, 1 / 3, 0.25)] == [1, 2, 3, 4]
    for scale in (0.0, -0.5, 0.4, 2.0, float("nan")):
        with pytest.raises(ConfigError, match="image_scale: must be one over a whole number"):
            LowerResolution(DETECT, scale)


def test_pixels_are_not_cut() -> None:
    with pytest.raises(ConfigError, match="image_scale: an image of 6 x 4 pixels cannot be divided by 4"):
        shrunk(frame_of(np.ones((4, 6), np.float32)), 4)


# Detection


def test_half_the_resolution_finds_nearly_everything_nearly_as_well(scenes: list[Scene]) -> None:
    full, total = errors_mm(scenes, DETECT)
    half, _ = errors_mm(scenes, LowerResolution(DETECT))
    assert total >= 60
    assert len(half) >= 0.97 * total
    assert len(half) >= len(full) - 2
    assert float(np.median(half)) < 0.6
    assert float(np.percentile(half, 95)) < 1.5


def test_a_quarter_of_it_is_too_little_for_this_detector(scenes: list[Scene]) -> None:
    """What is written beside the class, so that a detector that could do it would not stay unnoticed."""
    quarter, total = errors_mm(scenes, LowerResolution(DETECT, 0.25))
    assert 0.5 * total < len(quarter) < 0.9 * total


def test_boxes_come_back_in_the_pixels_that_came_in() -> None:
    frame = render([*room(), *item("cube", "green", 0.35, 0.1, 0.4)], np.random.default_rng(0))
    (full,), (half,) = DETECT(frame).items, LowerResolution(DETECT)(frame).items
    assert np.abs(np.subtract(half.bbox_px, full.bbox_px)).max() <= 4
    assert half.position_in_base == pytest.approx(full.position_in_base, abs=0.002)


def test_shrinking_before_the_wire_saves_most_of_it_and_changes_little(scenes: list[Scene]) -> None:
    frame, _ = scenes[0]
    wire = Wire()
    full, small = wire.encode(frame), wire.encode(shrunk(frame, 2))
    assert small.n_bytes < 0.3 * full.n_bytes
    there: Detections = enlarged(DETECT(wire.decode(small)), 2)
    here = LowerResolution(DETECT)(frame)
    names = [sorted((d.shape, d.colour) for d in found.items) for found in (here, there)]
    assert names[0] == names[1]


def test_the_same_frame_gives_the_same_bits(scenes: list[Scene]) -> None:
    frame, _ = scenes[1]
    one, other = LowerResolution(DETECT)(frame), LowerResolution(ColourShapeDetector())(frame)
    assert [d.position_in_base.tobytes() for d in one.items] == [d.position_in_base.tobytes() for d in other.items]
    assert one.items


# Grasps
