"""Which nodes of a knowledge graph a dataset's items are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from utils.data.kg.files import KgError
from utils.data.kg.graph import KnowledgeGraph

_SHOWN = 3


@dataclass(frozen=True)
class Links:
    """The nodes of each item as CSR: item i is the nodes link_nodes[link_indptr[i] : link_indptr[i + 1]], sorted.

    link_indptr [n_items + 1] int64. link_nodes [n] int32. An item may have none or several nodes, and a node several
    items. unknown_items, unknown_entities: how many pairs name an item that the dataset does not have, or an entity
    that the graph does not have.
    """

    link_indptr: np.ndarray
    link_nodes: np.ndarray
    unknown_items: int
    unknown_entities: int

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]], graph: KnowledgeGraph, item_tokens: Sequence[str]) -> Links:
        """From (item token, entity token); row i is item_tokens[i]. A pair that stands there twice counts once.

        KgError where no pair joins an item of the dataset to an entity of the graph.
        """
        pairs = list(pairs)
        row_of = {token: row for row, token in enumerate(item_tokens)}
        rows = np.fromiter((row_of.get(item, -1) for item, _ in pairs), np.int64, len(pairs))
        nodes = np.fromiter((graph.node_of.get(entity, -1) for _, entity in pairs), np.int64, len(pairs))
        joined = (rows >= 0) & (nodes >= 0)
        if not joined.any():
            raise KgError(_why_none(pairs, graph, item_tokens, bool((rows >= 0).any()), bool((nodes >= 0).any())))
        distinct = np.unique(rows[joined] * len(graph) + nodes[joined])
        indptr = np.zeros(len(item_tokens) + 1, dtype=np.int64)
        np.cumsum(np.bincount(distinct // len(graph), minlength=len(item_tokens)), out=indptr[1:])
        link_nodes = (distinct % len(graph)).astype(np.int32)
        return cls(indptr, link_nodes, int((rows < 0).sum()), int((nodes < 0).sum()))

    @property
    def linked(self) -> np.ndarray:
        """[n_items] bool: which items have a node."""
        return np.diff(self.link_indptr) > 0

    @cached_property
    def nodes(self) -> np.ndarray:
        """[n] int32, sorted: the nodes that are an item."""
        return np.unique(self.link_nodes)


def _why_none(
    pairs: Sequence[tuple[str, str]],
    graph: KnowledgeGraph,
    item_tokens: Collection[str],
    items_known: bool,
    entities_known: bool,
) -> str:
    items = f"items are {_some(item for item, _ in pairs)} there and {_some(item_tokens)} in the dataset"
    entities = f"entities are {_some(entity for _, entity in pairs)} there and {_some(graph.entities)} in the graph"
    if not pairs:
        return "there are no links"
    if not items_known:
        return f"none of the {len(pairs):,} links names an item of the dataset: {items}"
    if not entities_known:
        return f"none of the {len(pairs):,} links names an entity of the graph: {entities}"
    return (
        f"none of the {len(pairs):,} links joins an item of the dataset to an entity of the graph: {items}; {entities}"
    )


def _some(tokens: Iterable[str]) -> str:
    """The first few distinct tokens, as examples."""
    distinct = list(dict.fromkeys(tokens))
    return ", ".join(f"'{token}'" for token in distinct[:_SHOWN]) + (", ..." if len(distinct) > _SHOWN else "")
