"""Retrieved centres as subgraphs again: the graph of an index, ready to be cut into stars, balls and the like."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from utils.retrieval.base import Index

if TYPE_CHECKING:
    from models.graph.subgraphs import Subgraphs


def expandable(
    index: Index, node_vectors: torch.Tensor, relation_vectors: torch.Tensor, max_neighbors: int
) -> Subgraphs:
    """The graph of an index with vectors [n_nodes, dim] and [2 * n_relations, dim], on the device of the former.

    A subgraph takes of a node at most `max_neighbors` neighbours: the dataset's items first, by falling popularity.
    """
    from models.graph.subgraphs import Subgraphs

    adjacency = index.graph.adjacency
    return Subgraphs(
        adjacency.indptr,
        adjacency.neighbours,
        adjacency.relations,
        node_vectors,
        relation_vectors,
        max_neighbors,
        _by_popularity(index),
    )


def _by_popularity(index: Index) -> np.ndarray:
    """The nodes that are items, those of the most popular items first; ties by the items' tokens."""
    items = index.items
    owners = np.repeat(np.arange(len(items.tokens)), np.diff(items.link_indptr))
    order = np.lexsort((items.token_order[owners], -items.popularity[owners]))
    nodes = items.link_nodes[order]
    # Of several items with one node the most popular decides its place.
    _, first = np.unique(nodes, return_index=True)
    return nodes[np.sort(first)]
