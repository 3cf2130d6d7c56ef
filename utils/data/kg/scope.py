"""The part of a knowledge graph that lies around some of its nodes."""

from __future__ import annotations

import numpy as np

from utils.data.kg.graph import KnowledgeGraph


def within(graph: KnowledgeGraph, nodes: np.ndarray, hops: int) -> KnowledgeGraph:
    """The triples that touch something at most `hops` - 1 steps away from `nodes` [n].

    With one hop, those that touch one of `nodes`. Entities and relations that are left are numbered anew, in the
    order of their tokens.
    """
    heads, _, tails = graph.triples.T
    near = np.zeros(len(graph), dtype=bool)
    near[nodes] = True
    touched = near[heads] | near[tails]
    for _ in range(hops - 1):
        near[heads[touched]] = True
        near[tails[touched]] = True
        wider = near[heads] | near[tails]
        if wider.sum() == touched.sum():
            break
        touched = wider
    heads, kinds, tails = graph.triples[touched].T
    entities, ends = np.unique(np.concatenate([heads, tails]), return_inverse=True)
    relations, numbers = np.unique(kinds, return_inverse=True)
    # Numbers follow the order of tokens, and a part of an order is one: the triples stay sorted.
    triples = np.stack([ends[: len(heads)], numbers, ends[len(heads) :]], axis=1).astype(np.int32)
    return KnowledgeGraph(
        tuple(graph.entities[entity] for entity in entities.tolist()),
        tuple(graph.relations[relation] for relation in relations.tolist()),
        triples,
    )
