"""The detector against the worlds' own cameras, and against a ray-caster that shares no code with them."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

import envs
from envs.scene import Layout, Placement
from envs.task_env import TaskEnv
from tests.stages.synthetic_frames import item, lying, render, room
from vla_sim.catalogue import COLOURS, GRASPABLE, SHAPES
from vla_sim.stages.perception import ColourShapeDetector, DetectorConfig
from vla_sim.stages.shape_fit import Cloud, best_fit
from vla_sim.types import Array, Detection, Detections, Frame, ObjectQuery

SEEDS = range(40)
FOUND_WITHIN_M = 0.03


@pytest.fixture(scope="module")
def env() -> Iterator[TaskEnv]:
    made = envs.make("VlaSim/PickPlace-v0")
    yield made
    made.close()


@pytest.fixture(scope="module")
def detect() -> ColourShapeDetector:
    return ColourShapeDetector()


def capture(env: TaskEnv, *placements: Placement, seed: int = 0) -> Frame:
    env.world.build(Layout(placements))
    env.cameras.rebuild(seed)
    return env.capture("head")


def nearest(found: Detections, query: ObjectQuery, position: Array) -> Detection | None:
    """The detection that fits a query and lies within reach of its true place."""
    fits = [d for d in found.items if (d.shape, d.colour) == (query.shape, query.colour)]
    close = [d for d in fits if np.hypot(*(d.position_in_base - position)[:2]) < FOUND_WITHIN_M]
    return close[0] if close else None


def quarter(angle_rad: float) -> float:
    """What a cube's yaw is off by: it looks the same every quarter turn."""
    return abs((angle_rad + np.pi / 4) % (np.pi / 2) - np.pi / 4)


@pytest.fixture(scope="module")
def survey(env: TaskEnv, detect: ColourShapeDetector) -> dict[str, Array]:
    """Errors over many scenes: position [n, 3] m, yaw of cubes [m] rad, counts [total, missed, invented]."""
    errors, yaws, total, missed, invented = [], [], 0, 0, 0
    for seed in SEEDS:
        env.restart(seed)
        found = detect(env.capture("head"))
        world = env.world
        assert world.layout.tray is not None
        assert world.tray is not None
        placed = (*world.layout.placements, world.layout.tray)
        truth = list(zip(placed, [*world.objects, world.tray], strict=True))
        used = []
        for placement, body in truth:
            total += 1
            position, rotation = world.pose(body)
            got = nearest(found, placement.query, position)
            if got is None:
                missed += 1
                continue
            used.append(id(got))
            errors.append(got.position_in_base - position)
            if placement.query.shape == "cube":
                yaws.append(quarter(float(np.arctan2(rotation[1, 0], rotation[0, 0])) - got.yaw_rad))
        invented += len(found.items) - len(used)
    return {"position": np.array(errors), "yaw": np.array(yaws), "counts": np.array([total, missed, invented])}


def test_almost_everything_is_found_and_hardly_anything_invented(survey: dict[str, Array]) -> None:
    total, missed, invented = survey["counts"]
    assert total >= 150
    assert missed <= 0.02 * total
    assert invented <= 0.02 * total


def test_positions_are_right_to_millimetres(survey: dict[str, Array]) -> None:
    off = np.abs(survey["position"])
    middle, most = np.median(off, axis=0), np.percentile(off, 95, axis=0)
    assert max(middle) < 0.0012
    assert max(most) < 0.002
    assert off.max() < 0.005
    assert np.abs(np.median(survey["position"], axis=0)[:2]).max() < 0.0005  # no bias across the table


def test_cubes_are_turned_as_they_stand(survey: dict[str, Array]) -> None:
    assert len(survey["yaw"]) >= 20
    assert np.degrees(np.percentile(survey["yaw"], 95)) < 1.5


