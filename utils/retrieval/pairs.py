"""Candidates of many users side by side, as pairs of a user and a node."""

from __future__ import annotations

import numpy as np

from utils.retrieval.base import NO_NODE, Index, Items, Queries

# How many pairs are compared at once: their vectors are copied.
_PAIRS = 16_384


def asked_nodes(items: Items, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nodes that the items `rows` [S, L] link to: users [m] and nodes [m] int64, by user, then by node.

    rows: of `Items`, -1 where there is none. A node that several items of a user link to is one pair.
    """
    users, place = np.nonzero(rows >= 0)
    asked = rows[users, place]
    counts = np.diff(items.link_indptr)[asked]
    before = np.cumsum(counts) - counts
    entries = np.arange(counts.sum()) + np.repeat(items.link_indptr[asked] - before, counts)
    pairs = np.stack([np.repeat(users, counts), items.link_nodes[entries]], axis=1).astype(np.int64)
    distinct = np.unique(pairs, axis=0)
    return distinct[:, 0], distinct[:, 1]


def cosines(index: Index, queries: Queries, users: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """[m] float32: how near each pair's node is to what its user asks for; 0 of a node without a text."""
    out = np.empty(len(users), dtype=np.float32)
    for start in range(0, len(users), _PAIRS):
        part = slice(start, start + _PAIRS)
        out[part] = (queries.vectors[users[part]] * index.nodes[nodes[part]]).sum(dim=1).numpy()
    return out


def best(
    users: np.ndarray, nodes: np.ndarray, scores: np.ndarray, n_users: int, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """The n nodes of each user with the highest scores, as centres and scores [n_users, 1, n] of `Retrieved`.

    users, nodes, scores [m]: pairs, each of them once. Ties come by node number.
    """
    order = np.lexsort((nodes, -scores, users))
    users, nodes, scores = users[order], nodes[order], scores[order]
    rank = np.arange(len(users)) - np.searchsorted(users, users)
    kept = rank < n
    centres = np.full((n_users, 1, n), NO_NODE, dtype=np.int32)
    values = np.zeros((n_users, 1, n), dtype=np.float32)
    centres[users[kept], 0, rank[kept]] = nodes[kept]
    values[users[kept], 0, rank[kept]] = scores[kept]
    return centres, values
