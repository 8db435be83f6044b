"""Distances, overlaps and ways on the floor, against sampling and against what a drawing shows."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs import scene_file
from envs.floor_plan import FloorPlan, Polygon, Rect, floor_plan, furniture_rect
from envs.scene_file import Area, Furniture, Scene
from envs.site import standing_point

COORDINATE = st.floats(-3, 3)
RECTS = st.builds(Rect, st.just("r"), COORDINATE, COORDINATE, st.floats(-4, 4), st.floats(0.1, 1), st.floats(0.1, 1))


@given(RECTS, COORDINATE, COORDINATE)
def test_a_rectangle_is_as_far_as_its_polygon(rect: Rect, x: float, y: float) -> None:
    points = np.array([x]), np.array([y])
    assert rect.distance_m(*points) == pytest.approx(Polygon("p", rect.corners).distance_m(*points), abs=1e-9)


@settings(max_examples=60)
@given(RECTS, RECTS)
def test_rectangles_overlap_when_they_share_a_point(a: Rect, b: Rect) -> None:
    u, v = np.meshgrid(np.linspace(-1, 1, 41), np.linspace(-1, 1, 41))
    c, s = math.cos(a.yaw_rad), math.sin(a.yaw_rad)
    x, y = u * a.half_x, v * a.half_y
    shared = bool((b.distance_m(a.x + c * x - s * y, a.y + s * x + c * y) == 0.0).any())
    depth = a.overlap_m(b)
    assert depth == pytest.approx(b.overlap_m(a), abs=1e-9)
    if shared:
        assert depth >= -1e-9
    if depth > 0.15:  # more than the sampling can miss
        assert shared


def test_a_way_leads_through_the_doors_and_keeps_its_distance() -> None:
    scene = scene_file.load("apartment")
    plan = floor_plan(scene, zones=True)
    goal = standing_point(scene, "kitchen table")[:2]
    way = plan.way((1.4, 5.5), goal, 0.35)
    assert way[0] == pytest.approx((1.4, 5.5))
    assert way[-1] == pytest.approx(goal)
    clear = [plan.clearance_along_m(a, b)[0] for a, b in pairwise(way)]
    assert min(clear) > 0.30
    length = sum(math.dist(a, b) for a, b in pairwise(way))
    assert math.dist(way[0], way[-1]) < length < 12.0


def test_no_way_is_no_way() -> None:
    plan = floor_plan(scene_file.load("apartment"), zones=True)
    assert plan.way((2.4, 2.6), (7.0, 5.5), 0.35) == []  # the storage room is off limits
    assert not plan.reachable((2.4, 2.6), (7.0, 5.5), 0.30)
    assert floor_plan(scene_file.load("apartment")).reachable((2.4, 2.6), (7.0, 5.5), 0.30)


def test_the_bottleneck_is_where_it_is_narrow() -> None:
    posts = Furniture("left", "box", (2.0, -1.7), (0.2, 2.8)), Furniture("right", "box", (2.0, 1.7), (0.2, 2.8))
    room = Area("room", rectangle=(-1, -3, 5, 3))
    plan = FloorPlan(Scene("gap", (0.0, 0.0, 0.0), rooms=(room,), furniture=posts))
    assert plan.reachable((0, 0), (3.5, 0), 0.25)
    assert not plan.reachable((0, 0), (3.5, 0), 0.4)
    assert plan.bottleneck((0, 0), (3.5, 0), 0.4) == pytest.approx((2.0, 0.0), abs=0.1)


def test_one_more_thing_leaves_the_plan_as_it_was() -> None:
    plan = FloorPlan(scene_file.load("table"))
    box = Furniture("box", "box", (-1.0, 0.0), (0.4, 0.4))
    before = plan.clearance_m(-1.0, 0.0)
    with_box = plan.having(box)
    assert with_box.clearance_m(-1.0, 0.0) == 0.0
    assert plan.clearance_m(-1.0, 0.0) == before > 0.0
    assert with_box.nearest_thing(-1.1, 0.0) == "box"
    assert furniture_rect(box).to_line_m(np.array([-2.0, 0.7]), np.array([0.0, 0.7])) == pytest.approx(0.5, abs=0.01)
