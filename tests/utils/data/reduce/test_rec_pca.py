"""Rec-PCA trades variance for closeness of what occurs together; the graph is never made as a full matrix."""

from __future__ import annotations

import numpy as np
import pytest

from utils.data.reduce.baskets import baskets_of
from utils.data.reduce.pca import pca
from utils.data.reduce.rec_pca import rec_pca, total_variation

ROWS = ("a", "b", "c", "d")


def _baskets(*baskets: str):
    pairs = [(row, f"u{number}") for number, basket in enumerate(baskets) for row in basket]
    return baskets_of(ROWS, [row for row, _ in pairs], [holder for _, holder in pairs])


def test_total_variation_is_what_the_full_laplacian_gives() -> None:
    # u0 has a, b; u1 has a, b, c: a and b share two baskets, a and c as well as b and c one; d is alone.
    baskets = _baskets("ab", "abc", "d")
    shared = np.array([[0.0, 2, 1, 0], [2, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0]])
    degrees = np.array([3.0, 3, 2])
    laplacian = np.zeros((4, 4))
    laplacian[:3, :3] = np.eye(3) - shared[:3, :3] / np.sqrt(np.outer(degrees, degrees))
    vectors = np.random.default_rng(0).normal(size=(4, 3))
    np.testing.assert_allclose(total_variation(vectors, baskets), vectors.T @ laplacian @ vectors, atol=1e-12)


def test_without_smoothness_it_is_pca() -> None:
    vectors = np.random.default_rng(0).normal(size=(4, 3)) + 5
    smooth, plain = rec_pca(vectors, 2, _baskets("ab", "cd"), smoothness=0), pca(vectors, 2)
    np.testing.assert_allclose(smooth.matrix, plain.matrix, atol=1e-9)
    np.testing.assert_allclose(smooth.mean, plain.mean)
    assert smooth.variance_kept == pytest.approx(plain.variance_kept)


# Along the first axis the pairs a, b and c, d differ within themselves; along the second only from each other.
VECTORS = np.array([[3.0, 2], [-3, 2], [3, -2], [-3, -2]])
PAIRS = _baskets("ab", "cd")


def test_the_axis_along_which_those_taken_together_are_alike_wins() -> None:
    # Variance: 4 * 9 against 4 * 4. Total variation: within a pair x and -x cost 2 * (x^2 + x^2), so 72 against 0.
    assert total_variation(VECTORS, PAIRS).tolist() == [[72, 0], [0, 0]]
    # 36 - s * 72 < 16 where s > 20 / 72.
    below, above = (rec_pca(VECTORS, 1, PAIRS, smoothness=20 / 72 + step) for step in (-0.01, 0.01))
    assert below.matrix[:, 0].tolist() == pytest.approx([1, 0])
    assert above.matrix[:, 0].tolist() == pytest.approx([0, 1])
    assert (below.variance_kept, above.variance_kept) == (pytest.approx(36 / 52), pytest.approx(16 / 52))


def test_the_axes_are_the_best_of_all_orthonormal_ones() -> None:
    rng = np.random.default_rng(0)
    vectors, baskets = rng.normal(size=(4, 4)), _baskets("ab", "bcd", "ac")
    centred = vectors - vectors.mean(axis=0)
    aim = centred.T @ centred - 0.7 * total_variation(centred, baskets)
    found = rec_pca(vectors, 2, baskets, smoothness=0.7).matrix
    others = [np.linalg.qr(rng.normal(size=(4, 2)))[0] for _ in range(200)]
    assert np.trace(found.T @ aim @ found) >= max(np.trace(other.T @ aim @ other) for other in others)
    np.testing.assert_allclose(found.T @ found, np.eye(2), atol=1e-12)


def test_rows_that_share_no_basket_cost_nothing() -> None:
    assert total_variation(VECTORS, _baskets("a", "b", "cd"))[0, 0] == 2 * (9 + 9)
    assert not total_variation(VECTORS, _baskets("a", "b")).any()
