"""What a retriever is: from an index and what users ask of it to the centres of their subgraphs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, TypeVar

import numpy as np
import torch

from utils.data.kg.graph import KnowledgeGraph
from utils.registry import Registry

# How a subgraph grows from what is stored: a centre and what touches it, a centre and all within `hops`, or all of a
# slot's nodes together with the triples between them.
Expansion = Literal["star", "ball", "induced"]
NO_NODE = -1
# Parameters of `retrieve_subgraph` that some retrievers have no use for.
DEPENDING = ("top_k", "search", "rerank_query", "min_center_items", "max_neighbors")


@dataclass(frozen=True)
class Items:
    """The dataset's items as an index sees them; row i is `tokens[i]`.

    vectors [n_items, dim] float32 on the CPU: of their titles, rows of length 1, or zero where `titled` is False.
    titled [n_items] bool. popularity [n_items] int64: users of the train part. token_order [n_items] int64: the place
    of each token among all in sorted order, for ties.
    link_indptr [n_items + 1], link_nodes: the nodes of each item as CSR, sorted; an item may have none or several.
    """

    tokens: tuple[str, ...]
    vectors: torch.Tensor
    titled: np.ndarray
    popularity: np.ndarray
    token_order: np.ndarray
    link_indptr: np.ndarray
    link_nodes: np.ndarray

    @property
    def linked(self) -> np.ndarray:
        """[n_items] bool: which items have a node."""
        return np.diff(self.link_indptr) > 0


@dataclass(frozen=True)
class Index:
    """A graph whose nodes can be found by what they say.

    nodes [n_nodes, dim] float32 on the CPU: of their texts (order 1), rows of length 1, or zero where a node has no
    text. relations [2 * n_relations, dim]: of the relations' texts, those against their direction after those along
    it. propagated [n_nodes, dim]: with what the neighbours say (order 2), rows of length 1; None where no order 2 is
    asked for. centres [n] int32, sorted: the nodes that may be retrieved.
    fingerprint: of the graph, the links, the texts and all parameters that these arrays come from.
    """

    graph: KnowledgeGraph
    items: Items
    nodes: torch.Tensor
    relations: torch.Tensor
    propagated: torch.Tensor | None
    centres: np.ndarray
    fingerprint: str

    @property
    def highest_order(self) -> int:
        """2 where there is an order 2, else 1."""
        return 1 if self.propagated is None else 2

    def vectors(self, order: int) -> torch.Tensor:
        """[n_nodes, dim] of order 1 or 2."""
        if order == 1:
            return self.nodes
        assert self.propagated is not None, "no order 2 was asked for"
        return self.propagated


@dataclass(frozen=True)
class Queries:
    """What S users ask for: each of a few items of their history, in the light of all of it.

    items [S, L] int32: rows of `Items` that the policy kept, each at most once, -1 where there are fewer.
    vectors [S, dim] float32, rows of length 1: of their whole history or prompt.
    """

    items: np.ndarray
    vectors: torch.Tensor


@dataclass(frozen=True)
class Retrieved:
    """The subgraphs of S users, as the nodes that they grow from.

    centres [S, slots, N] int32: distinct within a slot, -1 after the last. scores [S, slots, N] float32: falling within
    a slot, 0 where there is no centre.
    orders: for each slot, the order of the vectors that a mean over its centres takes.
    expansion: how a subgraph grows from its centre; hops: how far, of a ball.
    """

    centres: np.ndarray
    scores: np.ndarray
    orders: tuple[int, ...]
    expansion: Expansion = "star"
    hops: int = 1


class Retriever(Protocol):
    """Options as fields; called with an index and queries. `n`: the most centres of a slot.

    reads: which of the command's own parameters its result depends on, of `DEPENDING`; all others matter always.
    """

    reads: ClassVar[frozenset[str]]

    def __call__(self, index: Index, queries: Queries, n: int) -> Retrieved: ...


R = TypeVar("R", bound=type[Retriever])

RETRIEVERS: Registry[type[Retriever]] = Registry("retriever", package="utils.retrieval.retrievers")


def retriever(name: str) -> Callable[[R], R]:
    """Decorator that makes a frozen dataclass usable as `retriever: name`; its fields are `retriever_options`."""

    def enter(cls: R) -> R:
        RETRIEVERS.register(name)(cls)
        return cls

    return enter
