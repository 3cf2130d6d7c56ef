"""A user's subgraphs with names in place of numbers, as the page shows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from utils.context import RunContext
from utils.data.facts import Fields, latest_first
from utils.data.kg.relations import against, phrase
from utils.knowledge.history_texts import history_texts
from utils.knowledge.subgraphs import Prepared, titles_of
from utils.report.subgraphs import HistoryItem, NodeKind, ShownEdge, ShownNode, ShownSubgraph, SubgraphPage
from utils.retrieval.base import NO_NODE, Index
from utils.retrieval.expanded import expandable
from utils.retrieval.policy import selected

if TYPE_CHECKING:
    from models.graph.subgraphs import Subgraphs
    from utils.commands.retrieve_subgraph import RetrieveSubgraph
    from utils.retrieval.store import SubgraphFile

_SLOTS = {1: "by text", 2: "by text and neighbours"}


def shown(ctx: RunContext, asked: RetrieveSubgraph, ready: Prepared, file: SubgraphFile, user: str) -> SubgraphPage:
    """All that the page of a user says. user: a token of `file.users`."""
    row = file.users.index(user)
    history = [item for item in ready.histories.items[row].tolist() if item >= 0]
    of_history = {node for item in history for node in _nodes(ready.index, item)}
    subgraphs = tuple(_subgraphs(asked, ready, file, row, of_history))
    query, notes = _query(ctx, asked, ready, row)
    return SubgraphPage(
        ctx.settings["dataset"],
        user,
        str(ctx.scenario_path),
        tuple(_history(ctx, asked, ready, user, history)),
        asked.retriever,
        query,
        subgraphs,
        notes,
    )


def _query(ctx: RunContext, asked: RetrieveSubgraph, ready: Prepared, row: int) -> tuple[str, tuple[str, ...]]:
    """What the user's centres were ranked by, and what there is to say of it; nothing where nobody reads it."""
    if "rerank_query" not in type(asked.chosen).reads:
        return "", ()
    titles = titles_of(ready, ready.histories.items[row])
    (text,), (left_out,) = history_texts(ctx, [titles], asked.rerank_query, ready.spec)
    note = f"The encoder does not read all of the history: its {left_out:,} oldest titles are not in the query."
    return text, (note,) if left_out else ()


def _history(
    ctx: RunContext, asked: RetrieveSubgraph, ready: Prepared, user: str, history: list[int]
) -> Iterator[HistoryItem]:
    """The items of a history, the latest first."""
    items = ready.index.items
    kept = selected(
        np.array([history], dtype=np.int32), items.popularity, items.token_order, asked.popularity_policy,
        asked.popularity_threshold,
    )  # fmt: skip
    ratings = _ratings(ctx, user)
    for item in reversed(history):
        token = items.tokens[item]
        yield HistoryItem(
            ready.opened.item_names[item] or token,
            ratings.get(token),
            int(items.popularity[item]),
            item in kept,
            bool(items.linked[item]),
        )


def _ratings(ctx: RunContext, user: str) -> dict[str, float]:
    from utils.recbole_port.train_part import train_interactions

    config = ctx.recbole_config()
    fields, rows = Fields.of(config), train_interactions(config, ctx.data)
    own = latest_first(rows[rows[fields.user] == user], fields)
    if fields.rating not in own:
        return {}
    values = pd.to_numeric(own[fields.rating], errors="coerce")
    return {item: value for item, value in zip(own[fields.item], values, strict=True) if value == value}


def _subgraphs(
    asked: RetrieveSubgraph, ready: Prepared, file: SubgraphFile, row: int, of_history: set[int]
) -> Iterator[ShownSubgraph]:
    index, got = ready.index, file.retrieved
    of_items = set(index.items.link_nodes.tolist())

    def node(number: int) -> ShownNode:
        kind: NodeKind = "history" if number in of_history else "item" if number in of_items else "entity"
        token = index.graph.entities[number]
        return ShownNode(token, node_name(ready, number, is_item=kind != "entity") or token, kind)

    whole = numbered(index, file.max_neighbors)
    for slot, order in enumerate(got.orders):
        centres = got.centres[row, slot]
        label = _SLOTS[order] if asked.retriever == "similarity" else f"by {asked.retriever}"
        present = [place for place, centre in enumerate(centres.tolist()) if centre != NO_NODE]
        for place in present[:1] if got.expansion == "induced" else present:
            centre = int(centres[place])
            if got.expansion == "induced":
                data = whole.induced(centres[present])
            else:
                data = whole.ball(centre, got.hops) if got.expansion == "ball" else whole.star(centre)
            edges = tuple(_edges(data, [node(number) for number in data.node.tolist()], index))
            touching = set(np.unique(_touching(index, centre)).tolist()) - {centre}
            left_out = len(touching - set(data.node.tolist())) if got.expansion != "induced" else 0
            yield ShownSubgraph(label, node(centre), float(got.scores[row, slot, place]), left_out, edges)


def node_name(ready: Prepared, number: int, is_item: bool) -> str:
    """The title of an item, of another node its name alone, without the description that may follow; empty for none."""
    name = "" if is_item else ready.opened.names.get(ready.index.graph.entities[number])
    return name or ready.texts[number]


def numbered(index: Index, max_neighbors: int) -> Subgraphs:
    """The graph of an index whose subgraphs have the number of each relation in place of its vector."""
    import torch

    kinds = torch.arange(2 * len(index.graph.relations)).unsqueeze(1)
    return expandable(index, torch.zeros(len(index.graph), 1), kinds, max_neighbors)


def _edges(data: Any, nodes: list[ShownNode], index: Index) -> Iterator[ShownEdge]:
    """Each triple of a subgraph once, along its direction."""
    relations = index.graph.relations
    for (head, tail), kind in zip(data.edge_index.T.tolist(), data.edge_attr[:, 0].tolist(), strict=True):
        if kind < len(relations):
            yield ShownEdge(nodes[head], phrase(relations[kind]), against(relations[kind]), nodes[tail])


def _nodes(index: Index, item: int) -> list[int]:
    indptr = index.items.link_indptr
    return index.items.link_nodes[indptr[item] : indptr[item + 1]].tolist()


def _touching(index: Index, node: int) -> np.ndarray:
    adjacency = index.graph.adjacency
    return adjacency.neighbours[adjacency.indptr[node] : adjacency.indptr[node + 1]]
