"""Places on the floor, against homogeneous matrices."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vla_sim.stages import planar
from vla_sim.types import Array

numbers = st.floats(-20, 20)
poses = st.tuples(numbers, numbers, st.floats(-3.1, 3.1)).map(np.array)
points = st.tuples(numbers, numbers).map(np.array)


def matrix(pose: Array) -> Array:
    cos, sin = np.cos(pose[2]), np.sin(pose[2])
    return np.array([[cos, -sin, pose[0]], [sin, cos, pose[1]], [0, 0, 1]])


@given(poses, poses)
def test_compose_is_the_product_of_matrices(a: Array, b: Array) -> None:
    np.testing.assert_allclose(matrix(planar.compose(a, b)), matrix(a) @ matrix(b), atol=1e-9)


@given(poses)
def test_inverse_undoes(a: Array) -> None:
    np.testing.assert_allclose(planar.compose(planar.inverse(a), a), 0, atol=1e-9)
    np.testing.assert_allclose(matrix(planar.inverse(a)), np.linalg.inv(matrix(a)), atol=1e-9)


@given(poses, points)
def test_apply_and_rotate_are_the_matrix_at_work(a: Array, point: Array) -> None:
    np.testing.assert_allclose(planar.apply(a, point), (matrix(a) @ [*point, 1])[:2], atol=1e-9)
    np.testing.assert_allclose(planar.rotate(a[2], point), matrix(a)[:2, :2] @ point, atol=1e-9)


@given(poses)
def test_of_pose_reads_a_homogeneous_pose(a: Array) -> None:
    pose = np.eye(4)
    pose[:2, :2], pose[:2, 3], pose[2, 3] = matrix(a)[:2, :2], a[:2], 0.3
    np.testing.assert_allclose(planar.of_pose(pose), a, atol=1e-9)


@given(st.floats(-100, 100))
def test_wrap_keeps_the_direction(angle: float) -> None:
    assert -np.pi <= planar.wrap(angle) <= np.pi
    np.testing.assert_allclose(np.exp(1j * planar.wrap(angle)), np.exp(1j * angle), atol=1e-9)


@given(poses, poses)
def test_seen_from_gives_back_where_it_lies(a: Array, b: Array) -> None:
    np.testing.assert_allclose(matrix(planar.compose(a, planar.seen_from(a, b))), matrix(b), atol=1e-9)


@given(poses, st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=5).map(np.array))
def test_moved_is_the_matrix_at_work_on_every_point_and_keeps_heights(a: Array, points: Array) -> None:
    homogeneous = np.column_stack([points[:, :2], np.ones(len(points))])
    before = points.copy()
    moved = planar.moved(a, points)
    np.testing.assert_allclose(moved[:, :2], (homogeneous @ matrix(a).T)[:, :2], atol=1e-9)
    np.testing.assert_array_equal(moved[:, 2], before[:, 2])
    np.testing.assert_array_equal(points, before)
