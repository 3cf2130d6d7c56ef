"""All subgraphs of a user as one network, and the views of it: all, those of a slot, each alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from utils.report.subgraph_layout import layout
from utils.report.subgraphs import ShownNode, ShownSubgraph, by_slot, cut

_LONGEST_LABEL = 28
# Of one line that is shown at a time.
_LONGEST_NAME = 90
Link = tuple[ShownNode, ShownNode]


def picture(subgraphs: Sequence[ShownSubgraph]) -> dict[str, Any]:
    """The network as plain JSON.

    nodes: name, label, kind and, by their centres, the subgraphs of each. links: the numbers of two nodes and what the
    triples between them say. views: group and label for a list of choices, the nodes and where they stand, which of
    them are centres and which are in several subgraphs, and the links; all by their numbers.
    """
    nodes: dict[ShownNode, dict[str, None]] = {}
    links: dict[Link, dict[str, None]] = {}
    for subgraph in subgraphs:
        for node in _nodes(subgraph):
            nodes.setdefault(node, {})[cut(subgraph.centre.name)] = None
        for link, triple in _links(subgraph):
            links.setdefault(link, {})[triple] = None
    node_places = {node: place for place, node in enumerate(nodes)}
    link_places = {link: place for place, link in enumerate(links)}
    return {
        "nodes": [
            {
                "name": cut(node.name, _LONGEST_NAME),
                "label": cut(node.name, _LONGEST_LABEL),
                "kind": node.kind,
                "of": list(centres),
            }
            for node, centres in nodes.items()
        ],
        "links": [
            {"ends": [node_places[end] for end in link], "triples": list(triples)} for link, triples in links.items()
        ],
        "views": [
            {"group": group, "label": label, **_view(shown, node_places, link_places)}
            for group, label, shown in _choices(subgraphs)
        ],
    }


def _choices(subgraphs: Sequence[ShownSubgraph]) -> Iterator[tuple[str, str, list[ShownSubgraph]]]:
    if not subgraphs:
        return
    yield "", f"All subgraphs ({len(subgraphs)})", list(subgraphs)
    slots = by_slot(subgraphs)
    for slot, own in slots.items():
        if len(slots) > 1 and len(own) > 1:
            yield slot, f"All {slot} ({len(own)})", own
        if len(subgraphs) > 1:
            yield from ((slot, cut(one.centre.name), [one]) for one in own)


def _view(
    subgraphs: Sequence[ShownSubgraph], node_places: dict[ShownNode, int], link_places: dict[Link, int]
) -> dict[str, Any]:
    counts: dict[int, set[ShownNode]] = {}
    for subgraph in subgraphs:
        for node in _nodes(subgraph):
            counts.setdefault(node_places[node], set()).add(subgraph.centre)
    shown = list(counts)
    here = {place: number for number, place in enumerate(shown)}
    links = list(dict.fromkeys(link for subgraph in subgraphs for link, _ in _links(subgraph)))
    pairs = np.array([[here[node_places[end]] for end in link] for link in links], dtype=np.int64)
    centres = list(dict.fromkeys(here[node_places[subgraph.centre]] for subgraph in subgraphs))
    positions = layout(len(shown), pairs, np.array(centres, dtype=np.int64))
    return {
        "nodes": shown,
        "x": [round(float(x), 3) for x in positions[:, 0]],
        "y": [round(float(y), 3) for y in positions[:, 1]],
        "centres": [shown[centre] for centre in centres],
        "shared": [place for place, several in counts.items() if len(several) > 1],
        "links": [link_places[link] for link in links],
    }


def _nodes(subgraph: ShownSubgraph) -> dict[ShownNode, None]:
    """The centre, then what touches it, relation by relation, then the rest."""
    seen: dict[str, list[ShownNode]] = {}
    beyond: list[ShownNode] = []
    for edge in subgraph.edges:
        other = edge.seen_from(subgraph.centre)
        if other is None:
            beyond += [edge.head, edge.tail]
        else:
            seen.setdefault(other[0], []).append(other[1])
    return dict.fromkeys([subgraph.centre, *(node for nodes in seen.values() for node in nodes), *beyond])


def _links(subgraph: ShownSubgraph) -> Iterator[tuple[Link, str]]:
    for edge in subgraph.edges:
        first, second = sorted((edge.head, edge.tail), key=lambda node: node.token)
        yield (first, second), str(edge)
