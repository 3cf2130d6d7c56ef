"""Reducing keeps rows in place, is the same for the same seed, and can be done again from what is kept."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from utils.data.reduce.base import ReduceError
from utils.data.reduce.baskets import baskets_of
from utils.data.reduce.methods import reduce_vectors

TOKENS = [f"i{number}" for number in range(20)]
BASKETS = baskets_of(TOKENS, TOKENS, [f"u{number % 4}" for number in range(20)])
METHODS: dict[str, dict[str, Any]] = {
    "pca": {},
    "whiten": {"epsilon": 1e-5},
    "rec_pca": {"smoothness": 1.0, "baskets": BASKETS},
    "random_projection": {"seed": 3},
}


def _vectors(rows: int = 20, width: int = 6) -> torch.Tensor:
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(0)) + 1


@pytest.mark.parametrize("method", METHODS)
def test_the_map_that_is_kept_makes_the_vectors_again(method: str) -> None:
    reduced = reduce_vectors(_vectors(), 3, method, **METHODS[method])
    assert reduced.vectors.shape == (20, 3)
    assert reduced.vectors.dtype == torch.float32
    assert reduced.projection is not None
    torch.testing.assert_close(reduced.projection(_vectors()), reduced.vectors, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_again_is_the_same(method: str) -> None:
    first, second = (reduce_vectors(_vectors(), 3, method, **METHODS[method]).vectors for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("method", ["pca", "whiten", "rec_pca"])
def test_the_largest_entry_of_an_axis_is_positive(method: str) -> None:
    for vectors in (_vectors(), -_vectors()):
        projection = reduce_vectors(vectors, 3, method, **METHODS[method]).projection
        assert projection is not None
        largest = projection.matrix.abs().argmax(dim=0)
        assert (projection.matrix[largest, torch.arange(3)] > 0).all()


def test_row_i_stays_row_i() -> None:
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    straight, shuffled = (reduce_vectors(rows, 3, "pca").vectors for rows in (_vectors(), _vectors()[order]))
    torch.testing.assert_close(shuffled, straight[order])


def test_normalized_rows_have_length_1_and_a_row_of_zeros_stays_one() -> None:
    # Their mean is 0, so pca leaves the lengths 5, 5 and 0.
    vectors = torch.tensor([[3.0, 4], [-3, -4], [0, 0]])
    reduced = reduce_vectors(vectors, 2, "pca", normalize=True).vectors
    assert reduced.norm(dim=1).tolist() == pytest.approx([1, 1, 0], abs=1e-6)
    assert not torch.isnan(reduced).any()


def test_umap_is_the_same_for_the_same_seed() -> None:
    first, second, other = (reduce_vectors(_vectors(30), 2, "umap", seed=seed) for seed in (5, 5, 6))
    assert first.vectors.shape == (30, 2)
    assert first.vectors.dtype == torch.float32
    assert (first.projection, first.variance_kept) == (None, None)
    assert torch.equal(first.vectors, second.vectors)
    assert not torch.equal(first.vectors, other.vectors)


@pytest.mark.parametrize(
    ("method", "options", "dimension", "said"),
    [
        ("pca", {}, 5, r"the vectors are \(4, 6\); pca gives at most 4 axes"),
        ("whiten", {"epsilon": 1.0}, 5, r"the vectors are \(4, 6\); whiten gives at most 4 axes"),
        ("rec_pca", {"smoothness": 1.0, "baskets": BASKETS}, 5, r"the vectors are \(4, 6\); rec_pca gives at most 4"),
        ("random_projection", {"seed": 1}, 7, r"the vectors are \(4, 6\); random_projection gives at most 6 axes"),
        ("umap", {"seed": 1}, 3, "the vectors have 4 rows; umap gives at most 2 axes"),
    ],
)
def test_more_axes_than_there_can_be_are_the_dimensions_fault(
    method: str, options: dict[str, Any], dimension: int, said: str
) -> None:
    with pytest.raises(ReduceError, match=said) as caught:
        reduce_vectors(_vectors(4), dimension, method, **options)
    assert caught.value.parameter == "dimension"
