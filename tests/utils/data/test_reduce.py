"""Reducing keeps rows in place and is the same for the same seed."""

from __future__ import annotations

import pytest
import torch

from utils.data.reduce import ReduceError, reduce_vectors


def test_points_on_a_line_keep_their_distances_in_one_axis() -> None:
    # 3, 4 has length 5, so rows 0, 1, 3 of that step lie at 0, 5 and 15; pca puts their mean, 20/3, at 0.
    line = torch.tensor([[0.0, 0], [3, 4], [9, 12]])
    reduced, kept = reduce_vectors(line, 1, "pca", seed=1)
    found = reduced[:, 0] * reduced[2, 0].sign()
    assert found.tolist() == pytest.approx([0 - 20 / 3, 5 - 20 / 3, 15 - 20 / 3], abs=1e-5)
    assert kept == pytest.approx(1)


def test_the_share_of_variance_is_that_of_the_axes_kept() -> None:
    # Variances 9 and 1 along the two axes: one axis keeps 9 of 10.
    cross = torch.tensor([[3.0, 0], [-3, 0], [0, 1], [0, -1]])
    assert reduce_vectors(cross, 1, "pca", seed=1)[1] == pytest.approx(0.9)


def test_row_i_stays_row_i() -> None:
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(20, 6, generator=generator)
    order = torch.randperm(20, generator=generator)
    straight, _ = reduce_vectors(vectors, 3, "pca", seed=1)
    shuffled, _ = reduce_vectors(vectors[order], 3, "pca", seed=1)
    torch.testing.assert_close(shuffled.abs(), straight[order].abs())


def test_umap_is_the_same_for_the_same_seed() -> None:
    vectors = torch.randn(30, 6, generator=torch.Generator().manual_seed(0))
    (first, kept), (second, _), (other, _) = (reduce_vectors(vectors, 2, "umap", seed) for seed in (5, 5, 6))
    assert first.shape == (30, 2)
    assert first.dtype == torch.float32
    assert kept is None
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("method", "dimension", "said"),
    [
        ("pca", 5, r"the vectors are \(4, 6\); pca gives at most 4 axes"),
        ("umap", 3, "the vectors have 4 rows; umap gives at most 2 axes"),
    ],
)
def test_more_axes_than_the_vectors_have_is_the_dimensions_fault(method: str, dimension: int, said: str) -> None:
    with pytest.raises(ReduceError, match=said) as caught:
        reduce_vectors(torch.ones(4, 6), dimension, method, seed=1)  # type: ignore[arg-type]
    assert caught.value.parameter == "dimension"
