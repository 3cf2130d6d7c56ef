"""A tree that joins what is nearest to the query around the items of a history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import torch
from annotated_types import Gt
from pydantic import NonNegativeInt, PositiveInt

from utils.retrieval.base import Index, Queries, Retrieved, retriever
from utils.retrieval.pairs import asked_nodes, best
from utils.retrieval.steiner import edge_prizes, node_prizes, solver, steiner_tree, trimmed


@retriever("pcst")
@dataclass(frozen=True)
class PrizeCollectingSteinerTree:
    """One slot of the nodes of a prize-collecting Steiner tree, with all triples between them.

    The tree is looked for near the items that a user asks for, not in the whole graph as G-Retriever does: what is like
    the query by its words alone has nothing to do with this user. A tree of more than n nodes loses its worst leaves,
    so that it stays one piece. Scores are the nodes' prizes; a node that only joins others has none.
    top_k: the nodes nearest to the query get prizes from top_k down to 1. Only nodes with a text.
    top_k_edges: the same for relations, each of which shares its prize among its triples. 0: triples have no prize.
    edge_cost: what a triple costs; the higher, the smaller the tree.
    hops: how far from the items' nodes the tree may reach. With 1 it is found in a quarter of the time of 2.
    He et al., G-Retriever (NeurIPS 2024, arXiv 2402.07630), section 5.3; the defaults are those of its WebQSP.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"top_k", "rerank_query"})
    top_k: PositiveInt = 3
    top_k_edges: NonNegativeInt = 5
    edge_cost: Annotated[float, Gt(0)] = 0.5
    hops: PositiveInt = 1

    def __call__(self, index: Index, queries: Queries, n: int) -> Retrieved:
        """The nodes [S, 1, n] of trees, and their prizes; ImportError without a pcst_fast that works."""
        solve = solver()
        triples = index.graph.triples.astype(np.int64)
        relations = index.relations[: len(index.graph.relations)]
        says = index.nodes.any(dim=1).numpy()
        asked, seeds = asked_nodes(index.items, queries.items)
        users, nodes, prizes = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0)]
        for user in np.unique(asked):
            query = queries.vectors[user]
            near = _near(triples, seeds[asked == user], len(index.graph), self.hops)
            around = np.flatnonzero(near)
            inside = triples[near[triples[:, 0]] & near[triples[:, 2]]]
            similar = np.where(says[around], _cosines(index.nodes[around], query), np.nan)
            worth = node_prizes(similar, self.top_k)
            of_edges = edge_prizes(_cosines(relations, query)[inside[:, 1]], self.top_k_edges)
            edges = np.searchsorted(around, inside[:, [0, 2]])
            kept = trimmed(*steiner_tree(solve, edges, worth, of_edges, self.edge_cost), worth, n)
            users.append(np.full(len(kept), user))
            nodes.append(around[kept])
            prizes.append(worth[kept])
        columns = np.concatenate(users), np.concatenate(nodes), np.concatenate(prizes)
        centres, scores = best(*columns, len(queries.items), n)
        return Retrieved(centres, scores, orders=(index.highest_order,), expansion="induced")


def _near(triples: np.ndarray, seeds: np.ndarray, n_nodes: int, hops: int) -> np.ndarray:
    """[n_nodes] bool: the nodes within `hops` of any of `seeds`."""
    near = np.zeros(n_nodes, dtype=bool)
    near[seeds] = True
    heads, _, tails = triples.T
    for _ in range(hops):
        from_heads, from_tails = near[heads], near[tails]
        near[tails[from_heads]] = True
        near[heads[from_tails]] = True
    return near


def _cosines(vectors: torch.Tensor, query: torch.Tensor) -> np.ndarray:
    """[n] float32: of rows of length 1 with a query of length 1; equal rows have equal ones."""
    return (vectors * query).sum(dim=1).numpy()