def test_two_of_one_colour_and_shape_are_two(env: TaskEnv, detect: ColourShapeDetector) -> None:
    query = ObjectQuery("cube", "green")
    found = detect(capture(env, Placement(query, 0.30, 0.20, 0.3), Placement(query, 0.30, 0.30, -0.2))).items
    assert [(d.shape, d.colour) for d in found] == [("cube", "green")] * 2
    assert sorted(d.position_in_base[1] for d in found) == pytest.approx([0.20, 0.30], abs=0.003)


def test_two_of_one_colour_whose_pixels_touch_are_two(env: TaskEnv, detect: ColourShapeDetector) -> None:
    """A mug hides the foot of a bottle of its colour behind it: one patch in the image, two things on the table."""
    bottle, mug = ObjectQuery("bottle", "blue"), ObjectQuery("mug", "blue")
    found = detect(capture(env, Placement(mug, 0.27, 0.0, 0.0), Placement(bottle, 0.39, 0.0, 0.0)))
    for query, x in ((mug, 0.27), (bottle, 0.39)):
        assert nearest(found, query, np.array([x, 0.0, 0.0])) is not None, query


def test_an_empty_table_holds_nothing(env: TaskEnv, detect: ColourShapeDetector) -> None:
    frame = capture(env)
    assert detect(frame) == Detections(frame.time_s, ())


def test_depth_that_hit_nothing_shows_nothing(env: TaskEnv, detect: ColourShapeDetector) -> None:
    frame = capture(env, Placement(ObjectQuery("cube", "red"), 0.3, 0.2, 0.0))
    assert len(detect(frame).items) == 1
    for nothing in (np.inf, 0.0, np.nan):
        blind = replace(frame, depth_m=np.full(frame.rgb.shape[:2], nothing, np.float32))
        assert detect(blind).items == ()


def test_a_camera_without_depth_is_an_error_that_names_it(env: TaskEnv, detect: ColourShapeDetector) -> None:
    with pytest.raises(ValueError, match="'head' gives no depth"):
        detect(replace(capture(env), depth_m=None))


def test_the_simulators_labels_are_never_read(env: TaskEnv, detect: ColourShapeDetector) -> None:
    env.restart(3)
    frame = env.capture("head")
    garbage = np.random.default_rng(0).integers(-9, 99, frame.rgb.shape[:2]).astype(np.int32)
    plain, odd = detect(replace(frame, segmentation=None)), detect(replace(frame, segmentation=garbage))
    assert len(plain.items) > 0
    assert [str(d) for d in plain.items] == [str(d) for d in odd.items] == [str(d) for d in detect(frame).items]


def test_the_frame_is_left_alone(env: TaskEnv, detect: ColourShapeDetector) -> None:
    frame = capture(env, Placement(ObjectQuery("ball", "cyan"), 0.3, 0.2, 0.0))
    assert frame.depth_m is not None
    rgb, depth = frame.rgb.copy(), frame.depth_m.copy()
    detect(frame)
    assert np.array_equal(frame.rgb, rgb)
    assert np.array_equal(frame.depth_m, depth)


def test_what_is_returned_is_best_first_and_no_more_than_asked(env: TaskEnv, detect: ColourShapeDetector) -> None:
    env.restart(1)
    frame = env.capture("head")
    sure = [d.confidence for d in detect(frame).items]
    assert sure == sorted(sure, reverse=True)
    assert min(sure) >= detect.config.confidence_min
    fewer = ColourShapeDetector(DetectorConfig(detections_max=2))(frame).items
    assert [d.confidence for d in fewer] == sure[:2]


# Against the second renderer


