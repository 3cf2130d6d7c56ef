"""The part of a graph around some nodes, on a chain whose distances can be counted."""

from __future__ import annotations

import numpy as np
import pytest

from utils.data.kg.graph import KnowledgeGraph
from utils.data.kg.scope import within

# a -> b <- c -> d -> e, each by a relation of its own.
CHAIN = KnowledgeGraph.of("accd", ["1st", "2nd", "3rd", "4th"], "bbde")


def _triples(graph: KnowledgeGraph) -> list[tuple[str, str, str]]:
    return [(graph.entities[h], graph.relations[r], graph.entities[t]) for h, r, t in graph.triples.tolist()]


@pytest.mark.parametrize(
    ("hops", "kept"), [(1, ["1st"]), (2, ["1st", "2nd"]), (3, ["1st", "2nd", "3rd"]), (9, ["1st", "2nd", "3rd", "4th"])]
)
def test_each_hop_reaches_one_triple_further_along_a_chain(hops: int, kept: list[str]) -> None:
    scope = within(CHAIN, np.array([CHAIN.node_of["a"]]), hops)
    assert [relation for _, relation, _ in _triples(scope)] == kept
    assert list(scope.relations) == kept


def test_one_hop_keeps_the_triples_that_touch_a_node_at_either_end() -> None:
    scope = within(CHAIN, np.array([CHAIN.node_of["d"]]), 1)
    assert _triples(scope) == [("c", "3rd", "d"), ("d", "4th", "e")]
    assert scope.entities == ("c", "d", "e")


def test_a_part_of_a_graph_is_the_graph_of_its_triples() -> None:
    scope = within(CHAIN, np.array([CHAIN.node_of["c"], CHAIN.node_of["e"]]), 1)
    alone = KnowledgeGraph.of("ccd", ["2nd", "3rd", "4th"], "bde")
    assert (scope.entities, scope.relations) == (alone.entities, alone.relations)
    assert scope.triples.tolist() == alone.triples.tolist()
    assert scope.triples.dtype == alone.triples.dtype
    assert scope.fingerprint == alone.fingerprint


def test_around_nothing_there_is_nothing() -> None:
    scope = within(CHAIN, np.array([], dtype=np.int32), 2)
    assert (len(scope), scope.relations, scope.triples.shape) == (0, (), (0, 3))
