"""The nodes whose vectors are nearest to queries: exact, whatever ties, or through an inverted index of faiss."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from utils.retrieval.base import NO_NODE
from utils.retrieval.inverted import FEWEST, Inverted

Search = Literal["exact", "faiss"]

# How many vectors are compared at once: few enough that they stay near the processor.
_AT_ONCE = 2**14


def nearest(
    queries: torch.Tensor,
    vectors: torch.Tensor,
    candidates: np.ndarray,
    k: int,
    search: Search = "exact",
    block_bytes: int = 2**27,
) -> tuple[np.ndarray, np.ndarray]:
    """The k candidates nearest to each of queries [n, d]: nodes [n, k] int32, cosines [n, k] float32, falling.

    vectors [n_nodes, d] float32: of all nodes, rows of length 1, as those of the queries. candidates [m] int32, sorted:
    the nodes that may be found. Where there are fewer than k of them the rest is -1, with a cosine of 0.
    Nodes of equal cosine come by their number; those with the same vector always do. Equal queries are asked once.
    search: faiss may miss some of the nearest where FEWEST vectors or more differ; see `Inverted`, whose errors it
    raises.
    block_bytes: about how much memory the comparison takes, beside the arguments, the result and faiss's index.
    """
    # A matrix product may round equal columns differently, so that only distinct vectors are compared.
    first, group_of = _distinct(vectors, candidates)
    alike, rows = _Alike.of(candidates, group_of), candidates[first]
    asked, answer_of = _distinct(queries, np.arange(len(queries)))
    nodes = np.full((len(asked), k), NO_NODE, dtype=np.int32)
    scores = np.zeros((len(asked), k), dtype=np.float32)
    found = min(k, len(rows))
    inverted = Inverted.of(vectors, rows) if search == "faiss" and len(rows) >= FEWEST else None
    width = max(1, min(_AT_ONCE, len(rows), block_bytes // (8 * queries.shape[1])))
    # A cosine, and where many tie its sorted copy and place; then the nodes of the vectors that are found.
    query_bytes = 24 * (width + 2 * found) + 40 * found * alike.most(k)
    step = max(1, block_bytes // query_bytes)
    for start in range(0, len(asked) if found else 0, step):
        part = slice(start, start + step)
        block = queries[asked[part]]
        if inverted is None:
            values, groups = _exact(block, vectors, rows, found, width)
        else:
            values, groups = inverted.search(block, found)
            short = np.flatnonzero((groups < 0).any(axis=1))
            if len(short):
                values[short], groups[short] = _exact(block[short], vectors, rows, found, width)
        there, cosines = alike.expand(groups, values, k)
        nodes[part, : there.shape[1]], scores[part, : there.shape[1]] = there, cosines
    return nodes[answer_of], scores[answer_of]


def _distinct(vectors: torch.Tensor, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the vectors of some rows [m], those distinct bit for bit: the first place of each, and which one each is."""
    matrix, seen = vectors.numpy(), dict[bytes, int]()
    digests = (hashlib.blake2b(matrix[row].tobytes(), digest_size=16).digest() for row in rows)
    which = np.fromiter((seen.setdefault(digest, len(seen)) for digest in digests), dtype=np.int64, count=len(rows))
    return np.unique(which, return_index=True)[1], which


def _exact(
    queries: torch.Tensor, vectors: torch.Tensor, rows: np.ndarray, k: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """The k largest products of queries [n, d] with some rows [m >= k] of vectors: [n, k], and their places in rows.

    Where products tie, those of the earlier rows. The places rise. width: how many rows are compared at once.
    """
    values, places = queries.new_empty(len(queries), 0), torch.empty(len(queries), 0, dtype=torch.int64)
    for start in range(0, len(rows), width):
        products = queries @ vectors[rows[start : start + width]].T
        columns = _largest(products, k)
        # The best so far are of earlier rows, so that a column's place still tells which of two rows is the earlier.
        values = torch.cat([values, products.gather(1, columns)], dim=1)
        places = torch.cat([places, columns + start], dim=1)
        kept = _largest(values, k)
        values, places = values.gather(1, kept), places.gather(1, kept)
    return values.numpy(), places.numpy()


def _largest(values: torch.Tensor, k: int) -> torch.Tensor:
    """The columns, rising, of the k largest values of each row [m], of equal ones the first; all where m is less."""
    if values.shape[1] <= k:
        return torch.arange(values.shape[1]).expand(len(values), -1)
    leading, columns = values.topk(k + 1, dim=1)
    columns = columns[:, :k]
    # topk takes any of the equals; only where they go beyond the k-th place does it matter which.
    tied = leading[:, k - 1] == leading[:, k]
    if bool(tied.any()):
        columns[tied] = values[tied].sort(dim=1, descending=True, stable=True).indices[:, :k]
    return columns.sort(dim=1).values


@dataclass(frozen=True)
class _Alike:
    """Nodes that have the same vector, as CSR: group g is nodes[indptr[g] : indptr[g + 1]], rising."""

    nodes: np.ndarray
    indptr: np.ndarray

    @classmethod
    def of(cls, candidates: np.ndarray, group_of: np.ndarray) -> _Alike:
        indptr = np.concatenate([[0], np.cumsum(np.bincount(group_of))])
        return cls(candidates[np.argsort(group_of, kind="stable")], indptr)

    def most(self, k: int) -> int:
        """How many nodes a group has at most, of those that k places have room for."""
        return min(k, int(np.diff(self.indptr).max(initial=0)))

    def expand(self, groups: np.ndarray, values: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Groups [n, f] with a value each -> the k nodes of the largest values, falling, equal ones by their number.

        [n, at most k] each, -1 and 0 where groups end. The k groups that come first, by value and first node, hold
        the k nodes that come first: any other group has k nodes before its own.
        """
        places = self.indptr[groups][..., None] + np.arange(self.most(k))
        there = places < self.indptr[groups + 1][..., None]
        nodes = np.where(there, self.nodes[np.minimum(places, len(self.nodes) - 1)], NO_NODE)
        spread = np.where(there, values[..., None], -np.inf)
        nodes, spread = (array.reshape(len(groups), -1) for array in (nodes, spread))
        order = np.lexsort((nodes, -spread), axis=1)[:, :k]
        nodes, spread = np.take_along_axis(nodes, order, axis=1), np.take_along_axis(spread, order, axis=1)
        return nodes, np.where(nodes == NO_NODE, 0, spread)