@pytest.mark.parametrize("colour", sorted(COLOURS))
@pytest.mark.parametrize("shape", GRASPABLE)
def test_every_shape_in_every_colour(detect: ColourShapeDetector, shape: str, colour: str) -> None:
    frame = render([*room(), *item(shape, colour, 0.32, 0.22, 0.2)], np.random.default_rng(5), time_s=1.25)
    found = detect(frame)
    assert found.time_s == 1.25
    assert [(d.shape, d.colour, d.lying) for d in found.items] == [(shape, colour, False)]
    got = found.items[0]
    assert got.position_in_base == pytest.approx([0.32, 0.22, 0.70 + SHAPES[shape].height_m / 2], abs=0.003)
    assert got.top_m == pytest.approx(0.70 + SHAPES[shape].height_m, abs=0.003)
    assert got.visible > 0.75
    u0, v0, width, height = got.bbox_px
    assert 0 <= u0 < u0 + width <= 320
    assert 0 <= v0 < v0 + height <= 240


@pytest.mark.parametrize(("shape", "yaw"), [("bottle", 0.4), ("bottle", -1.0), ("mug", 0.9)])
def test_what_has_fallen_over_is_seen_lying(detect: ColourShapeDetector, shape: str, yaw: float) -> None:
    found = detect(render([*room(), *lying(shape, "purple", 0.32, 0.22, yaw)], np.random.default_rng(6))).items
    assert [(d.shape, d.lying) for d in found] == [(shape, True)]
    assert found[0].position_in_base[:2] == pytest.approx([0.32, 0.22], abs=0.008)
    assert abs((found[0].yaw_rad - yaw + np.pi / 2) % np.pi - np.pi / 2) < np.radians(8)


@pytest.mark.parametrize("yaw", [0.0, 0.5])
def test_a_tray_knows_where_its_long_side_points(detect: ColourShapeDetector, yaw: float) -> None:
    found = detect(render([*room(), *item("tray", "yellow", 0.36, 0.0, yaw)], np.random.default_rng(7))).items
    assert [d.shape for d in found] == ["tray"]
    assert found[0].position_in_base[:2] == pytest.approx([0.36, 0.0], abs=0.006)
    assert found[0].yaw_rad == pytest.approx(yaw, abs=np.radians(4))


def test_a_table_of_another_height_is_no_matter(detect: ColourShapeDetector) -> None:
    bodies = [*room(0.78), *item("cube", "red", 0.32, 0.22, 0.2, foot=0.78)]
    found = detect(render(bodies, np.random.default_rng(8))).items
    assert [(d.shape, d.colour) for d in found] == [("cube", "red")]
    assert found[0].position_in_base[2] == pytest.approx(0.805, abs=0.003)


def test_an_object_cut_off_by_the_border_counts_as_hardly_visible(detect: ColourShapeDetector) -> None:
    whole, cut = (detect(render([*room(), *item("mug", "blue", 0.32, y)])).items for y in (0.20, 0.47))
    assert [d.shape for d in (*whole, *cut)] == ["mug", "mug"]
    assert cut[0].bbox_px[0] == 0
    assert whole[0].visible > 0.9
    assert cut[0].visible <= 0.3


# The fit alone


def cap_of_ball(centre: Array, eye: Array, rng: np.random.Generator) -> Array:
    """Points of the half of a ball of the catalogue's size that faces `eye`."""
    out = rng.normal(size=(4000, 3))
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    return centre + 0.03 * out[out @ (eye - centre) > 0.3 * np.linalg.norm(eye - centre)]


def test_a_ball_is_fitted_from_its_near_side() -> None:
    centre, eye = np.array([0.3, 0.2, 0.73]), np.array([0.06, 0.0, 1.2])
    points = cap_of_ball(centre, eye, np.random.default_rng(1))
    fit = best_fit(Cloud(points, np.pi * 0.03**2 / len(points), eye, 0.70))
    assert fit is not None
    assert fit.shape == "ball"
    assert fit.position == pytest.approx(centre, abs=1e-3)


def test_what_is_like_nothing_known_is_nothing() -> None:
    points = np.random.default_rng(2).uniform((0.2, 0.1, 0.7), (0.6, 0.5, 1.1), (800, 3))
    assert best_fit(Cloud(points, 1e-6, np.array([0.06, 0.0, 1.2]), 0.70)) is None
