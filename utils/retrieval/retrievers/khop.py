"""What lies within a few hops of the items of a history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pydantic import PositiveInt

from utils.retrieval.base import Index, Queries, Retrieved, retriever
from utils.retrieval.pairs import asked_nodes, best, cosines


@retriever("khop")
@dataclass(frozen=True)
class KHop:
    """One slot of balls around the nodes of the items that a user asks for, those nearest to the query.

    Nothing is searched for: the links alone decide which nodes can be centres, and the cosine with the user's query
    decides which n of them are. A node without a text is no centre.
    hops: how far from its centre a subgraph reaches.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"rerank_query", "max_neighbors"})
    hops: PositiveInt = 2

    def __call__(self, index: Index, queries: Queries, n: int) -> Retrieved:
        """The centres [S, 1, n] of balls, and their cosines."""
        users, nodes = asked_nodes(index.items, queries.items)
        says = index.nodes.numpy()[nodes].any(axis=1)
        users, nodes = users[says], nodes[says]
        centres, scores = best(users, nodes, cosines(index, queries, users, nodes), len(queries.items), n)
        return Retrieved(centres, scores, orders=(index.highest_order,), expansion="ball", hops=self.hops)
