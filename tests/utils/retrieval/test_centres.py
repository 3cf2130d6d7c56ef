"""Which nodes may be retrieved: items' own, and what enough of them share."""

from __future__ import annotations

import numpy as np
import pytest

from utils.data.kg.graph import KnowledgeGraph
from utils.retrieval.centres import centres

# Of the films a and b, x is the genre; y is twice something of a; z is of a alone; w only touches z.
TRIPLES = [
    ("a", "genre", "x"),
    ("b", "genre", "x"),
    ("a", "writer", "y"),
    ("y", "wrote", "a"),
    ("a", "director", "z"),
    ("z", "wed", "w"),
]
GRAPH = KnowledgeGraph.of(*zip(*TRIPLES, strict=True))
# Two items are the film a.
LINKS = np.array([GRAPH.node_of[entity] for entity in ("a", "a", "b")], dtype=np.int32)


def _centres(least: int, mute: str = "") -> str:
    texts = ["" if entity in mute else entity for entity in GRAPH.entities]
    found = centres(GRAPH, LINKS, texts, least)
    assert found.dtype == np.int32
    return "".join(GRAPH.entities[node] for node in found)


@pytest.mark.parametrize(("least", "found"), [(1, "abxyz"), (2, "abx"), (3, "ab")])
def test_items_nodes_and_those_that_touch_enough_of_them_are_centres(least: int, found: str) -> None:
    assert _centres(least) == found


def test_a_node_without_a_text_is_no_centre() -> None:
    assert _centres(1, mute="ax") == "byz"


def test_a_slow_count_of_neighbours_agrees() -> None:
    rng = np.random.default_rng(3)
    triples = np.unique(rng.integers(0, [40, 3, 40], size=(200, 3)), axis=0).astype(np.int32)
    graph = KnowledgeGraph(tuple(f"{node:02}" for node in range(40)), ("p", "q", "r"), triples)
    links = np.unique(rng.integers(0, 40, size=12)).astype(np.int32)
    touched: dict[int, set[int]] = {node: set() for node in range(40)}
    for head, _, tail in triples.tolist():
        for one, other in ((head, tail), (tail, head)):
            touched[one] |= {other} & (set(links.tolist()) - {one})
    expected = [node for node in range(40) if node in links or len(touched[node]) >= 3]
    assert 12 < len(expected) < 40
    assert centres(graph, links, ["text"] * 40, 3).tolist() == expected
