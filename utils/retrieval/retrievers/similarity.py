"""`similarity`: the nodes that read most like a user's items, re-ranked by how well they fit the whole history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from utils.retrieval.base import DEPENDING, NO_NODE, Index, Queries, Retrieved, retriever
from utils.retrieval.nearest import Search, nearest
from utils.retrieval.rerank import rerank


@retriever("similarity")
@dataclass(frozen=True)
class Similarity:
    """The retrieval of K-RagRec (Wang et al., ACL 2025, arXiv 2501.02226, sections 3.3 to 3.5): one slot an order.

    index_orders: what titles are compared with, 1 for the nodes' texts and 2 for those with their neighbours'.
    top_k: how many nodes an item asks for in each order. search: as in `nearest`.
    An item without a title asks for nothing. A node that two items ask for counts once.
    """

    reads: ClassVar[frozenset[str]] = frozenset(DEPENDING)
    index_orders: tuple[int, ...] = (1, 2)
    top_k: int = 3
    search: Search = "exact"

    def __call__(self, index: Index, queries: Queries, n: int) -> Retrieved:
        """One subgraph, a star, around each of at most n centres of each order."""
        slots = [self._slot(index, queries, order, n) for order in self.index_orders]
        centres, scores = (np.stack(arrays, axis=1) for arrays in zip(*slots, strict=True))
        return Retrieved(centres, scores, self.index_orders)

    def _slot(self, index: Index, queries: Queries, order: int, n: int) -> tuple[np.ndarray, np.ndarray]:
        items = np.unique(queries.items[queries.items >= 0])
        items = items[index.items.titled[items]]
        vectors = index.vectors(order)
        # Once for each item that anyone asks for. The last row is that of no item, -1.
        k = min(self.top_k, len(index.centres))
        asked_for = np.full((len(index.items.tokens) + 1, k), NO_NODE, dtype=np.int32)
        asked_for[items], _ = nearest(index.items.vectors[items], vectors, index.centres, k, self.search)
        return rerank(asked_for[queries.items].reshape(len(queries.items), -1), queries.vectors, vectors, n)
