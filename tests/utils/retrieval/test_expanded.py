"""Centres as subgraphs again: of a hub's neighbours the popular items stay."""

from __future__ import annotations

import numpy as np
import torch

from utils.data.kg.graph import KnowledgeGraph
from utils.retrieval.base import Index, Items
from utils.retrieval.expanded import expandable

# A hub touches three items' nodes and two other ones.
GRAPH = KnowledgeGraph.of(["hub"] * 5, ["r"] * 5, ["a", "b", "c", "x", "y"])
NODES = np.array([GRAPH.node_of[name] for name in ("a", "b", "c")], dtype=np.int32)


def index(popularity: list[int]) -> Index:
    items = Items(
        ("i1", "i2", "i3"), torch.zeros(3, 1), np.ones(3, dtype=bool), np.array(popularity), np.arange(3),
        np.arange(4), NODES,
    )  # fmt: skip
    return Index(GRAPH, items, torch.zeros(len(GRAPH), 1), torch.zeros(2, 1), None, NODES, "")


def star(popularity: list[int], most: int) -> set[str]:
    """Who touches the hub in its star."""
    whole = expandable(index(popularity), torch.zeros(len(GRAPH), 1), torch.zeros(2, 1), most)
    names = {GRAPH.entities[node] for node in whole.star(GRAPH.node_of["hub"]).node.tolist()}
    return names - {"hub"}


def test_the_most_popular_items_stay() -> None:
    assert star([1, 9, 5], 1) == {"b"}
    assert star([1, 9, 5], 2) == {"b", "c"}


def test_items_stay_before_what_is_no_item() -> None:
    assert star([0, 0, 0], 3) == {"a", "b", "c"}


def test_of_equally_popular_items_the_earlier_token_stays() -> None:
    assert star([4, 4, 4], 1) == {"a"}


def test_all_stay_where_there_is_room() -> None:
    assert star([1, 9, 5], 64) == {"a", "b", "c", "x", "y"}
