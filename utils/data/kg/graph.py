"""Triples and who touches whom: a knowledge graph as arrays, its entities by token."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Adjacency:
    """Both directions of every triple as CSR: node i is touched by entries indptr[i] to indptr[i + 1].

    indptr [n_nodes + 1] int64. neighbours [n] int32: the node at the other end. relations [n] int32: the relation's
    number where the node is the head, the number plus the number of relations where it is the tail. The entries of a
    node are sorted by neighbour, then by relation.
    """

    indptr: np.ndarray
    neighbours: np.ndarray
    relations: np.ndarray

    @property
    def degrees(self) -> np.ndarray:
        """[n_nodes] int64: how many triples touch each node; parallel ones count."""
        return np.diff(self.indptr)

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Whose each entry is [n] int32, and whether it is the first that leads from there to another node [n] bool.

        What is left by the mask is each node with each of its neighbours once, without itself.
        """
        ends = np.repeat(np.arange(len(self.indptr) - 1, dtype=np.int32), self.degrees)
        first = self.neighbours != ends
        # Parallel triples lie side by side.
        first[1:] &= (self.neighbours[1:] != self.neighbours[:-1]) | (ends[1:] != ends[:-1])
        return ends, first


@dataclass(frozen=True)
class KnowledgeGraph:
    """Distinct triples [n, 3] int32 of (head, relation, tail).

    entities: tokens in sorted order, so that a smaller number is an earlier token; node i is entities[i].
    relations: tokens in sorted order. Two relations between the same two entities are two triples.
    """

    entities: tuple[str, ...]
    relations: tuple[str, ...]
    triples: np.ndarray

    @classmethod
    def of(cls, heads: Iterable[str], relations: Iterable[str], tails: Iterable[str]) -> KnowledgeGraph:
        """From three columns of tokens; a triple that stands there twice counts once.

        Columns that a file was read into, as Arrow's chunked arrays, are not made Python texts.
        """
        head, relation, tail = (_as_arrow(column) for column in (heads, relations, tails))
        ends, entities = _numbered(pa.chunked_array([*head.chunks, *tail.chunks], pa.string()))
        kinds, names = _numbered(relation)
        columns = (ends[: len(head)], kinds, ends[len(head) :])
        triples = np.stack(_sorted_rows(columns, (len(entities), len(names), len(entities))), axis=1)
        first = np.ones(len(triples), dtype=bool)
        first[1:] = (triples[1:] != triples[:-1]).any(axis=1)
        return cls(entities, names, triples[first])

    def __len__(self) -> int:
        """How many nodes there are."""
        return len(self.entities)

    @cached_property
    def node_of(self) -> dict[str, int]:
        """Entity token -> node."""
        return {entity: node for node, entity in enumerate(self.entities)}

    @cached_property
    def adjacency(self) -> Adjacency:
        """Both directions of every triple."""
        heads, relations, tails = self.triples.T
        ends, others, kinds = _sorted_rows(
            (
                np.concatenate([heads, tails]),
                np.concatenate([tails, heads]),
                np.concatenate([relations, relations + len(self.relations)]),
            ),
            (len(self), len(self), 2 * len(self.relations)),
        )
        return Adjacency(np.searchsorted(ends, np.arange(len(self) + 1)), others, kinds)

    @cached_property
    def fingerprint(self) -> str:
        """A short hash of the triples, whatever the order they were read in."""
        digest = hashlib.sha256("\n".join([*self.entities, "", *self.relations]).encode())
        digest.update(self.triples.astype("<i4").tobytes())
        return digest.hexdigest()[:16]


def _as_arrow(column: Iterable[str]) -> pa.ChunkedArray:
    return column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([list(column)], pa.string())


def _numbered(column: pa.ChunkedArray) -> tuple[np.ndarray, tuple[str, ...]]:
    """[n] int32, the place of each token among the distinct ones in sorted order; and these."""
    encoded = column.dictionary_encode().combine_chunks()
    # Arrow sorts by bytes, which for UTF-8 is the order of code points that Python sorts by.
    order = pc.sort_indices(encoded.dictionary).to_numpy()
    place = np.empty(len(order), dtype=np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    return place[encoded.indices.to_numpy()], tuple(encoded.dictionary.take(order).to_pylist())


def _sorted_rows(columns: Sequence[np.ndarray], sizes: Sequence[int]) -> list[np.ndarray]:
    """Columns [n] int32, their rows put in order; column i has numbers from 0 to below sizes[i]."""
    widths = [max(size - 1, 0).bit_length() for size in sizes]
    if sum(widths) > 63:
        order = np.lexsort(columns[::-1])
        return [column[order] for column in columns]
    # Each row as one number: of ten million triples, lexsort takes ten times as long and more memory.
    keys = np.zeros(len(columns[0]), dtype=np.int64)
    for column, width in zip(columns, widths, strict=True):
        keys <<= width
        keys |= column
    keys.sort()
    rows = []
    for width in reversed(widths):
        rows.append((keys & ((1 << width) - 1)).astype(np.int32))
        keys >>= width
    return rows[::-1]
