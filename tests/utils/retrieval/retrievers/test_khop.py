"""The centres of `khop` are the nodes of the items asked for, those nearest to the query."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from tests.utils.retrieval.retrievers.world import index_of, letters, queries_of
from utils.retrieval.base import RETRIEVERS
from utils.retrieval.retrievers.khop import KHop

# Items 0, 1 and 2 are a, b and c; item 3 is d, which has no text, and item 4 is in no graph.
INDEX = index_of(
    [("a", "r", "d"), ("b", "r", "d"), ("c", "r", "d")],
    links=["a", "b", "c", "d", ""],
    vectors={"a": [1, 0], "b": [0.6, 0.8], "c": [0, 1]},
)


def test_the_nodes_of_the_items_come_by_their_cosine_with_the_query() -> None:
    asked = queries_of([[0, 1, 2], [2, 1, 0]], [[1, 0], [0, 1]])
    found = KHop()(INDEX, asked, 2)
    assert letters(INDEX, found.centres) == ["ab", "cb"]
    assert found.scores.tolist() == [[[pytest.approx(1), pytest.approx(0.6)]], [[pytest.approx(1), pytest.approx(0.8)]]]


def test_no_text_and_no_link_is_no_centre() -> None:
    found = KHop()(INDEX, queries_of([[3, 4, 1], [3, 4, -1]], [[1, 0], [1, 0]]), 2)
    assert letters(INDEX, found.centres) == ["b", ""]
    assert found.scores[1].tolist() == [[0, 0]]


def test_subgraphs_are_balls_of_that_many_hops() -> None:
    found = RETRIEVERS.get("khop")(hops=3)(INDEX, queries_of([[0]], [[1, 0]]), 1)
    assert (found.expansion, found.hops, found.orders) == ("ball", 3, (1,))


def test_a_ball_has_at_least_one_hop() -> None:
    with pytest.raises(ValidationError, match="greater than 0"):
        TypeAdapter(KHop).validate_python({"hops": 0})
