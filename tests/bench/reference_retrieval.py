"""Retrieval one user after another, as K-RagRec's released code goes about it; what `retrieve_subgraph` is measured by.

Written for the benchmark from what that code does (Wang et al., ACL 2025, arXiv 2501.02226). It departs from it where
its centres would differ for no reason of speed: the least popular items ask, each once (the released evaluation asks
for one item five times), and a centre is kept once.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch.nn.functional import cosine_similarity
from torch_geometric.data import Data

from utils.retrieval.base import Index

TitleVector = Callable[[int], torch.Tensor]
Similarity = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def all_cosines(query: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    """Of [dim] with [n, dim]: [n], as the released code has them."""
    return cosine_similarity(query[None], vectors)


def products(query: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    """The same of rows of length 1, faster than the released code has them."""
    return vectors @ query


class Reference:
    """Retrieves the stars of one user at a time.

    title_vector: row of an item -> [dim]; what it costs counts as `titles`. similarity: of a query [dim] with rows
    [n, dim]. seconds: how long each part took, of all
    users that were asked for. The order of the graph's entries is that of its triples, and the last relation of a pair
    is the one that is kept, as in the released code.
    """

    def __init__(
        self,
        index: Index,
        title_vector: TitleVector,
        threshold: float = 0.5,
        k: int = 3,
        n: int = 5,
        similarity: Similarity = all_cosines,
    ) -> None:
        self._vectors = [index.vectors(order) for order in (1, 2)]
        self._relations = index.relations
        self._triples: list[list[int]] = index.graph.triples.tolist()
        self._title_vector, self._similarity = title_vector, similarity
        self._threshold, self._k, self._n = threshold, k, n
        rising = np.lexsort((index.items.token_order, index.items.popularity))
        self._rank = {int(row): rank for rank, row in enumerate(rising)}
        self._neighbours: defaultdict[int, dict[int, None]] = defaultdict(dict)
        for head, _, tail in self._triples:
            self._neighbours[head][tail] = None
            self._neighbours[tail][head] = None
        self.seconds: Counter[str] = Counter()

    def __call__(self, history: Sequence[int], history_vector: Callable[[], torch.Tensor]) -> list[list[Data]]:
        """The stars of a user, best first, for order 1 and for order 2."""
        return [[self._star(node) for node in centres] for centres in self.centres(history, history_vector)]

    def centres(self, history: Sequence[int], history_vector: Callable[[], torch.Tensor]) -> list[list[int]]:
        """The nodes around which a user's stars lie, best first, for order 1 and for order 2."""
        with self._timed("policy"):
            asking = self._asking(history)
        found: list[list[int]] = [[], []]
        for row in asking:
            with self._timed("titles"):
                query = self._title_vector(row)
            with self._timed("cosines"):
                for nodes, vectors in zip(found, self._vectors, strict=True):
                    nodes += self._best(query, vectors, self._k)
        with self._timed("histories"):
            query = history_vector()
        with self._timed("re-ranking"):
            return [self._ranked(query, nodes, vectors) for nodes, vectors in zip(found, self._vectors, strict=True)]

    def _asking(self, history: Sequence[int]) -> list[int]:
        items = sorted(set(history), key=self._rank.__getitem__)
        # The small number makes up for products such as 0.29 * 100, which lie just below the whole number.
        return items[: max(1, int(self._threshold * len(items) + 1e-9))]

    def _best(self, query: torch.Tensor, vectors: torch.Tensor, k: int) -> list[int]:
        nodes: list[int] = self._similarity(query, vectors).topk(min(k, len(vectors))).indices.tolist()
        return nodes

    def _ranked(self, query: torch.Tensor, nodes: list[int], vectors: torch.Tensor) -> list[int]:
        distinct = list(dict.fromkeys(nodes))
        return [distinct[place] for place in self._best(query, vectors[distinct], self._n)]

    def _star(self, centre: int) -> Data:
        """A node, what touches it, and the edges from it to these; vectors are those of order 1 in either case."""
        with self._timed("table of edges"):
            # The released code makes this table anew for every star.
            relation_of = {(head, tail): relation for head, relation, tail in self._triples}
        with self._timed("stars"):
            around = list(self._neighbours[centre])
            relations = [
                relation_of[centre, other] if (centre, other) in relation_of else relation_of[other, centre]
                for other in around
            ]
            edges = torch.stack([torch.zeros(len(around), dtype=torch.long), torch.arange(1, len(around) + 1)])
            return Data(x=self._vectors[0][[centre, *around]], edge_index=edges, edge_attr=self._relations[relations])

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[part] += time.perf_counter() - started
