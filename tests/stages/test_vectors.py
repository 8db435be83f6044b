"""Arithmetic on short vectors, against NumPy's own."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vla_sim.stages.vectors import clipped, norm

vectors = st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=20).map(np.array)


@given(vectors, st.floats(-10, 0), st.floats(0, 10))
def test_clipped_is_clip(values: np.ndarray, low: float, high: float) -> None:
    np.testing.assert_array_equal(clipped(values, low, high), np.clip(values, low, high))
    np.testing.assert_array_equal(clipped(values, values + 1, values + 2), values + 1)
    assert np.isnan(clipped(np.array([np.nan]), low, high)).all()  # never a way to make a number of what is none


@given(vectors)
def test_norm_is_the_euclidean_length(values: np.ndarray) -> None:
    np.testing.assert_allclose(norm(values), np.linalg.norm(values), rtol=1e-12)
