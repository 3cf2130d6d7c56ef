"""Subgraphs as sentences, for a language model that is to read facts and not vectors."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from utils.data.kg.relations import against, phrase
from utils.data.kg.titles import split_year
from utils.knowledge.shown import node_name, numbered
from utils.report.subgraphs import cut
from utils.retrieval.base import NO_NODE, Index, Retrieved

if TYPE_CHECKING:
    from utils.knowledge.subgraphs import Prepared


def subgraph_words(
    ready: Prepared, retrieved: Retrieved, max_neighbors: int, most_relations: int = 4, most_names: int = 3
) -> list[list[str]]:
    """What the subgraphs of each of S samples say, one sentence for each distinct centre, in the order of the slots.

    `Taxi Driver: cast Robert De Niro, Jodie Foster; director Martin Scorsese`; titles have no year, as in options. A
    centre says what touches it, however far its subgraph reaches: of each relation `most_names` names, items first by
    falling popularity, then who touches most, and nodes without a name not at all; of the relations the
    `most_relations` that say most, which are those by which two of the graph's centres seldom share a neighbour.
    max_neighbors: as the subgraphs are cut.
    """
    asked = retrieved.centres.reshape(len(retrieved.centres), -1)
    centres = np.unique(asked[asked != NO_NODE])
    of_items = set(ready.index.items.link_nodes.tolist())

    def name(node: int) -> str:
        is_item = node in of_items
        said = node_name(ready, node, is_item)
        return cut(split_year(said)[0] if is_item else said)

    named = np.array([bool(text) for text in ready.texts], dtype=bool)
    # Over all that could be retrieved, so that a sentence does not depend on who else is asked about.
    shared = _shared(_around(ready.index, ready.index.centres, max_neighbors, named).values())
    around = _around(ready.index, centres, max_neighbors, named)
    words = {}
    for centre in centres.tolist():
        told = defaultdict(list)
        for relation, node in around[centre]:
            told[relation].append(node)
        chosen = sorted(told, key=lambda relation: (shared.get(relation, 1.0), relation))[:most_relations]
        parts = [f"{relation} {', '.join(map(name, told[relation][:most_names]))}" for relation in chosen]
        title = name(centre) or ready.index.graph.entities[centre]
        words[centre] = f"{title}: {'; '.join(parts)}" if parts else title
    return [[words[centre] for centre in dict.fromkeys(row.tolist()) if centre != NO_NODE] for row in asked]


def _around(
    index: Index, centres: np.ndarray, max_neighbors: int, named: np.ndarray
) -> dict[int, list[tuple[str, int]]]:
    """Centre -> (what is said of a neighbour, the neighbour) for all of its star, the neighbours in order of names."""
    import torch

    relations = index.graph.relations
    phrases = [*map(phrase, relations), *map(against, relations)]
    stars = numbered(index, max_neighbors).balls(torch.from_numpy(centres).long(), 1)
    source, target = stars.edge_index
    star = stars.batch[source]
    outwards = (source == stars.ptr[star]) & (target != source)
    owner, node, kind = (part[outwards].numpy() for part in (star, stars.node[target], stars.edge_attr[:, 0]))
    told = named[node]
    owner, node, kind = owner[told], node[told], kind[told]
    order = np.lexsort((node, -index.graph.adjacency.degrees[node], -_popularity(index)[node], owner))
    around: dict[int, list[tuple[str, int]]] = {centre: [] for centre in centres.tolist()}
    for place, neighbour, relation in zip(*(part[order].tolist() for part in (owner, node, kind)), strict=True):
        around[int(centres[place])].append((phrases[relation], neighbour))
    # What two relations say alike stands there twice.
    return {centre: list(dict.fromkeys(said)) for centre, said in around.items()}


def _shared(around: Iterable[list[tuple[str, int]]]) -> dict[str, float]:
    """Relation -> the chance that two of its triples, drawn with replacement, lead to one node (Simpson's index)."""
    counts: dict[str, Counter[int]] = defaultdict(Counter)
    for said in around:
        for relation, node in said:
            counts[relation][node] += 1
    return {
        relation: sum(count**2 for count in nodes.values()) / nodes.total() ** 2 for relation, nodes in counts.items()
    }


def _popularity(index: Index) -> np.ndarray:
    """[n_nodes] int64: of the most popular item that a node is; -1 where it is none."""
    items = index.items
    popularity = np.full(len(index.graph), -1, dtype=np.int64)
    np.maximum.at(popularity, items.link_nodes, np.repeat(items.popularity, np.diff(items.link_indptr)))
    return popularity
