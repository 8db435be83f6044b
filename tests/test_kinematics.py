"""The base frame between the feet, by a second method."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vla_sim.kinematics import pose_between_feet
from vla_sim.types import Array

tilts, places = st.floats(-0.6, 0.6), st.floats(-2, 2)


def foot_at(x: float, y: float, yaw: float, pitch: float, roll: float) -> Array:
    """[4, 4] near each other in heading, as the feet of one robot are."""
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("ZYX", [2.0 + yaw, pitch, roll]).as_matrix()
    pose[:3, 3] = x, y, 0.3 * roll
    return pose


feet = st.builds(foot_at, places, places, tilts, tilts, tilts)


@given(feet, feet, st.floats(0, 0.1))
def test_it_lies_below_the_middle_with_the_mean_axes(left: Array, right: Array, sole_m: float) -> None:
    pose = pose_between_feet(left, right, sole_m)
    up = left[:3, 2] + right[:3, 2]
    left_of = np.cross(up, left[:3, 0] + right[:3, 0])
    axes = [np.cross(left_of, up), left_of, up]
    expected = np.column_stack([axis / np.linalg.norm(axis) for axis in axes])
    np.testing.assert_allclose(pose[:3, :3], expected, atol=1e-12)
    np.testing.assert_allclose(pose[:3, 3], (left + right)[:3, 3] / 2 - sole_m * expected[:, 2], atol=1e-12)
    np.testing.assert_array_equal(pose[3], [0, 0, 0, 1])


@given(feet)
def test_of_one_foot_it_is_the_foot_itself_at_its_sole(foot: Array) -> None:
    lowered = foot.copy()
    lowered[:3, 3] -= 0.03 * foot[:3, 2]
    np.testing.assert_allclose(pose_between_feet(foot, foot, 0.03), lowered, atol=1e-12)
