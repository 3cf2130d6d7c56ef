"""Example subgraphs of a user: a few films whose facts are known, or as many as a page gets."""

from __future__ import annotations

from typing import Any

from utils.report.subgraphs import HistoryItem, NodeKind, ShownEdge, ShownNode, ShownSubgraph, SubgraphPage

EVIL = "</script><b>x & $y_1$"


def node(name: str, kind: NodeKind = "entity") -> ShownNode:
    """A node whose token is its name."""
    return ShownNode(name, name, kind)


def star(centre: ShownNode, *touching: tuple[str, ShownNode], slot: str = "by text", **changes: Any) -> ShownSubgraph:
    """A centre and what touches it; from an entity the triples lead back: `("director", film)` reads "director of"."""
    edges = tuple(
        ShownEdge(other, relation, f"{relation} of", centre)
        if centre.kind == "entity"
        else ShownEdge(centre, relation, f"{relation} of", other)
        for relation, other in touching
    )
    return ShownSubgraph(**{"slot": slot, "centre": centre, "score": 0.5, "left_out": 0, "edges": edges, **changes})


TAXI_DRIVER, RAGING_BULL = node("Taxi Driver (1976)", "history"), node("Raging Bull (1980)", "item")
CASINO, HEAT = node("Casino (1995)", "item"), node("Heat (1995)", "history")
SCORSESE, DE_NIRO, DRAMA, CRIME = map(node, ("Martin Scorsese", "Robert De Niro", "drama", "crime film"))
CAST = [node(name) for name in ("Jodie Foster", "Cybill Shepherd", "Harvey Keitel", "Albert Brooks")]


def films() -> SubgraphPage:
    """Three subgraphs of two slots, with 13 nodes in all; Scorsese, De Niro and drama are in more than one."""
    taxi = star(
        TAXI_DRIVER,
        ("director", SCORSESE),
        ("genre", CRIME),
        ("genre", DRAMA),
        *(("cast", actor) for actor in (DE_NIRO, *CAST)),
        score=0.8125,
    )
    scorsese = star(SCORSESE, *(("director", film) for film in (TAXI_DRIVER, RAGING_BULL, CASINO)), score=0.625)
    heat = star(HEAT, ("cast", DE_NIRO), ("genre", DRAMA), slot="by neighbourhood", score=0.25, left_out=61)
    history = (
        HistoryItem("Heat (1995)", 4, 1223, False, True),
        HistoryItem("Taxi Driver (1976)", 4.5, 182, True, True),
        HistoryItem("Unknown", None, 9, True, False),
    )
    return SubgraphPage(
        "ml-100k", "13", "experiments/kragrec/quick.yaml", history, "popularity_selective",
        "Films of this user: Heat (1995), Taxi Driver (1976).", (taxi, scorsese, heat), ("1 of 3 items is no node.",),
    )  # fmt: skip


def crowded(n_stars: int = 10, n_neighbours: int = 64) -> SubgraphPage:
    """Stars of which each shares a genre with all others, two people with the next one, and the rest with none."""
    genre = node("drama")
    subgraphs = []
    for number in range(n_stars):
        own = [("cast", node(f"Actor {number}-{place} Whittington-Smythe")) for place in range(n_neighbours - 5)]
        shared = [("writer", node(f"Writer {(number + step) % n_stars}")) for step in (0, 1)]
        both = [("cast", node(f"Star {(number + step) % n_stars}")) for step in (0, 1)]
        slot = "by text" if number < n_stars / 2 else "by neighbourhood"
        kind: NodeKind = "history" if number % 3 == 0 else "item"
        film = node(f"The Long Title of Film {number} (19{number + 50})", kind)
        subgraphs.append(star(film, ("genre", genre), *shared, *both, *own, slot=slot, score=1 / (number + 1)))
    history = tuple(HistoryItem(f"Film {number}", 5, 100 * number, number < 5, True) for number in range(10))
    return SubgraphPage("ml-100k", "7", "big.yaml", history, "popularity_selective", "", tuple(subgraphs))
