"""Personalised PageRank is what a dense solve says, and its highest nodes are the centres."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from tests.utils.retrieval.retrievers.world import index_of, letters, queries_of
from utils.data.kg.graph import KnowledgeGraph
from utils.retrieval.base import RETRIEVERS, Index
from utils.retrieval.retrievers import ppr
from utils.retrieval.retrievers.ppr import PersonalizedPageRank, pagerank, walk_matrix

# Films a and b have the director d, b and c the genre g; a has the actor x for itself, and y plays in f alone.
TRIPLES = [
    ("a", "director", "d"), ("b", "director", "d"), ("b", "genre", "g"), ("c", "genre", "g"), ("a", "actor", "x"),
    ("f", "actor", "y"),
]  # fmt: skip


def small(centres: str | None = None) -> Index:
    return index_of(TRIPLES, links=["a", "b", "c", "", "f"], vectors={"a": [1.0, 0.0]}, centres=centres)


def dense(index: Index, restart: np.ndarray, alpha: float) -> np.ndarray:
    """The solution of p = alpha restart + (1 - alpha) W p, from the triples alone."""
    joined = np.zeros((len(index.graph), len(index.graph)))
    for head, _, tail in index.graph.triples:
        joined[head, tail] = joined[tail, head] = 1
    walk = joined / joined.sum(axis=0)
    return np.linalg.solve(np.eye(len(walk)) - (1 - alpha) * walk, alpha * restart)


@pytest.mark.parametrize("alpha", [0.05, 0.15, 0.6, 0.99])
def test_scores_are_those_of_a_dense_solve(alpha: float) -> None:
    rng = np.random.default_rng(0)
    heads, tails = rng.integers(0, 40, size=(2, 90))
    graph = KnowledgeGraph.of(
        [f"n{node}" for node in heads], [f"r{number % 3}" for number in range(90)], [f"n{node}" for node in tails]
    )
    index = Index(graph, None, None, None, None, np.zeros(0), "x")  # type: ignore[arg-type]
    restart = rng.random((len(graph), 3))
    restart /= restart.sum(axis=0)
    found = pagerank(walk_matrix(graph.adjacency), restart, alpha)
    np.testing.assert_allclose(found, dense(index, restart, alpha), atol=1e-8)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-7)


def test_a_neighbour_counts_once_and_the_graph_stays_as_it_is() -> None:
    graph = KnowledgeGraph.of("aaa", "rst", "bbc")
    before = graph.adjacency.neighbours.copy()
    # From a the walk goes to b and to c alike, though two relations lead to b.
    assert walk_matrix(graph.adjacency).toarray().tolist() == [[0, 1, 1], [0.5, 0, 0], [0.5, 0, 0]]
    assert graph.adjacency.neighbours.tolist() == before.tolist()


def test_a_users_scores_are_the_mean_of_those_of_their_items() -> None:
    index = small()
    asked = queries_of([[0, 3, 2], [0, -1, -1]], [[1, 0], [1, 0]])
    found = PersonalizedPageRank(keep_seeds=True)(index, asked, 8)
    restart = np.zeros((len(index.graph), 2))
    restart[[index.graph.node_of["a"], index.graph.node_of["c"]], 0] = 0.5
    restart[index.graph.node_of["a"], 1] = 1
    expected = dense(index, restart, 0.15)
    for user in (0, 1):
        reached = found.centres[user, 0] >= 0
        assert reached.sum() == 6
        np.testing.assert_allclose(
            found.scores[user, 0, reached], expected[found.centres[user, 0, reached], user], rtol=1e-5
        )
        assert (np.diff(found.scores[user, 0]) <= 0).all()


def test_the_items_own_nodes_are_left_out_unless_they_are_kept() -> None:
    index, asked = small(), queries_of([[0]], [[1, 0]])
    assert letters(index, PersonalizedPageRank()(index, asked, 2).centres) == ["dx"]
    assert letters(index, PersonalizedPageRank(keep_seeds=True)(index, asked, 2).centres) == ["ad"]


def test_only_nodes_that_may_be_retrieved_are_centres_and_only_those_the_walk_meets() -> None:
    index = small(centres="bcfgy")
    assert letters(index, PersonalizedPageRank()(index, queries_of([[0]], [[1, 0]]), 8).centres) == ["bgc"]


def test_ties_come_by_node_number() -> None:
    index = index_of([("a", "r", "d"), ("a", "r", "c"), ("a", "r", "b")], links=["a"], vectors={"a": [1.0]})
    assert letters(index, PersonalizedPageRank()(index, queries_of([[0]], [[1]]), 2).centres) == ["bc"]


def test_who_has_no_linked_item_gets_no_centre() -> None:
    found = PersonalizedPageRank()(small(), queries_of([[3], [0], [-1]], [[1, 0]] * 3), 2)
    assert letters(small(), found.centres) == ["", "dx", ""]
    assert found.scores[0].tolist() == [[0, 0]]


def test_blocks_of_users_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    index, asked = small(), queries_of([[0], [3], [1], [2], [4]], [[1, 0]] * 5)
    whole = PersonalizedPageRank()(index, asked, 4)
    monkeypatch.setattr(ppr, "_USERS", 2)
    parts = PersonalizedPageRank()(index, asked, 4)
    assert parts.centres.tolist() == whole.centres.tolist()
    np.testing.assert_allclose(parts.scores, whole.scores)


def test_a_hub_counts_for_less_where_it_is_discounted() -> None:
    # From a, which has the genre h of five films and the actor x: h is met more often, since the walk comes back to it.
    index = index_of(
        [("a", "genre", "h"), ("a", "actor", "x"), *((film, "genre", "h") for film in "bcde")],
        links=["a"],
        vectors={"a": [1.0]},
        centres="hx",
    )
    asked = queries_of([[0]], [[1]])
    plain, discounted = PersonalizedPageRank()(index, asked, 2), PersonalizedPageRank(hub_discount=1)(index, asked, 2)
    assert letters(index, plain.centres) == ["hx"]
    assert letters(index, discounted.centres) == ["xh"]
    assert discounted.scores[0, 0].tolist() == pytest.approx([plain.scores[0, 0, 1] / 1, plain.scores[0, 0, 0] / 5])


@pytest.mark.parametrize("options", [{"alpha": 0}, {"alpha": 1}, {"hub_discount": -0.1}, {"hub_discount": 1.1}])
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(RETRIEVERS.get("ppr")).validate_python(options)
