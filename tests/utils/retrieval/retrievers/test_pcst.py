"""The slot of `pcst` holds a tree that joins what is near to the query, around the items asked for."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from tests.utils.retrieval.retrievers.world import index_of, letters, queries_of
from utils.retrieval.retrievers.pcst import PrizeCollectingSteinerTree
from utils.retrieval.steiner import solver

try:
    solver()
except ImportError as error:
    pytest.skip(str(error), allow_module_level=True)

# Films a and b share the actor s; a has the director d, b the writer w, who wrote z too. Film q touches none of these.
INDEX = index_of(
    [("a", "plays", "s"), ("b", "plays", "s"), ("a", "directs", "d"), ("b", "writes", "w"), ("z", "writes", "w"),
     ("q", "plays", "p")],
    links=["a", "b", "q", ""],
    vectors={"d": [1, 0], "w": [0.8, 0.6], "a": [0, 1], "z": [0.6, 0.8], "p": [1, 0]},
    relations={"directs": [1, 0], "writes": [0, 1]},
)  # fmt: skip


def test_a_tree_joins_the_nearest_nodes_over_those_between_them() -> None:
    # d has the prize 2 and w 1; the way d - a - s - b - w costs 4 * 0.2.
    tree = PrizeCollectingSteinerTree(top_k=2, top_k_edges=0, edge_cost=0.2)
    found = tree(INDEX, queries_of([[0, 1]], [[1, 0]]), 8)
    assert letters(INDEX, found.centres) == ["dwabs"]
    assert found.scores[0, 0].tolist() == [2, 1, 0, 0, 0, 0, 0, 0]
    assert (found.expansion, found.orders) == ("induced", (1,))


def test_a_way_that_costs_more_than_the_prize_is_not_gone() -> None:
    tree = PrizeCollectingSteinerTree(top_k=2, top_k_edges=0, edge_cost=0.5)
    assert letters(INDEX, tree(INDEX, queries_of([[0, 1]], [[1, 0]]), 8).centres) == ["d"]


def test_a_relation_that_is_near_to_the_query_brings_its_triple_along() -> None:
    # d has the only prize of a node, 1. `directs` has 1 for its one triple: 0.5 more than it costs.
    tree = PrizeCollectingSteinerTree(top_k=1, top_k_edges=1, edge_cost=0.5)
    assert letters(INDEX, tree(INDEX, queries_of([[0, 1]], [[1, 0]]), 8).centres) == ["da"]


def test_the_tree_stays_within_so_many_hops_of_the_items() -> None:
    near, far = (PrizeCollectingSteinerTree(top_k=2, top_k_edges=0, edge_cost=0.2, hops=hops) for hops in (1, 2))
    asked = queries_of([[1]], [[0.6, 0.8]])
    assert letters(INDEX, near(INDEX, asked, 8).centres) == ["w"]
    assert letters(INDEX, far(INDEX, asked, 8).centres) == ["zw"]


def test_of_a_tree_that_is_too_large_a_connected_part_stays() -> None:
    tree = PrizeCollectingSteinerTree(top_k=2, top_k_edges=0, edge_cost=0.2)
    # w, the leaf of the lower prize, goes first, and then what only led to it.
    assert letters(INDEX, tree(INDEX, queries_of([[0, 1]], [[1, 0]]), 3).centres) == ["das"]


def test_each_user_has_a_tree_of_their_own_or_none() -> None:
    tree = PrizeCollectingSteinerTree(top_k=1, top_k_edges=0)
    found = tree(INDEX, queries_of([[3], [2], [0], [-1]], [[1, 0]] * 4), 4)
    assert letters(INDEX, found.centres) == ["", "p", "d", ""]
    assert letters(INDEX, tree(INDEX, queries_of([[3]], [[1, 0]]), 4).centres) == [""]


@pytest.mark.parametrize("options", [{"top_k": 0}, {"top_k_edges": -1}, {"edge_cost": 0}, {"hops": 0}])
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(PrizeCollectingSteinerTree).validate_python(options)
