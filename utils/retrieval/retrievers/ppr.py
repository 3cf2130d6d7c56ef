"""Where a random walk that returns to the items of a history is most often."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Le, Lt
from scipy import sparse

from utils.data.kg.graph import Adjacency
from utils.retrieval.base import NO_NODE, Index, Queries, Retrieved, retriever
from utils.retrieval.pairs import asked_nodes

# How many users walk at once: few enough that their scores stay near the processor.
_USERS = 16
_TOLERANCE = 1e-9
# Scores that differ by less than what the iteration leaves are tied.
_DECIMALS = 8


@retriever("ppr")
@dataclass(frozen=True)
class PersonalizedPageRank:
    """One slot of stars around the centres with the highest personalised PageRank.

    A walk starts at one of the nodes of the items that a user asks for, each as likely as the others; it returns there
    with chance `alpha`, and else goes on to a neighbour. Scores are the chances to meet it at a node, to eight
    decimals; ties by node number. What it meets is among the nodes that may be retrieved.
    alpha: the chance to return; the higher, the nearer to the items it stays.
    keep_seeds: whether the items' own nodes may be centres too. They have the highest scores of all, so that n of them
    would leave no room for anything that the user has not named.
    hub_discount: scores are divided by this power of how many triples touch the node. With 0, as in the definition,
    nearly all users have the same hubs for centres: 943 users with 5 random items of ml-100k each have 166 of them,
    and 1,635 with 0.25. With 1 (Andersen, Chung and Lang, FOCS 2006) only the most obscure nodes are found.
    Haveliwala, Topic-Sensitive PageRank (WWW 2002).
    """

    reads: ClassVar[frozenset[str]] = frozenset({"min_center_items", "max_neighbors"})
    alpha: Annotated[float, Gt(0), Lt(1)] = 0.15
    keep_seeds: bool = False
    hub_discount: Annotated[float, Ge(0), Le(1)] = 0.0

    def __call__(self, index: Index, queries: Queries, n: int) -> Retrieved:
        """The centres [S, 1, n] of stars, and their chances; of a user without a linked item, none."""
        users, seeds = asked_nodes(index.items, queries.items)
        walk = walk_matrix(index.graph.adjacency)
        centres = np.full((len(queries.items), 1, n), NO_NODE, dtype=np.int32)
        scores = np.zeros(centres.shape, dtype=np.float32)
        degrees = index.graph.adjacency.degrees[index.centres].astype(np.float64)
        discount = np.maximum(degrees, 1)[:, None] ** self.hub_discount
        walking, column = np.unique(users, return_inverse=True)
        for start in range(0, len(walking), _USERS):
            block = walking[start : start + _USERS]
            own = (column >= start) & (column < start + _USERS)
            place = seeds[own], column[own] - start
            restart = np.zeros((len(index.graph), len(block)))
            restart[place] = 1
            met = pagerank(walk, restart / restart.sum(axis=0), self.alpha).round(_DECIMALS)
            if not self.keep_seeds:
                met[place] = 0
            met = met[index.centres] / discount
            # The centres are sorted, so that a stable sort leaves ties in the order of their numbers.
            order = np.argsort(-met, axis=0, kind="stable")[:n]
            chances = np.take_along_axis(met, order, axis=0).T
            found = np.where(chances > 0, index.centres[order.T], NO_NODE)
            centres[block, 0, : found.shape[1]] = found
            scores[block, 0, : found.shape[1]] = chances
        return Retrieved(centres, scores, orders=(index.highest_order,), expansion="star")


def walk_matrix(adjacency: Adjacency) -> sparse.csr_matrix:
    """[n, n] float64: the chance to go from node j to node i, each distinct neighbour as likely as the others.

    A neighbour counts once, however many relations lead to it: many graphs state some of theirs from both ends.
    """
    n = len(adjacency.indptr) - 1
    # A copy, since the duplicates are summed in place.
    parts = np.ones(len(adjacency.neighbours)), adjacency.neighbours, adjacency.indptr
    matrix = sparse.csr_matrix(parts, (n, n), copy=True)
    matrix.sum_duplicates()
    matrix.data[:] = 1
    # The matrix is symmetric, so that a column's sum is its row's length.
    matrix.data /= np.diff(matrix.indptr)[matrix.indices]
    return matrix


def pagerank(walk: sparse.csr_matrix, restart: np.ndarray, alpha: float) -> np.ndarray:
    """[n, S] the p with p = alpha restart + (1 - alpha) walk p, column by column, for `restart` [n, S].

    The walk is similar to a symmetric matrix, with eigenvalues from -1 to 1. So Chebyshev's semi-iteration holds, which
    takes a third of the steps of the power iteration, each at the same price (Golub and Varga, 1961).
    """
    stay = 1 - alpha
    # By what the error shrinks in a step.
    rate = (1 - math.sqrt(1 - stay**2)) / stay
    constant = alpha * restart
    before, scores = np.zeros_like(constant), constant.copy()
    omega = 2.0
    for _ in range(math.ceil(math.log(_TOLERANCE, rate))):
        omega = 1 / (1 - stay**2 * omega / 4)
        after = stay * (walk @ scores)
        after += constant
        after -= before
        after *= omega
        after += before
        before, scores = scores, after
    return scores
