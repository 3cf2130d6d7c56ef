"""Whitened axes vary equally and independently."""

from __future__ import annotations

import numpy as np
import pytest

from utils.data.reduce.base import ReduceError
from utils.data.reduce.whiten import whiten

# Variances over n: (9 + 9) / 4 along the first axis, (1 + 1) / 4 along the second.
CROSS = np.array([[3.0, 0], [-3, 0], [0, 1], [0, -1]])


def test_the_covariance_is_the_identity() -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 5)) @ np.random.default_rng(1).normal(size=(5, 5)) + 7
    white = whiten(vectors, 5, epsilon=0)(vectors)
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(white.T @ white / 50, np.eye(5), atol=1e-9)


def test_epsilon_is_added_to_the_variance() -> None:
    white = whiten(CROSS, 2, epsilon=0.5)(CROSS)
    assert white[0].tolist() == pytest.approx([3 / np.sqrt(18 / 4 + 0.5), 0])
    assert white[2].tolist() == pytest.approx([0, 1 / np.sqrt(2 / 4 + 0.5)])


def test_the_axes_are_those_of_pca_in_their_order() -> None:
    fitted = whiten(CROSS, 1, epsilon=0)
    assert fitted.variance_kept == pytest.approx(18 / (18 + 2))
    assert fitted.matrix[:, 0].tolist() == pytest.approx([1 / np.sqrt(18 / 4), 0])


def test_an_axis_without_variance_needs_epsilon() -> None:
    line = np.array([[0.0, 0, 1], [3, 4, 1], [9, 12, 1]])
    with pytest.raises(ReduceError, match="the vectors vary along 1 axes; give epsilon, or fewer axes") as caught:
        whiten(line, 2, epsilon=0)
    assert caught.value.parameter == "epsilon"
    np.testing.assert_allclose(whiten(line, 2, epsilon=1e-5)(line)[:, 1], 0, atol=1e-6)
