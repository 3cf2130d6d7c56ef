"""The approximate index finds nearly all, the same each time, with products that are exact."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from utils.retrieval.inverted import FEWEST, Inverted

pytest.importorskip("faiss")


def _topics(n_topics: int, each: int, dim: int) -> torch.Tensor:
    """Unit rows [n_topics * each, dim]: around the directions of topics, `each` near to one another."""
    generator = torch.Generator().manual_seed(2)
    topics = torch.nn.functional.normalize(torch.randn(n_topics, dim, generator=generator), dim=1)
    noise = 0.5 * torch.randn(n_topics * each, dim, generator=generator) / dim**0.5
    return torch.nn.functional.normalize(topics.repeat_interleave(each, dim=0) + noise, dim=1)


# 62 entries are no whole number of codes.
@pytest.mark.parametrize("dim", [62, 64])
def test_nearly_all_of_the_nearest_are_found_with_exact_products(dim: int) -> None:
    vectors = _topics(150, 20, dim)
    # Backwards: places are those in `rows`.
    rows = np.arange(0, 3_000)[::-1].copy()
    products, places = Inverted.of(vectors, rows).search(vectors, 5)
    every = vectors @ vectors[rows].T
    truth = every.topk(5, dim=1).indices.tolist()
    recall = np.mean([len({*wanted} & {*found}) / 5 for wanted, found in zip(truth, places.tolist(), strict=True)])
    assert recall > 0.95
    np.testing.assert_allclose(products, every.gather(1, torch.from_numpy(places)), atol=1e-6)


def test_the_same_vectors_give_the_same_index() -> None:
    # Without topics it is chance, the seed's, which of the nearest are missed.
    vectors = torch.nn.functional.normalize(torch.randn(FEWEST, 64, generator=torch.Generator().manual_seed(3)), dim=1)
    rows = np.arange(FEWEST)
    first, second = (Inverted.of(vectors, rows).search(vectors, 20)[1] for _ in range(2))
    assert first.tolist() == second.tolist()
    truth = (vectors @ vectors.T).topk(20, dim=1).indices.numpy()
    assert (np.sort(first, axis=1) != np.sort(truth, axis=1)).any()


def test_places_that_the_lists_do_not_fill_are_empty() -> None:
    vectors = _topics(150, 20, 64)
    _, places = Inverted.of(vectors, np.arange(3_000)).search(vectors[:1], 3_000)
    assert places[0, 0] == 0
    assert places[0, -1] == -1
