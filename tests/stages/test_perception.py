"""The detector against ray-cast frames with analytic truth."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stages.synthetic_frames import HAND_RGB, Body, box, head_camera, item, lying, render, room, yaw_matrix
from vla_sim.catalogue import COLOURS, SHAPES
from vla_sim.errors import ConfigError
from vla_sim.stages.perception import ColourShapeDetector, DetectorConfig, heights_near, mean_area, most_common
from vla_sim.types import Detection, Frame

DETECT = ColourShapeDetector()


@dataclass(frozen=True)
class Truth:
    """What stands where."""

    shape: str
    colour: str
    x: float
    y: float
    yaw_rad: float
    lying: bool = False

    @property
    def bodies(self) -> list[Body]:
        make = lying if self.lying else item
        return make(self.shape, self.colour, self.x, self.y, self.yaw_rad)

    @property
    def height_m(self) -> float:
        return SHAPES[self.shape].width_m if self.lying else SHAPES[self.shape].height_m


def rng(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def random_scene(seed: int) -> list[Truth]:
    """Every shape once, standing side by side with one lying behind, colours and yaws at random."""
    draw = rng(seed)
    colours = [str(name) for name in draw.permutation(list(COLOURS))]
    shapes = [str(name) for name in draw.permutation(["cube", "mug", "bottle", "ball"])]
    truths = [Truth("tray", colours[4], 0.31 + draw.uniform(-0.02, 0.02), 0.0, draw.uniform(-0.15, 0.15))]
    for shape, y, colour in zip(shapes, (-0.31, -0.18, 0.18, 0.31), colours, strict=False):
        x, y = draw.uniform(0.32, 0.38), y + draw.uniform(-0.01, 0.01)
        truths.append(Truth(shape, colour, x, y, draw.uniform(-np.pi, np.pi)))
    flat = str(draw.choice(["mug", "bottle"]))
    return [*truths, Truth(flat, colours[5], 0.53, 0.0, draw.uniform(-np.pi, np.pi), lying=True)]


@pytest.fixture(scope="module")
def clean_views() -> list[tuple[Truth, list[Detection]]]:
    """Each truth of 14 scenes with the detections of its colour."""
    pairs = []
    for seed in range(14):
        truths = random_scene(seed)
        found = DETECT(render(room() + [body for truth in truths for body in truth.bodies], rng(seed)))
        assert len(found.items) == len(truths)
        pairs += [(truth, [d for d in found.items if d.colour == truth.colour]) for truth in truths]
    return pairs


def yaw_error(truth: Truth, found: Detection) -> float:
    """Radians, up to the symmetry of the shape."""
    if SHAPES[truth.shape].round and not truth.lying:
        return abs(found.yaw_rad)
    period = np.pi / 2 if truth.shape == "cube" else np.pi
    return float(abs((found.yaw_rad - truth.yaw_rad + period / 2) % period - period / 2))


def only(frame: Frame, shape: str, colour: str) -> Detection:
    """The one detection of that shape and colour."""
    found = [d for d in DETECT(frame).items if (d.shape, d.colour) == (shape, colour)]
    assert len(found) == 1
    return found[0]


def test_nothing_is_mistaken_for_something_else(clean_views: list[tuple[Truth, list[Detection]]]) -> None:
    confusion: dict[tuple[str, bool], list[tuple[str, bool]]] = {}
    for truth, found in clean_views:
        confusion.setdefault((truth.shape, truth.lying), []).extend((d.shape, d.lying) for d in found)
    assert len(confusion) == 7
    assert all(seen == [actual] * len(seen) for actual, seen in confusion.items())


def test_clean_views_are_measured_to_two_millimetres(clean_views: list[tuple[Truth, list[Detection]]]) -> None:
    for truth, (found,) in clean_views:
        offset = found.position_in_base - (truth.x, truth.y, 0.70 + truth.height_m / 2)
        assert np.hypot(offset[0], offset[1]) < 0.002, truth
        assert abs(offset[2]) < 0.002, truth
        assert found.top_m == pytest.approx(0.70 + truth.height_m, abs=0.003)
        assert yaw_error(truth, found) < np.radians(3), truth
        assert found.confidence > 0.75
        assert found.visible > 0.8


def test_yaw_is_given_in_its_range(clean_views: list[tuple[Truth, list[Detection]]]) -> None:
    for truth, (found,) in clean_views:
        half = np.pi / 4 if truth.shape == "cube" else np.pi / 2
        assert -half < found.yaw_rad <= half


def test_the_box_round_a_detection_holds_its_centre() -> None:
    frame = render(room() + item("cube", "green", 0.35, 0.1, 0.4))
    found = only(frame, "cube", "green")
    in_camera = np.linalg.inv(frame.pose_camera_in_base) @ [*found.position_in_base, 1.0]
    u, v = (frame.intrinsics.fx * in_camera[:2] / in_camera[2]) + (frame.intrinsics.cx, frame.intrinsics.cy)
    u0, v0, width, height = found.bbox_px
    assert u0 < u < u0 + width
    assert v0 < v < v0 + height


def test_two_of_one_colour_that_overlap_in_the_image_are_parted() -> None:
    pair = item("bottle", "red", 0.30, 0.16) + item("mug", "red", 0.44, 0.20)
    frame = render(room() + pair, rng(1))
    hsv = cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2HSV)
    patches = cv2.connectedComponentsWithStats((hsv[..., 1] > 150).astype(np.uint8))[2]
    assert np.count_nonzero(patches[1:, cv2.CC_STAT_AREA] > 30) == 1  # one patch, or this tests nothing
    bottle, mug = only(frame, "bottle", "red"), only(frame, "mug", "red")
    assert bottle.position_in_base[:2] == pytest.approx([0.30, 0.16], abs=0.002)
    assert mug.position_in_base[:2] == pytest.approx([0.44, 0.20], abs=0.004)
    assert mug.visible < bottle.visible


def test_a_hand_in_front_lowers_what_is_visible_and_moves_nothing() -> None:
    cube = item("cube", "red", 0.34, 0.20, 0.3)
    hand = [box((0.315, 0.208, 0.79), (0.06, 0.02, 0.01), HAND_RGB)]
    clear, hidden = (only(render(room() + bodies, rng(2)), "cube", "red") for bodies in (cube, cube + hand))
    assert clear.visible > 0.9
    assert hidden.visible < 0.8
    assert hidden.confidence < clear.confidence
    assert hidden.position_in_base == pytest.approx(clear.position_in_base, abs=0.004)


def test_what_is_all_but_hidden_is_not_reported() -> None:
    plate = [box((0.33, 0.18, 0.80), (0.08, 0.06, 0.01), HAND_RGB)]
    assert DETECT(render(room() + item("cube", "red", 0.34, 0.20) + plate, rng(3))).items == ()


@pytest.mark.parametrize("tray_colour", ["purple", "red"])
@pytest.mark.parametrize("shape", ["cube", "ball", "mug", "bottle"])
def test_an_object_in_the_tray_and_the_tray_itself(tray_colour: str, shape: str) -> None:
    foot = 0.705
    bodies = item("tray", tray_colour, 0.32, 0.01, 0.1) + item(shape, "red", 0.31, 0.03, 0.3, foot)
    frame = render(room() + bodies, rng(4))
    inside, tray = only(frame, shape, "red"), only(frame, "tray", tray_colour)
    assert inside.position_in_base == pytest.approx([0.31, 0.03, foot + SHAPES[shape].height_m / 2], abs=0.003)
    assert tray.position_in_base == pytest.approx([0.32, 0.01, 0.715], abs=0.004)
    assert tray.yaw_rad == pytest.approx(0.1, abs=np.radians(3))


@pytest.mark.parametrize("side", [-1, 1])
def test_a_tray_with_one_side_hidden_is_placed_by_the_other(side: int) -> None:
    arm = [box((0.32, side * 0.10, 0.85), (0.15, 0.035, 0.03), HAND_RGB)]
    clear = only(render(room() + item("tray", "blue", 0.32, 0.0), rng(5)), "tray", "blue")
    found = only(render(room() + item("tray", "blue", 0.32, 0.0) + arm, rng(5)), "tray", "blue")
    assert found.visible < clear.visible
    assert found.position_in_base[:2] == pytest.approx([0.32, 0.0], abs=0.008)


def test_a_tray_parted_by_something_in_front_is_one_tray() -> None:
    bar = [box((0.32, 0.0, 0.80), (0.20, 0.025, 0.02), HAND_RGB)]
    found = only(render(room() + item("tray", "blue", 0.32, 0.0, 0.05) + bar, rng(6)), "tray", "blue")
    assert found.position_in_base[:2] == pytest.approx([0.32, 0.0], abs=0.005)


def test_at_the_border_of_the_image_little_counts_as_visible() -> None:
    frame = render(room() + item("bottle", "green", 0.28, 0.39), rng(7))
    items = dataclasses.replace(DetectorConfig(), confidence_min=0.1)
    (found,) = ColourShapeDetector(items)(frame).items
    assert found.bbox_px[0] == 0
    assert found.visible <= 0.3


@pytest.mark.parametrize("table_top_m", [0.62, 0.71, 0.78])
def test_the_height_of_the_table_is_seen_not_known(table_top_m: float) -> None:
    bodies = item("cube", "cyan", 0.36, -0.1, 0.2, table_top_m) + item("mug", "yellow", 0.36, 0.1, 0.0, table_top_m)
    frame = render(room(table_top_m) + bodies, rng(8))
    for shape, colour in (("cube", "cyan"), ("mug", "yellow")):
        assert only(frame, shape, colour).top_m == pytest.approx(table_top_m + SHAPES[shape].height_m, abs=0.003)


def test_what_hangs_in_the_air_is_known_by_its_own_size_but_less_surely() -> None:
    on_table = only(render(room() + item("cube", "blue", 0.36, 0.0, 0.2), rng(9)), "cube", "blue")
    in_air = only(render(room() + item("cube", "blue", 0.36, 0.0, 0.2, 0.85), rng(9)), "cube", "blue")
    assert in_air.confidence < on_table.confidence
    assert in_air.position_in_base == pytest.approx([0.36, 0.0, 0.875], abs=0.004)


@pytest.mark.parametrize(("pitch_deg", "turn_rad"), [(40, 0.0), (55, 0.0), (47, 0.3), (47, -0.3)])
def test_the_camera_may_look_elsewhere(pitch_deg: float, turn_rad: float) -> None:
    pose = head_camera(np.radians(pitch_deg))
    pose[:3, :3] = yaw_matrix(turn_rad) @ pose[:3, :3]
    bodies = room() + item("cube", "red", 0.36, 0.04, 0.5) + item("ball", "green", 0.36, -0.12)
    frame = render(bodies, rng(10), pose_camera_in_base=pose)
    assert only(frame, "cube", "red").position_in_base == pytest.approx([0.36, 0.04, 0.725], abs=0.002)
    assert only(frame, "ball", "green").position_in_base == pytest.approx([0.36, -0.12, 0.73], abs=0.002)


def test_an_empty_table_shows_nothing() -> None:
    assert DETECT(render(room(), rng(11))).items == ()


def test_an_unknown_object_is_not_forced_into_the_catalogue() -> None:
    plank = [box((0.36, 0.1, 0.71), (0.15, 0.02, 0.01), COLOURS["red"].rgb)]
    assert DETECT(render(room() + plank, rng(12))).items == ()


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, -1.0])
def test_without_usable_depth_nothing_is_found(value: float) -> None:
    frame = render(room() + item("cube", "red", 0.36, 0.0))
    assert frame.depth_m is not None
    assert DETECT(dataclasses.replace(frame, depth_m=np.full_like(frame.depth_m, value))).items == ()


def test_holes_in_the_depth_are_survived() -> None:
    frame = render(room() + item("cube", "red", 0.36, 0.0, 0.3), rng(13))
    assert frame.depth_m is not None
    holes = np.where(rng(14).random(frame.depth_m.shape) < 0.2, np.float32(np.nan), frame.depth_m)
    found = only(dataclasses.replace(frame, depth_m=holes), "cube", "red")
    assert found.position_in_base == pytest.approx([0.36, 0.0, 0.725], abs=0.002)


def test_a_camera_without_depth_is_refused() -> None:
    with pytest.raises(ValueError, match="camera 'head' gives no depth"):
        DETECT(dataclasses.replace(render(room()), depth_m=None))


def test_the_surest_come_first_and_only_so_many() -> None:
    frame = render(room() + [body for truth in random_scene(0) for body in truth.bodies], rng(0), time_s=1.25)
    whole = DETECT(frame)
    few = ColourShapeDetector(DetectorConfig(detections_max=2))(frame)
    confidences = [d.confidence for d in whole.items]
    assert confidences == sorted(confidences, reverse=True)
    assert [d.colour for d in few.items] == [d.colour for d in whole.items[:2]]
    assert whole.time_s == 1.25
    surest = ColourShapeDetector(DetectorConfig(confidence_min=confidences[2]))(frame)
    assert len(surest.items) == 3


def test_the_same_frame_gives_the_same_answer_to_the_bit() -> None:
    frame = render(room() + item("cube", "red", 0.36, 0.0, 0.3) + item("mug", "blue", 0.36, 0.15), rng(15))
    once, again = DETECT(frame), ColourShapeDetector()(frame)
    for a, b in zip(once.items, again.items, strict=True):
        assert a.position_in_base.tobytes() == b.position_in_base.tobytes()
        assert (a.yaw_rad, a.confidence) == (b.yaw_rad, b.confidence)


def test_settings_out_of_range_are_named() -> None:
    with pytest.raises(ConfigError, match=r"perception\.confidence_min: must lie in 0\.0\.\.1\.0, got 1\.5"):
        DetectorConfig(confidence_min=1.5)


# The compiled parts, against NumPy


@given(st.integers(0, 1000))
def test_the_area_of_a_pixel(seed: int) -> None:
    pose = head_camera()
    points = pose[:3, 3] + pose[:3, 2] + rng(seed).normal(0, 0.2, (50, 3))
    offset = points - pose[:3, 3]
    expected = ((offset @ pose[:3, 2]) ** 3 / np.linalg.norm(offset, axis=1)).mean()
    assert mean_area(points, pose) == pytest.approx(expected)


@given(st.integers(0, 1000))
def test_the_height_of_what_lies_round_a_place(seed: int) -> None:
    draw = rng(seed)
    ground, taken = draw.uniform(0, 1, (3, 200)), draw.random(200) < 0.2
    x, y, z = ground
    near = (abs(x - 0.5) < 0.3) & (abs(y - 0.4) < 0.3) & (z > 0.2) & (z < 0.9) & ~taken
    heights = heights_near(ground, taken, (0.5, 0.4, 0.3), (0.2, 0.9))
    assert np.array_equal(heights, z[near])
    bins = ((heights - heights.min()) / 0.1).astype(int)
    mode = heights.min() + (np.bincount(bins).argmax() + 0.5) * 0.1
    assert most_common(heights, 0.1) == np.median(heights[np.abs(heights - mode) < 0.1])
