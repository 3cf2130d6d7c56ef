"""The centres of `similarity` are the nodes that read most like the titles asked for, and fit the history best."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.utils.retrieval.retrievers.world import index_of, queries_of
from utils.retrieval.base import RETRIEVERS, Index, Items, Queries
from utils.retrieval.retrievers import similarity
from utils.retrieval.retrievers.similarity import Similarity

# Nodes a to d are 0 to 3. By their own texts a and b point east, c and d north; with their neighbours' the other way.
EAST, NORTH = {"a": [1, 0], "b": [0.8, 0.6]}, {"c": [0, 1], "d": [0.6, 0.8]}
BARE = index_of([("a", "r", "b"), ("c", "r", "d")], ["", "", ""], {**EAST, **NORTH})
# Item 0 reads east and item 1 north; item 2 has no title.
ITEMS = replace(BARE.items, vectors=torch.tensor([[1.0, 0], [0, 1], [0, 0]]), titled=np.array([True, True, False]))
INDEX = replace(BARE, items=ITEMS, propagated=BARE.nodes.flip(1))


def _centres(found: np.ndarray) -> list[list[str]]:
    """One word a slot, for each user."""
    return [["".join("abcd"[node] for node in slot if node >= 0) for slot in user] for user in found.tolist()]


def test_an_item_asks_for_the_nodes_that_read_like_its_title_in_each_order() -> None:
    found = Similarity(top_k=2)(INDEX, queries_of([[0, -1], [1, -1]], [[1, 0], [0, 1]]), 5)
    assert _centres(found.centres) == [["ab", "cd"], ["cd", "ab"]]
    assert found.scores[0, 0].tolist() == [1, pytest.approx(0.8), 0, 0, 0]
    assert (found.orders, found.expansion) == ((1, 2), "star")


def test_the_whole_history_decides_which_of_them_stay() -> None:
    # Both items ask: a, b, c and d. b and d fit north-east best: 0.8 * 0.6 + 0.6 * 0.8 = 0.96, and 0.36 + 0.64 = 1.
    asked = queries_of([[0, 1]], [[0.6, 0.8]])
    found = Similarity(index_orders=(1,), top_k=2)(INDEX, asked, 2)
    assert _centres(found.centres) == [["db"]]
    assert found.scores.tolist() == [[[pytest.approx(1), pytest.approx(0.96)]]]
    # One node an item: a and c, which north-east likes less.
    assert _centres(Similarity(index_orders=(1,), top_k=1)(INDEX, asked, 2).centres) == [["ca"]]


def test_slots_come_in_the_order_that_is_asked_for() -> None:
    found = Similarity(index_orders=(2, 1), top_k=1)(INDEX, queries_of([[0]], [[1, 0]]), 1)
    assert (_centres(found.centres), found.orders) == ([["c", "a"]], (2, 1))


def test_what_may_not_be_retrieved_is_not() -> None:
    found = Similarity(top_k=1)(
        replace(INDEX, centres=np.array([1, 3], dtype=np.int32)), queries_of([[0]], [[1, 0]]), 2
    )
    assert _centres(found.centres) == [["b", "d"]]


def test_an_item_without_a_title_asks_for_nothing() -> None:
    found = Similarity(top_k=1)(INDEX, queries_of([[2, -1], [2, 0], [-1, -1]], [[1, 0]] * 3), 2)
    assert _centres(found.centres) == [["", ""], ["a", "c"], ["", ""]]
    assert found.scores[0].tolist() == [[0, 0], [0, 0]]


def test_each_item_is_compared_once_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []
    nearest = similarity.nearest

    def counting(queries: torch.Tensor, *rest: object) -> tuple[np.ndarray, np.ndarray]:
        compared.append(len(queries))
        return nearest(queries, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(similarity, "nearest", counting)
    Similarity()(INDEX, queries_of([[0, 1], [1, 0], [0, 2]], [[1, 0]] * 3), 2)
    # Two titled items for each of two orders.
    assert compared == [2, 2]


def test_search_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def recording(*given: object) -> tuple[np.ndarray, np.ndarray]:
        asked.append(given[-1])
        return np.zeros((1, 3), dtype=np.int32), np.ones((1, 3), dtype=np.float32)

    monkeypatch.setattr(similarity, "nearest", recording)
    Similarity(search="faiss")(INDEX, queries_of([[0]], [[1, 0]]), 2)
    assert asked == ["faiss", "faiss"]


def _random_world(seed: int) -> tuple[Index, Queries]:
    """40 nodes, 12 items and 30 users, whose vectors are few and whole: most cosines tie, and none is rounded."""
    rng = np.random.default_rng(seed)
    directions = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [-1, 0, 0]])
    nodes, propagated, titles, queries = (directions[rng.integers(0, 4, n)] for n in (40, 40, 12, 30))
    items = Items(
        tokens=tuple(map(str, range(12))),
        vectors=titles,
        titled=rng.random(12) < 0.8,
        popularity=np.ones(12, dtype=np.int64),
        token_order=np.arange(12),
        link_indptr=np.zeros(13, dtype=np.int64),
        link_nodes=np.empty(0, dtype=np.int64),
    )
    centres = np.flatnonzero(rng.random(40) < 0.7).astype(np.int32)
    # As the policy leaves them: each item once, -1 behind.
    chosen = np.stack([rng.permutation(12)[:5] for _ in range(30)])
    asked = np.where(np.arange(5) < rng.integers(0, 6, (30, 1)), chosen, -1).astype(np.int32)
    return Index(BARE.graph, items, nodes, BARE.relations, propagated, centres, "x"), Queries(asked, queries)


@pytest.mark.parametrize("seed", range(5))
def test_a_slow_loop_over_users_retrieves_the_same(seed: int) -> None:
    index, queries = _random_world(seed)
    found = Similarity(top_k=3)(index, queries, 5)
    lengths = set()
    for user, items in enumerate(queries.items.tolist()):
        for slot, order in enumerate((1, 2)):
            vectors = index.vectors(order).tolist()

            def nearest(
                query: torch.Tensor, among: set[int], most: int, vectors: list[list[float]] = vectors
            ) -> list[int]:
                cosine = {
                    node: sum(a * b for a, b in zip(query.tolist(), vectors[node], strict=True)) for node in among
                }
                return sorted(among, key=lambda node: (-cosine[node], node))[:most]

            candidates: set[int] = set()
            for item in items:
                if item >= 0 and index.items.titled[item]:
                    candidates |= {*nearest(index.items.vectors[item], {*index.centres.tolist()}, 3)}
            expected = nearest(queries.vectors[user], candidates, 5)
            assert found.centres[user, slot].tolist() == expected + [-1] * (5 - len(expected))
            lengths.add(len(expected))
    # Users without a candidate, with too few and with more than there is room for.
    assert {0, 3, 5} <= lengths


def test_it_is_registered_with_the_options_of_the_paper() -> None:
    assert RETRIEVERS.get("similarity") is Similarity
    assert Similarity() == Similarity(index_orders=(1, 2), top_k=3, search="exact")
