"""The nearest nodes: exact, in one order whatever ties, in little memory."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.retrieval import nearest as module
from utils.retrieval.inverted import FEWEST
from utils.retrieval.nearest import nearest


def _nearest(
    queries: Sequence[Sequence[float]], vectors: Sequence[Sequence[float]], candidates: Sequence[int], k: int
) -> tuple[list[list[int]], list[list[float]]]:
    nodes, scores = nearest(
        torch.tensor(queries).float(), torch.tensor(vectors).float(), np.array(candidates, dtype=np.int32), k
    )
    assert (nodes.dtype, scores.dtype) == (np.int32, np.float32)
    return nodes.tolist(), np.round(scores, 6).tolist()


def test_the_nearest_candidates_fall_by_cosine() -> None:
    nodes, scores = _nearest([[1, 0], [0, 1]], [[0.6, 0.8], [1, 0], [0.8, 0.6], [0, -1]], [0, 2, 3], 2)
    # Node 1 is no candidate.
    assert nodes == [[2, 0], [0, 2]]
    assert scores == [pytest.approx([0.8, 0.6]), pytest.approx([0.8, 0.6])]


def test_fewer_candidates_than_k_leave_places_empty() -> None:
    assert _nearest([[1, 0]], [[0, 1], [1, 0]], [0, 1], 4) == ([[1, 0, -1, -1]], [[1, 0, 0, 0]])
    assert _nearest([[1, 0]], [[0, 1]], [], 2) == ([[-1, -1]], [[0, 0]])


def test_no_queries_have_no_nodes() -> None:
    nodes, scores = nearest(torch.empty(0, 2), torch.ones(3, 2), np.arange(3, dtype=np.int32), 2)
    assert nodes.shape == scores.shape == (0, 2)


def test_ties_come_by_node_at_the_last_place_too() -> None:
    # Nodes 1, 2, 4 and 5 have the cosine 0 with the query, by three different vectors.
    vectors = [[-1, 0], [0, 1], [0, -1], [1, 0], [0, 1], [0, 1]]
    assert _nearest([[1, 0]], vectors, range(6), 3)[0] == [[3, 1, 2]]
    assert _nearest([[1, 0]], vectors, range(6), 5)[0] == [[3, 1, 2, 4, 5]]


def test_nodes_with_the_same_vector_tie_though_a_product_rounds() -> None:
    generator = torch.Generator().manual_seed(0)
    # Width and number of columns are odd, so that some columns fall to the remainders of a product's tiles.
    said = torch.nn.functional.normalize(torch.randn(3, 77, generator=generator), dim=1)
    vectors = said[torch.arange(1001) % 3]
    nodes, scores = nearest(said, vectors, np.arange(1001, dtype=np.int32), 5)
    assert nodes.tolist() == [[0, 3, 6, 9, 12], [1, 4, 7, 10, 13], [2, 5, 8, 11, 14]]
    assert all(len(set(row)) == 1 for row in scores.tolist())


def test_equal_queries_are_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    exact = module._exact

    def counting(queries: torch.Tensor, *rest: object) -> tuple[np.ndarray, np.ndarray]:
        asked.append(len(queries))
        return exact(queries, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_exact", counting)
    assert _nearest([[1, 0], [0, 1], [1, 0], [1, 0]], [[1, 0], [0, 1]], [0, 1], 1)[0] == [[0], [1], [0], [0]]
    assert asked == [2]


# Few small whole numbers: every product is exact, and most of them tie.
ROWS = st.tuples(*[st.sampled_from([-1.0, 0.0, 1.0])] * 2)


@settings(deadline=None)
@given(
    st.lists(ROWS, min_size=1, max_size=5),
    st.lists(ROWS, min_size=1, max_size=24),
    st.sets(st.integers(0, 23)),
    st.integers(1, 8),
    st.sampled_from([1, 2**27]),
)
def test_a_slow_sort_finds_the_same_whatever_the_blocks(
    queries: list[tuple[float, ...]], vectors: list[tuple[float, ...]], chosen: set[int], k: int, block_bytes: int
) -> None:
    candidates = sorted(node for node in chosen if node < len(vectors))
    nodes, scores = nearest(
        torch.tensor(queries), torch.tensor(vectors), np.array(candidates, dtype=np.int32), k, block_bytes=block_bytes
    )
    for query, found, cosines in zip(queries, nodes.tolist(), scores.tolist(), strict=True):
        products = {node: sum(a * b for a, b in zip(query, vectors[node], strict=True)) for node in candidates}
        best = sorted(candidates, key=lambda node: (-products[node], node))[:k]
        assert found == best + [-1] * (k - len(best))
        assert cosines == [products[node] for node in best] + [0] * (k - len(best))


def test_small_blocks_take_little_memory_and_find_the_same() -> None:
    generator = torch.Generator().manual_seed(1)
    vectors = torch.nn.functional.normalize(torch.randn(3_000, 16, generator=generator), dim=1)
    queries = torch.nn.functional.normalize(torch.randn(50, 16, generator=generator), dim=1)
    candidates = np.arange(0, 3_000, 2, dtype=np.int32)
    whole, _ = nearest(queries, vectors, candidates, 7)
    # 4 KiB: 32 candidates at once.
    parts, _ = nearest(queries, vectors, candidates, 7, block_bytes=2**12)
    assert whole.tolist() == parts.tolist()


def test_ties_beyond_the_last_place_go_to_the_first_nodes_of_many() -> None:
    # All 2,048 rows of eleven signs behind a first entry that is 1, -1, 1, -1 ...; only that one counts.
    signs = 1.0 - 2.0 * ((torch.arange(2_048)[:, None] >> torch.arange(11)) & 1)
    query = torch.zeros(1, 11)
    query[0, 0] = 1
    for block_bytes in (2**27, 2**12):
        nodes, _ = nearest(query, signs, np.arange(2_048, dtype=np.int32), 40, block_bytes=block_bytes)
        assert nodes.tolist() == [list(range(0, 80, 2))]


def test_ties_of_one_block_keep_their_order_when_a_later_block_takes_a_place() -> None:
    # Behind the first entry each row says its own number. Of 2,000 rows every fiftieth has the cosine 0, the others -1.
    vectors = 1.0 - 2.0 * ((torch.arange(2_001)[:, None] >> torch.arange(-1, 11).clamp(min=0)) & 1)
    vectors[:, 0] = -1
    vectors[:2_000:50, 0] = 0
    vectors[2_000, 0] = 1
    query = torch.zeros(1, 12)
    query[0, 0] = 1
    # 2,000 rows of 12 entries make a block, whose 40 zeros are as many as there are places.
    nodes, _ = nearest(query, vectors, np.arange(2_001, dtype=np.int32), 40, block_bytes=8 * 12 * 2_000)
    assert nodes.tolist() == [[2_000, *range(0, 1_950, 50)]]


def _unit(n: int, dim: int) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(n, dim, generator=torch.Generator().manual_seed(2)), dim=1)


def test_faiss_gives_nodes_with_equal_vectors_too_and_falls_by_cosine() -> None:
    pytest.importorskip("faiss")
    # Node 2 i + 1 says what node 2 i says.
    vectors = _unit(3_000, 32).repeat_interleave(2, dim=0)
    candidates = np.arange(6_000, dtype=np.int32)
    found, scores = nearest(vectors[::2], vectors, candidates, 4, search="faiss")
    assert (found[:, :2] == candidates.reshape(-1, 2)).mean() > 0.99
    assert (found[:, 3] == found[:, 2] + 1).all()
    assert (np.diff(scores, axis=1) <= 0).all()


def test_faiss_where_its_lists_hold_fewer_than_k_finds_what_exact_search_does() -> None:
    pytest.importorskip("faiss")
    vectors, candidates = _unit(3_000, 32), np.arange(3_000, dtype=np.int32)
    exact, _ = nearest(vectors[:3], vectors, candidates, 2_900)
    approximate, _ = nearest(vectors[:3], vectors, candidates, 2_900, search="faiss")
    assert exact.tolist() == approximate.tolist()


def test_faiss_compares_all_where_there_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    vectors = _unit(FEWEST - 1, 8)
    found, _ = nearest(vectors, vectors, np.arange(len(vectors), dtype=np.int32), 1, search="faiss")
    assert found[:, 0].tolist() == list(range(len(vectors)))


def test_a_missing_faiss_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match="pip install faiss-cpu"):
        nearest(_unit(1, 8), _unit(FEWEST, 8), np.arange(FEWEST, dtype=np.int32), 1, search="faiss")
