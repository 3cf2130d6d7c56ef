"""What a user's subgraphs are to a page: a history, centres with what touches them, and each of these in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

NodeKind = Literal["history", "item", "entity"]
KINDS: dict[NodeKind, str] = {
    "history": "item of the history",
    "item": "other item of the dataset",
    "entity": "entity that is no item",
}
MOST_NAMES = 3
# What has no name is described by its neighbours, which can take a paragraph.
LONGEST_NAME = 60


@dataclass(frozen=True)
class HistoryItem:
    """One item that a user had to do with.

    rating: None where the dataset has none. popularity: how many users of the train part rated it. kept: whether the
    popularity policy asked for it. linked: whether it is a node of the graph.
    """

    title: str
    rating: float | None
    popularity: int
    kept: bool
    linked: bool


@dataclass(frozen=True)
class ShownNode:
    """A node of the graph; `token` tells nodes of one name apart."""

    token: str
    name: str
    kind: NodeKind


@dataclass(frozen=True)
class ShownEdge:
    """A triple. relation: what it says of the tail, "director"; inverse: what it says of the head, "director of"."""

    head: ShownNode
    relation: str
    inverse: str
    tail: ShownNode

    def seen_from(self, node: ShownNode) -> tuple[str, ShownNode] | None:
        """(what is said of the other end, the other end); None where the edge does not touch the node."""
        if node == self.head:
            return self.relation, self.tail
        return (self.inverse, self.head) if node == self.tail else None

    def __str__(self) -> str:
        """The triple on one line."""
        return f"{cut(self.head.name)} → {self.relation} → {cut(self.tail.name)}"


@dataclass(frozen=True)
class ShownSubgraph:
    """What was retrieved around one centre.

    slot: how the centre was found, "by text". score: as high as the retriever ranks it; comparable within a slot.
    left_out: neighbours of the centre that are not among the edges, because there are too many.
    """

    slot: str
    centre: ShownNode
    score: float
    left_out: int
    edges: tuple[ShownEdge, ...]

    def words(self) -> str:
        """What the subgraph says of its centre, in the order of its edges, with a few names for each relation."""
        said: dict[str, dict[ShownNode, None]] = {}
        beyond = 0
        for edge in self.edges:
            seen = edge.seen_from(self.centre)
            if seen is None:
                beyond += 1
            else:
                said.setdefault(seen[0], {})[seen[1]] = None
        parts = [f"{relation} {_listed([cut(node.name) for node in others])}" for relation, others in said.items()]
        if beyond:
            parts.append(f"{beyond:,} more {'triple' if beyond == 1 else 'triples'} among its neighbours and beyond")
        if self.left_out:
            parts.append(f"{self.left_out:,} {'neighbour' if self.left_out == 1 else 'neighbours'} left out")
        return "; ".join(parts) or "nothing touches it"


@dataclass(frozen=True)
class SubgraphPage:
    """All that the page of one user says. history: the latest item first. query: what centres are ranked by, or ""."""

    dataset: str
    user: str
    scenario: str
    history: tuple[HistoryItem, ...]
    retriever: str
    query: str
    subgraphs: tuple[ShownSubgraph, ...]
    notes: tuple[str, ...] = ()


def cut(name: str, longest: int = LONGEST_NAME) -> str:
    """The name, or its beginning with a mark that there is more."""
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def by_slot(subgraphs: Sequence[ShownSubgraph]) -> dict[str, list[ShownSubgraph]]:
    """The subgraphs of each slot, in the order in which slots and subgraphs come."""
    slots: dict[str, list[ShownSubgraph]] = {}
    for subgraph in subgraphs:
        slots.setdefault(subgraph.slot, []).append(subgraph)
    return slots


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    # "and 1 more" is no shorter than the name.
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:MOST_NAMES])} and {more:,} more"
