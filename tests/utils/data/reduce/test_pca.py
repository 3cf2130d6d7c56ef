"""PCA keeps distances along its axes, and knows what it leaves out."""

from __future__ import annotations

import numpy as np
import pytest

from utils.data.reduce.pca import pca


def test_points_on_a_line_keep_their_distances_in_one_axis() -> None:
    # 3, 4 has length 5, so rows 0, 1, 3 of that step lie at 0, 5 and 15; pca puts their mean, 20/3, at 0.
    line = np.array([[0.0, 0], [3, 4], [9, 12]])
    fitted = pca(line, 1)
    assert fitted(line)[:, 0].tolist() == pytest.approx([0 - 20 / 3, 5 - 20 / 3, 15 - 20 / 3])
    assert fitted.variance_kept == pytest.approx(1)


def test_the_share_of_variance_is_that_of_the_axes_kept() -> None:
    # Variances 9 and 1 along the two axes: one axis keeps 9 of 10.
    cross = np.array([[3.0, 0], [-3, 0], [0, 1], [0, -1]])
    assert pca(cross, 1).variance_kept == pytest.approx(0.9)
