"""Links join rows of items to nodes of a graph, many to many."""

from __future__ import annotations

import pytest

from utils.data.kg.files import KgError
from utils.data.kg.graph import KnowledgeGraph
from utils.data.kg.links import Links

# Nodes: a 0, b 1, c 2, d 3.
GRAPH = KnowledgeGraph.of("aab", "rrr", "bcd")


def test_items_and_nodes_are_joined_many_to_many() -> None:
    pairs = [("i3", "c"), ("i1", "d"), ("i1", "a"), ("i2", "c"), ("i1", "a")]
    links = Links.of(pairs, GRAPH, ["i1", "i0", "i2", "i3"])
    assert links.link_indptr.tolist() == [0, 2, 2, 3, 4]
    assert links.link_nodes.tolist() == [0, 3, 2, 2]
    assert links.linked.tolist() == [True, False, True, True]
    assert links.nodes.tolist() == [0, 2, 3]


def test_pairs_of_strangers_are_left_out_and_counted() -> None:
    pairs = [("i1", "a"), ("gone", "b"), ("i1", "unknown"), ("gone", "unknown")]
    links = Links.of(pairs, GRAPH, ["i1"])
    assert links.link_nodes.tolist() == [0]
    assert (links.unknown_items, links.unknown_entities) == (2, 2)


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([], "there are no links"),
        (
            [("1", "a"), ("2", "b"), ("3", "c"), ("4", "d")],
            "none of the 4 links names an item of the dataset: items are '1', '2', '3', ... there and 'i1', 'i2' in "
            "the dataset",
        ),
        (
            [("i1", "m.1"), ("i2", "m.1")],
            "none of the 2 links names an entity of the graph: entities are 'm.1' there and 'a', 'b', 'c', ... in the "
            "graph",
        ),
        (
            [("i1", "m.1"), ("7", "a")],
            "none of the 2 links joins an item of the dataset to an entity of the graph: items are 'i1', '7' there and "
            "'i1', 'i2' in the dataset; entities are 'm.1', 'a' there and 'a', 'b', 'c', ... in the graph",
        ),
    ],
)
def test_links_that_join_nothing_are_refused_with_examples(pairs: list[tuple[str, str]], said: str) -> None:
    with pytest.raises(KgError) as error:
        Links.of(pairs, GRAPH, ["i1", "i2"])
    assert str(error.value) == said
