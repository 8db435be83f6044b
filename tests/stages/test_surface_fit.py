"""Bodies fitted to points on their surface: closed forms against sampled ones."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stages.synthetic_frames import yaw_matrix
from vla_sim.stages.shape_fit import Rectangle, half_turn, outermost, quarter_turn
from vla_sim.stages.surface_fit import NUDGE_M, NUDGE_RAD, OUTLIER_M, Surface, fit_surface, normal_equations
from vla_sim.types import Array

SURFACES = [
    Surface("box", 0.025, 0.025),
    Surface("cylinder", 0.03, 0.09),
    Surface("cylinder", 0.034, 0.045, lying=True),
    Surface("sphere", 0.03, 0.03),
]
IDS = ["box", "cylinder", "lying", "sphere"]
offsets = st.floats(-0.008, 0.008)
angles = st.floats(-np.pi, np.pi)


def on_surface(surface: Surface, centre: Array, yaw: float, count: int = 4000) -> Array:
    """[n, 3] points spread over the whole surface."""
    draw = np.random.Generator(np.random.PCG64(0))
    unit = draw.normal(size=(count, 3))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    if surface.kind == "sphere":
        return centre + surface.radius_m * unit
    if surface.kind == "box":
        local = unit / np.abs(unit).max(axis=1, keepdims=True) * surface.radius_m
        return centre + local @ yaw_matrix(yaw).T
    turn = draw.uniform(0, 2 * np.pi, count)
    side = draw.random(count) < surface.half_height_m / (surface.half_height_m + surface.radius_m / 2)
    reach = surface.radius_m * np.where(side, 1.0, np.sqrt(draw.random(count)))
    along = surface.half_height_m * np.where(side, draw.uniform(-1, 1, count), draw.choice([-1, 1], count))
    local = np.column_stack([reach * np.cos(turn), reach * np.sin(turn), along])
    if surface.lying:
        local = local[:, [2, 0, 1]]
    return centre + local @ yaw_matrix(yaw).T


@pytest.mark.parametrize("surface", SURFACES, ids=IDS)
@given(yaw=angles)
def test_points_of_the_surface_are_at_distance_zero(surface: Surface, yaw: float) -> None:
    centre = np.array([0.3, -0.1, 0.75])
    points = on_surface(surface, centre, yaw, 200)
    assert np.abs(surface.distance_m(points, centre, yaw)).max() < 1e-9
    assert np.all(surface.distance_m(centre + 0.9 * (points - centre), centre, yaw) < 0)
    assert np.all(surface.distance_m(centre + 1.1 * (points - centre), centre, yaw) > 0)


@pytest.mark.parametrize("surface", SURFACES, ids=IDS)
@given(yaw=angles, x=st.floats(-1, 1), y=st.floats(-1, 1), z=st.floats(-1, -0.1))
def test_the_silhouette_equals_the_shadow_of_sampled_points(
    surface: Surface, yaw: float, x: float, y: float, z: float
) -> None:
    sight = np.array([x, y, z]) / np.linalg.norm([x, y, z])
    across = np.linalg.svd(sight[None])[2][1:]
    shadow = on_surface(surface, np.zeros(3), yaw) @ across.T
    hull = cv2.convexHull(shadow.astype(np.float32))
    assert surface.silhouette_m2(sight, yaw) == pytest.approx(cv2.contourArea(hull), rel=0.06)


@pytest.mark.parametrize("surface", SURFACES, ids=IDS)
@given(dx=offsets, dy=offsets, dz=offsets, turn=st.floats(-0.15, 0.15))
def test_a_body_is_found_from_the_half_that_faces_the_camera(
    surface: Surface, dx: float, dy: float, dz: float, turn: float
) -> None:
    centre, yaw = np.array([0.3, -0.1, 0.75]), 0.6
    points = on_surface(surface, centre, yaw)
    inward = surface.distance_m(points + 1e-4 * np.array([-0.6, 0.3, 0.75]), centre, yaw)
    seen = points[inward > 5e-6]  # moved towards the camera they leave the body
    found, found_yaw, misfit = fit_surface(surface, seen, centre + (dx, dy, dz), yaw + turn)
    assert found == pytest.approx(centre, abs=0.001)
    assert misfit < 0.001
    if surface.free == 4:
        assert found_yaw == pytest.approx(yaw, abs=0.02)


@pytest.mark.parametrize("surface", SURFACES, ids=IDS)
@given(yaw=angles, dx=offsets, dy=offsets)
def test_the_normal_equations_are_those_of_its_slopes(surface: Surface, yaw: float, dx: float, dy: float) -> None:
    pose = np.array([0.3, -0.1, 0.75, yaw])
    points = on_surface(surface, pose[:3] + (dx, dy, 0.002), yaw, 60)
    free = surface.free
    residual = surface.distance_m(points, pose[:3], yaw)
    nudges = np.diag([NUDGE_M, NUDGE_M, NUDGE_M, NUDGE_RAD])[:free]
    moved = [surface.distance_m(points, (pose + nudge)[:3], yaw + nudge[3]) for nudge in nudges]
    jacobian = np.column_stack([(m - residual) / nudge.max() for m, nudge in zip(moved, nudges, strict=True)])
    weight = 1 / (1 + (residual / OUTLIER_M) ** 2)
    matrix, right = np.empty((free, free)), np.empty(free)
    normal_equations(surface.body, points, pose, matrix, right)
    np.testing.assert_allclose(matrix, (jacobian.T * weight) @ jacobian, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(right, (jacobian.T * weight) @ residual, rtol=1e-6, atol=1e-9)


def test_a_wrong_shape_fits_badly() -> None:
    centre = np.array([0.3, 0.0, 0.73])
    ball, cube = SURFACES[3], Surface("box", 0.03, 0.03)
    points = on_surface(ball, centre, 0.0)
    assert fit_surface(ball, points, centre, 0.0)[2] < 0.001 < 5 * 0.001 < fit_surface(cube, points, centre, 0.0)[2]


@given(angle=st.floats(-20, 20))
def test_turns_keep_the_axis_and_stay_in_range(angle: float) -> None:
    for turn, period in ((half_turn, np.pi), (quarter_turn, np.pi / 2)):
        reduced = turn(angle)
        assert -period / 2 <= reduced <= period / 2
        assert np.cos(2 * np.pi / period * (reduced - angle)) == pytest.approx(1.0)


@given(yaw=st.floats(-1.5, 1.5))
def test_a_rectangle_points_along_its_long_side(yaw: float) -> None:
    corners = np.array([[a, b, 0.0] for a in (-0.1, 0.1) for b in (-0.04, 0.04)]) @ yaw_matrix(yaw).T + (0.3, 0.1, 0.7)
    found = Rectangle.round(corners)
    assert found.centre == pytest.approx([0.3, 0.1], abs=1e-6)
    assert (found.long_m, found.short_m) == pytest.approx((0.2, 0.08), abs=1e-5)
    assert np.cos(2 * (found.yaw_rad - yaw)) == pytest.approx(1.0, abs=1e-6)


coordinates = st.floats(-1, 1, width=32)


@given(st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=80), st.integers(1, 3))
def test_the_outermost_points_have_the_same_hull(points: list[tuple[float, float]], times: int) -> None:
    flat = np.array(points * times, np.float32)
    kept = outermost(flat)
    hulls = [{tuple(corner) for corner in cv2.convexHull(some)[:, 0].tolist()} for some in (flat, kept)]
    assert hulls[0] == hulls[1]
    assert cv2.minAreaRect(kept) == cv2.minAreaRect(flat)


def test_few_points_of_a_cloud_are_outermost() -> None:
    cloud = np.random.Generator(np.random.PCG64(0)).uniform(-1, 1, (4000, 2)).astype(np.float32)
    assert len(outermost(cloud)) < 1200
