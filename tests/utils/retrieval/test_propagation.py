"""Order 2: a node's vector with its neighbours'."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from utils.data.kg.graph import KnowledgeGraph
from utils.retrieval.propagation import propagate

# a touches b twice, c and d once; c touches itself as well, and e nothing but itself.
TRIPLES = [("a", "p", "b"), ("b", "q", "a"), ("c", "p", "a"), ("a", "p", "d"), ("c", "q", "c"), ("e", "p", "e")]
GRAPH = KnowledgeGraph.of(*zip(*TRIPLES, strict=True))
A, B, C, D, E = range(5)


def _vectors(*rows: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float32)


def _unit(*row: float) -> torch.Tensor:
    length = math.hypot(*row)
    return torch.tensor([value / length for value in row])


X = _vectors((1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0), (1, 1, 0))


def test_the_mean_is_half_a_nodes_own_and_half_its_neighbours() -> None:
    out = propagate(GRAPH.adjacency, X, "mean")
    # b counts once, though two triples lead to it; d says nothing: (1, 0, 0) / 2 + ((0, 1, 0) + (0, 0, 1)) / 2 / 2.
    torch.testing.assert_close(out[A], _unit(1 / 2, 1 / 4, 1 / 4))
    torch.testing.assert_close(out[B], _unit(1 / 2, 1 / 2, 0))


def test_triples_count_in_both_directions_and_nobody_is_their_own_neighbour() -> None:
    out = propagate(GRAPH.adjacency, X, "mean")
    torch.testing.assert_close(out[C], _unit(1 / 2, 0, 1 / 2))


def test_a_node_that_says_nothing_says_what_its_neighbours_do() -> None:
    torch.testing.assert_close(propagate(GRAPH.adjacency, X, "mean")[D], _unit(1, 0, 0))


@pytest.mark.parametrize("how", ["mean", "ppr"])
def test_a_node_without_neighbours_keeps_its_vector(how: str) -> None:
    torch.testing.assert_close(propagate(GRAPH.adjacency, X, how)[E], _unit(1, 1, 0))


@pytest.mark.parametrize("how", ["mean", "ppr"])
def test_a_node_of_which_nothing_is_known_stays_zero(how: str) -> None:
    out = propagate(GRAPH.adjacency, torch.zeros(5, 3), how)
    assert torch.equal(out, torch.zeros(5, 3))


def test_ppr_comes_near_the_exact_personalised_pagerank() -> None:
    rng = np.random.default_rng(1)
    triples = np.unique(rng.integers(0, [30, 2, 30], size=(90, 3)), axis=0).astype(np.int32)
    triples = triples[triples[:, 0] != triples[:, 2]]
    graph = KnowledgeGraph(tuple(f"{node:02}" for node in range(30)), ("p", "q"), triples)
    x = torch.from_numpy(rng.normal(size=(30, 4)))
    touch = torch.zeros(30, 30, dtype=torch.float64)
    touch[triples[:, 0], triples[:, 2]] = 1
    touch = torch.maximum(touch, touch.T)
    walk = touch / touch.sum(dim=1, keepdim=True).clamp(min=1)
    # Gasteiger et al., eq. 3: alpha (I - (1 - alpha) A)^-1 X.
    exact = 0.2 * torch.linalg.solve(torch.eye(30, dtype=torch.float64) - 0.8 * walk, x)
    found = propagate(graph.adjacency, x.float(), "ppr")
    similarity = torch.nn.functional.cosine_similarity(found.double(), exact)
    assert float(similarity.min()) > 0.97
    # The mean of one step is further from it.
    near = torch.nn.functional.cosine_similarity(propagate(graph.adjacency, x.float(), "mean").double(), exact)
    assert float(near.mean()) < float(similarity.mean())


@pytest.mark.parametrize("how", ["mean", "ppr"])
def test_rows_have_length_1_and_the_given_vectors_stay_as_they_are(how: str) -> None:
    given = X * 3
    out = propagate(GRAPH.adjacency, given, how)
    torch.testing.assert_close(out.norm(dim=1), torch.ones(5))
    assert out.dtype == torch.float32
    assert torch.equal(given, X * 3)
