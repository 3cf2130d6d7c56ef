"""What each node of a graph says: its name, or what it is to the films, books or songs that it touches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from utils.data.kg.files import KgError
from utils.data.kg.graph import KnowledgeGraph
from utils.data.kg.relations import against, phrase

# What a node without a name says: its roles and titles, its roles, nothing; or there may be none.
MissingText = Literal["describe", "relation", "drop", "error"]
# What a node with a name says: its roles and titles as well, or the name alone.
NamedText = Literal["describe", "name"]
_SHOWN = 5


@dataclass(frozen=True)
class NodeTexts:
    """The text of each node, empty where it says nothing, and of how many nodes that text is which kind.

    titled: the name of an item. named: a name that the graph gives. described: roles and titles. by_relation: roles.
    """

    texts: tuple[str, ...]
    titled: int
    named: int
    described: int
    by_relation: int
    none: int

    @property
    def counts(self) -> dict[str, int]:
        """Number of nodes by kind of text; they add up to all."""
        return {kind: getattr(self, kind) for kind in ("titled", "named", "described", "by_relation", "none")}


@dataclass(frozen=True)
class _Titles:
    """The names of nodes that are items: of place 0 the most popular. place [n_nodes]: n_nodes where there is none."""

    names: list[str]
    place: np.ndarray


def node_texts(
    graph: KnowledgeGraph,
    link_indptr: np.ndarray,
    link_nodes: np.ndarray,
    item_names: Sequence[str],
    popularity: np.ndarray,
    token_order: np.ndarray,
    names: Mapping[str, str],
    named_text: NamedText,
    missing_text: MissingText,
    max_titles: int,
) -> NodeTexts:
    """The text of each node: the name of its item, else its own in `names`, else what `missing_text` says.

    link_indptr [n_items + 1], link_nodes: the nodes of each item as CSR. item_names [n_items]: empty for none.
    popularity, token_order [n_items]: of several items with one node the most popular names it, the earlier token
    where they tie; and so titles are ordered. names: entity token -> name.
    describe: `director of: Fargo (1996), Raising Arizona (1987); writer of: Fargo (1996)`, of each role the
    `max_titles` most popular titles, the role with most titles first; and of a node that touches no titled item the
    roles alone, which is all that `relation` says. A named node that touches two titled items or more says its name
    before that, `Joel Coen, director of: Fargo (1996), ...`; others their name alone, as all do with `named_text` name.
    KgError for `error` with a node that has no name.
    """
    titles = _titles(len(graph), link_indptr, link_nodes, item_names, popularity, token_order)
    texts = [names.get(entity, "") for entity in graph.entities]
    titled = np.flatnonzero(titles.place < len(graph))
    for node in titled.tolist():
        texts[node] = titles.names[titles.place[node]]
    mute = np.array([not text for text in texts], dtype=bool)
    named = ~mute
    named[titled] = False
    if missing_text == "error" and mute.any():
        first = ", ".join(graph.entities[node] for node in np.flatnonzero(mute)[:_SHOWN])
        raise KgError(
            f"{int(mute.sum()):,} of the {len(graph):,} entities have no name (the first: {first}); give entity_names, "
            "or missing_text: describe, relation or drop"
        )
    shared = _titles_touched(graph, titles) >= 2
    speaks = (mute & (missing_text == "describe")) | (named & shared & (named_text == "describe"))
    described = _roles(graph, speaks, titles, max_titles)
    for node, roles in described.items():
        texts[node] = f"{texts[node]}, {roles}" if named[node] else roles
    if missing_text in ("describe", "relation"):
        untitled = _Titles([], np.full(len(graph), len(graph)))
        silent = np.array([not text for text in texts], dtype=bool)
        for node, roles in _roles(graph, silent, untitled, 0).items():
            texts[node] = roles
    none = sum(not text for text in texts)
    said = sum(not named[node] for node in described)
    return NodeTexts(tuple(texts), len(titled), int(named.sum()), said, int(mute.sum()) - said - none, none)


def _titles(
    n_nodes: int,
    link_indptr: np.ndarray,
    link_nodes: np.ndarray,
    item_names: Sequence[str],
    popularity: np.ndarray,
    token_order: np.ndarray,
) -> _Titles:
    items = np.repeat(np.arange(len(item_names)), np.diff(link_indptr))
    has_name = np.array([bool(name) for name in item_names], dtype=bool)[items]
    items, nodes = items[has_name], np.asarray(link_nodes)[has_name]
    order = np.lexsort((nodes, token_order[items], -popularity[items]))
    items, nodes = items[order], nodes[order]
    # The first of a node's items is the one that names it.
    first = np.sort(np.unique(nodes, return_index=True)[1])
    place = np.full(n_nodes, n_nodes)
    place[nodes[first]] = np.arange(len(first))
    return _Titles([item_names[item] for item in items[first].tolist()], place)


def _titles_touched(graph: KnowledgeGraph, titles: _Titles) -> np.ndarray:
    """[n_nodes]: how many distinct titled nodes touch each."""
    adjacency, n_nodes = graph.adjacency, len(graph)
    ends, distinct = adjacency.pairs()
    return np.bincount(ends[distinct & (titles.place[adjacency.neighbours] < n_nodes)], minlength=n_nodes)


def _roles(graph: KnowledgeGraph, of: np.ndarray, titles: _Titles, max_titles: int) -> dict[int, str]:
    """Node -> its roles, of the nodes in the mask `of`: those with titles, and nodes that touch none are left out.

    max_titles: 0 gives all roles without any title.
    """
    adjacency, n_nodes = graph.adjacency, len(graph)
    said = [*map(phrase, graph.relations), *map(against, graph.relations)]
    codes, phrases = pd.factorize(np.asarray(said, dtype=object), sort=True)
    ends = np.repeat(np.arange(n_nodes), adjacency.degrees)
    own = of[ends]
    roles = ends[own] * len(phrases) + codes[adjacency.relations[own]]
    # One number for (node, phrase, place of the title): sorted, and what two relations say alike stands there once.
    entries = np.unique(roles * (n_nodes + 1) + titles.place[adjacency.neighbours[own]])
    roles, places = np.divmod(entries, n_nodes + 1)
    roles, start = np.unique(roles, return_index=True)
    nodes, spoken = np.divmod(roles, len(phrases))
    count = np.add.reduceat(places < n_nodes, start, dtype=np.int64) if len(start) else start
    parts: dict[int, list[str]] = {}
    for role in np.lexsort((spoken, -count, nodes)).tolist():
        node, n = int(nodes[role]), min(int(count[role]), max_titles)
        if n:
            shown = [titles.names[place] for place in places[start[role] : start[role] + n].tolist()]
            parts.setdefault(node, []).append(f"{phrases[spoken[role]]}: {', '.join(shown)}")
        elif not max_titles:
            parts.setdefault(node, []).append(phrases[spoken[role]])
    return {node: "; ".join(some) for node, some in parts.items()}
