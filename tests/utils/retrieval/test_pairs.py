"""Users' candidates side by side, and the best of each."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from utils.retrieval import pairs
from utils.retrieval.base import Index, Items, Queries
from utils.retrieval.pairs import asked_nodes, best, cosines


def items(links: list[list[int]]) -> Items:
    n = len(links)
    return Items(
        tokens=tuple(map(str, range(n))),
        vectors=torch.zeros(n, 2),
        titled=np.zeros(n, dtype=bool),
        popularity=np.zeros(n, dtype=np.int64),
        token_order=np.arange(n),
        link_indptr=np.cumsum([0, *map(len, links)]),
        link_nodes=np.array([node for nodes in links for node in nodes]),
    )


def test_each_user_asks_for_the_nodes_of_their_items_once() -> None:
    # Items 0 and 2 are the same film, and item 1 is in no graph.
    users, nodes = asked_nodes(items([[7], [], [7], [3, 9]]), np.array([[2, 0, 1], [1, -1, -1], [3, 0, -1]]))
    assert users.tolist() == [0, 2, 2, 2]
    assert nodes.tolist() == [7, 3, 7, 9]


def test_the_best_of_each_user_fall_and_ties_come_by_node() -> None:
    users, nodes = np.array([2, 0, 0, 0, 0]), np.array([5, 9, 4, 8, 6])
    centres, scores = best(users, nodes, np.array([-0.5, 0.1, 0.7, 0.7, 0.9]), 3, 3)
    assert centres.tolist() == [[[6, 4, 8]], [[-1, -1, -1]], [[5, -1, -1]]]
    np.testing.assert_allclose(scores, [[[0.9, 0.7, 0.7]], [[0, 0, 0]], [[-0.5, 0, 0]]], rtol=1e-6)


def test_cosines_are_those_of_each_pair_in_blocks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "_PAIRS", 2)
    nodes = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 0.0]])
    index = Index(None, None, nodes, nodes, None, np.arange(3), "x")  # type: ignore[arg-type]
    queries = Queries(np.zeros((2, 1)), torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    found = cosines(index, queries, np.array([0, 0, 1, 1, 0]), np.array([0, 1, 1, 0, 2]))
    np.testing.assert_allclose(found, [1, 0.6, 0.8, 0, 0], rtol=1e-6)
