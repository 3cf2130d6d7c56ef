"""Random projection keeps distances on average, whatever the vectors are."""

from __future__ import annotations

import numpy as np
import pytest

from utils.data.reduce.random_projection import random_projection


def test_entries_have_variance_one_over_the_dimension_and_nothing_is_subtracted() -> None:
    fitted = random_projection(np.ones((3, 400)), 100, seed=1)
    # 40,000 draws: the variance of their mean square is 2 / 40,000, so three deviations are 3 * sqrt(2) / 200.
    assert (fitted.matrix**2).mean() * 100 == pytest.approx(1, abs=3 * np.sqrt(2) / 200)
    assert fitted.mean.tolist() == [0] * 400
    assert fitted.variance_kept is None


def test_squared_distances_survive_on_average() -> None:
    vectors = np.random.default_rng(0).normal(size=(40, 300))
    projected = random_projection(vectors, 200, seed=1)(vectors)
    before, after = (((rows[:20] - rows[20:]) ** 2).sum(axis=1) for rows in (vectors, projected))
    # Each ratio has deviation sqrt(2 / 200) = 0.1; that of the mean of 20 is 0.1 / sqrt(20) = 0.022.
    assert (after / before).mean() == pytest.approx(1, abs=3 * 0.1 / np.sqrt(20))
    assert (np.abs(after / before - 1) < 0.4).all()


def test_the_matrix_depends_on_the_seed_and_not_on_the_vectors() -> None:
    first, same, other = (
        random_projection(np.full((2, 6), value), 3, seed).matrix for value, seed in ((1.0, 5), (2.0, 5), (1.0, 6))
    )
    assert (first == same).all()
    assert (first != other).all()
