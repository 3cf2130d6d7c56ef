"""Whether links can be right: items that touch the same node should be more alike than any two items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from utils.data.kg.graph import KnowledgeGraph
from utils.data.kg.links import Links

_SHUFFLES = 99
# Drawn from larger datasets, so that the check takes a second at most.
_MOST_ITEMS = 5000
# Where shuffled links reach this lift by luck, staying below it says nothing against the links.
_WIDEST = 1.1


@dataclass(frozen=True)
class LinkCheck:
    """How many times as many classes two items share that touch one node, as any two items do.

    lift: with the links as they are. expected_low, expected_high: the range under shuffled links, about 1.
    """

    lift: float
    expected_low: float
    expected_high: float

    @property
    def looks_random(self) -> bool:
        """Whether some shuffled links agree with the classes as well as these."""
        return self.lift <= self.expected_high


def check_link(graph: KnowledgeGraph, links: Links, classes: Sequence[Sequence[str]]) -> LinkCheck | None:
    """How well a graph agrees with the classes of each linked item; None where the items are too few to tell.

    A node counts where it touches the nodes of two linked items at least, and of half of them at most; so does a class
    that so many have. The shuffles are the same in every run.
    """
    rows = np.flatnonzero(links.linked & np.fromiter(map(bool, classes), bool, len(classes)))
    draw = np.random.default_rng(0)
    if len(rows) > _MOST_ITEMS:
        rows = np.sort(draw.choice(rows, _MOST_ITEMS, replace=False))
    touched = _shared(_touched(graph, links, rows)).T.tocsr()
    named = _shared(_named([classes[row] for row in rows.tolist()]))
    if not touched.nnz or not named.nnz:
        return None
    lift = _lift(touched, named)
    shuffled = [_lift(touched, named[draw.permutation(len(rows))]) for _ in range(_SHUFFLES)]
    found = LinkCheck(lift, min(shuffled), max(shuffled))
    return None if found.looks_random and found.expected_high > _WIDEST else found


def _touched(graph: KnowledgeGraph, links: Links, rows: np.ndarray) -> sparse.csr_matrix:
    """[n, n_nodes], 1 where an item's node is at one end of a triple and the other is that node."""
    adjacency = graph.adjacency
    own = _pattern(links.link_nodes, links.link_indptr, len(graph))[rows]
    found = own @ _pattern(adjacency.neighbours, adjacency.indptr, len(graph))
    found.data[:] = 1
    return found


def _named(classes: Sequence[Sequence[str]]) -> sparse.csr_matrix:
    """[n, n_classes], 1 where an item has that class."""
    number: dict[str, int] = {}
    own = [sorted({number.setdefault(name, len(number)) for name in names}) for names in classes]
    indptr = np.cumsum([0, *map(len, own)])
    return _pattern(np.array([name for names in own for name in names]), indptr, len(number))


def _pattern(columns: np.ndarray, indptr: np.ndarray, width: int) -> sparse.csr_matrix:
    return sparse.csr_matrix((np.ones(len(columns)), columns, indptr), shape=(len(indptr) - 1, width))


def _shared(items: sparse.csr_matrix) -> sparse.csr_matrix:
    """[n, m]: the columns of two items at least, and of half of them at most: what nearly all have tells none apart."""
    counts = np.asarray(items.sum(axis=0)).ravel()
    return items[:, np.flatnonzero((counts >= 2) & (counts <= items.shape[0] / 2))]


def _lift(touched: sparse.csr_matrix, named: sparse.csr_matrix) -> float:
    """Classes that two items at a node [n_nodes, n] share, over those that any two of all [n, n_classes] share.

    Each item counts as often as it touches a node, so that nodes with many items do not drown the others.
    """
    together = touched @ named
    items_at = np.diff(touched.indptr)
    pairs_at = np.repeat(items_at - 1, np.diff(together.indptr))
    at_node = (together.data * (together.data - 1) / pairs_at).sum() / items_at.sum()
    n, counts = named.shape[0], np.asarray(named.sum(axis=0)).ravel()
    return float(at_node / ((counts * (counts - 1)).sum() / (n * (n - 1))))
