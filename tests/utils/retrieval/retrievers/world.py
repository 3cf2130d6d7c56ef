"""A graph, its index and queries, small enough to draw, for the tests of retrievers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from utils.data.kg.graph import KnowledgeGraph
from utils.retrieval.base import NO_NODE, Index, Items, Queries


def index_of(
    triples: Sequence[tuple[str, str, str]],
    links: Sequence[str],
    vectors: Mapping[str, Sequence[float]],
    relations: Mapping[str, Sequence[float]] | None = None,
    centres: str | None = None,
) -> Index:
    """An index over entities of one letter; item i links to the entities of links[i], and other letters have no text.

    relations: vectors of relations along their direction; zero where absent. centres: all nodes, unless given.
    """
    graph = KnowledgeGraph.of(*zip(*triples, strict=True))
    dim = len(next(iter(vectors.values())))
    nodes = torch.tensor([list(vectors.get(entity, [0.0] * dim)) for entity in graph.entities])
    forward = torch.tensor([list((relations or {}).get(name, [0.0] * dim)) for name in graph.relations])
    n_items = len(links)
    items = Items(
        tokens=tuple(str(row) for row in range(n_items)),
        vectors=torch.zeros(n_items, dim),
        titled=np.zeros(n_items, dtype=bool),
        popularity=np.ones(n_items, dtype=np.int64),
        token_order=np.arange(n_items),
        link_indptr=np.cumsum([0, *(len(entities) for entities in links)]),
        link_nodes=np.array(
            [graph.node_of[entity] for entities in links for entity in sorted(entities)], dtype=np.int64
        ),
    )
    found = sorted(graph.node_of[entity] for entity in (graph.entities if centres is None else centres))
    return Index(graph, items, nodes, torch.cat([forward, forward]), None, np.array(found, dtype=np.int32), "x")


def queries_of(items: Sequence[Sequence[int]], vectors: Sequence[Sequence[float]]) -> Queries:
    """Rows of items, -1 where there is none, and one vector a user."""
    return Queries(np.array(items, dtype=np.int32), torch.tensor(vectors))


def letters(index: Index, centres: np.ndarray) -> list[str]:
    """The centres [S, 1, n] as one word a user, without the padding."""
    return ["".join(index.graph.entities[node] for node in row[0] if node != NO_NODE) for row in centres]
