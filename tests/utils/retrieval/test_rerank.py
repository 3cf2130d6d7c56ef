"""A user's candidates become few centres: distinct, nearest first."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.retrieval.rerank import rerank

VECTORS = torch.tensor([[1.0, 0], [0, 1], [0.6, 0.8], [0.8, 0.6], [0, 1]])


def _centres(candidates: list[list[int]], queries: list[list[float]], n: int) -> list[list[int]]:
    return rerank(np.array(candidates, dtype=np.int32), torch.tensor(queries), VECTORS, n)[0].tolist()


def test_candidates_fall_by_their_cosine_with_the_whole_history() -> None:
    centres, scores = rerank(np.array([[1, 3, 0, 2]]), torch.tensor([[1.0, 0]]), VECTORS, 3)
    assert (centres.dtype, scores.dtype) == (np.int32, np.float32)
    assert centres.tolist() == [[0, 3, 2]]
    assert scores.tolist() == [pytest.approx([1, 0.8, 0.6])]


def test_a_candidate_of_several_items_is_one_centre() -> None:
    assert _centres([[2, 0, 2, 2, 0]], [[0.0, 1]], 3) == [[2, 0, -1]]


def test_fewer_candidates_than_n_leave_places_empty() -> None:
    centres, scores = rerank(np.array([[-1, 1, -1], [-1, -1, -1]]), torch.tensor([[0.0, 1], [1, 0]]), VECTORS, 2)
    assert centres.tolist() == [[1, -1], [-1, -1]]
    assert scores.tolist() == [[1, 0], [0, 0]]
    assert _centres([[3]], [[1.0, 0]], 4) == [[3, -1, -1, -1]]


def test_nodes_that_fit_equally_well_come_by_number() -> None:
    assert _centres([[4, 1]], [[0.6, 0.8]], 1) == [[1]]


def test_a_candidate_against_the_query_comes_before_an_empty_place() -> None:
    assert _centres([[-1, 0, 1]], [[-1.0, 0]], 3) == [[1, 0, -1]]


def test_nodes_with_the_same_vector_tie_though_sums_round() -> None:
    generator = torch.Generator().manual_seed(0)
    said = torch.nn.functional.normalize(torch.randn(1, 383, generator=generator), dim=1)
    query = torch.nn.functional.normalize(torch.randn(3, 383, generator=generator), dim=1)
    candidates = np.tile(np.arange(17, dtype=np.int32)[::-1], (3, 1))
    centres, scores = rerank(candidates, query, said.expand(17, -1).contiguous(), 17)
    assert centres.tolist() == [list(range(17))] * 3
    assert all(len(set(row)) == 1 for row in scores.tolist())


UNIT = st.sampled_from([(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)])


@settings(deadline=None)
@given(
    st.lists(st.tuples(UNIT, st.lists(st.integers(-1, 9), min_size=6, max_size=6)), min_size=1, max_size=6),
    st.lists(UNIT, min_size=10, max_size=10),
    st.integers(1, 8),
    st.sampled_from([1, 2**27]),
)
def test_a_slow_loop_ranks_the_same_whatever_the_blocks(
    users: list[tuple[tuple[float, float], list[int]]], vectors: list[tuple[float, float]], n: int, block_bytes: int
) -> None:
    queries, candidates = zip(*users, strict=True)
    centres, scores = rerank(
        np.array(candidates), torch.tensor(queries), torch.tensor(vectors), n, block_bytes=block_bytes
    )
    for user, ((x, y), asked) in enumerate(users):
        cosine = {node: x * vectors[node][0] + y * vectors[node][1] for node in set(asked) - {-1}}
        best = sorted(cosine, key=lambda node: (-cosine[node], node))[:n]
        assert centres[user].tolist() == best + [-1] * (n - len(best))
        assert scores[user].tolist() == [cosine[node] for node in best] + [0] * (n - len(best))
