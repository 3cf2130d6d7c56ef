"""What a graph says of users and items as one vector each, for recommenders that read vectors."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import embedding_bag

from utils.retrieval.base import Index, Retrieved


def user_vectors(index: Index, retrieved: Retrieved) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean of each user's centres, [S, dim] float32, each as a vector of its slot's order; and who has any, [S].

    A user without a centre has zeros, as has one whose centres say nothing: neither is present.
    """
    total = torch.zeros(len(retrieved.centres), index.nodes.shape[1])
    count = torch.zeros(len(retrieved.centres), dtype=torch.long)
    for slot, order in enumerate(retrieved.orders):
        centres, vectors = retrieved.centres[:, slot], index.vectors(order)
        # A node that says nothing is left out, as it is of its neighbours' means.
        speaks = (centres >= 0) & vectors.any(dim=1).numpy()[centres]
        counts = speaks.sum(axis=1)
        total += _bags(vectors, centres[speaks], np.cumsum(counts) - counts, "sum")
        count += torch.from_numpy(counts)
    vectors = total / count.clamp(min=1)[:, None]
    return vectors, vectors.any(dim=1)


def item_vectors(index: Index) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean of each item's nodes with what their neighbours say (order 2), [n_items, dim]; and who has any.

    An item without a node has zeros, as has one whose nodes say nothing: neither is present.
    """
    vectors = _bags(index.vectors(2), index.items.link_nodes, index.items.link_indptr[:-1], "mean")
    return vectors, vectors.any(dim=1)


def _bags(vectors: torch.Tensor, nodes: np.ndarray, starts: np.ndarray, mode: str) -> torch.Tensor:
    """The sum or mean over each bag of nodes, [n_bags, dim]; bag i begins at nodes[starts[i]]. Zero where empty."""
    flat, offsets = (torch.from_numpy(np.asarray(array, dtype=np.int64)) for array in (nodes, starts))
    return embedding_bag(flat, vectors, offsets, mode=mode)
