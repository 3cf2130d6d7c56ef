"""Subgraphs as sentences: a few relations, a few names, each centre once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np

from tests.utils.retrieval.retrievers.world import index_of
from utils.knowledge.subgraph_words import subgraph_words
from utils.retrieval.base import Retrieved

# Two films, f and g, with a director, a genre, a language, writers and a cast.
TRIPLES = [
    *[("f", "cast", actor) for actor in "abcd"],
    *[("g", "cast", actor) for actor in "de"],
    *[("f", "written_by", writer) for writer in "uvw"],
    *[(film, "director", "s") for film in "fg"],
    *[("f", "genre", genre) for genre in "xy"],
    ("g", "genre", "y"),
    *[(film, "language", "z") for film in "fg"],
]
NAMES = {**{letter: letter.upper() for letter in "abcdesuvwxyz"}, "f": "Film (1995)", "g": "Goal (1996)"}


def ready(
    triples: Sequence[tuple[str, str, str]] = TRIPLES,
    names: Mapping[str, str] = MappingProxyType(NAMES),
    popularity: Sequence[int] = (3, 5),
) -> Any:
    """What is read of a retrieval, over the films f and g; the entities say nothing but their names."""
    index = index_of(triples, ["f", "g"], {"f": [1.0]})
    index.items.popularity[:] = popularity
    texts = [names.get(entity, "") for entity in index.graph.entities]
    return SimpleNamespace(index=index, texts=texts, opened=SimpleNamespace(names=names))


def words(prepared: Any, *centres: Sequence[str], most: int = 64, **given: int) -> list[list[str]]:
    """The sentences of samples that each have one slot of centres."""
    longest = max(map(len, centres))
    node_of = prepared.index.graph.node_of
    rows = [[*(node_of[centre] for centre in some), *[-1] * (longest - len(some))] for some in centres]
    table = np.array(rows, dtype=np.int32)[:, None, :]
    return subgraph_words(prepared, Retrieved(table, np.zeros(table.shape, np.float32), (1,)), most, **given)


def test_what_tells_centres_apart_comes_first_and_the_rest_is_left_out() -> None:
    # Two triples of one relation lead to one node with a chance of (4 * 1 + 2**2) / 6**2 = .22 in the casts, 3 / 3**2 =
    # .33 for writers, (1 + 2**2) / 3**2 = .56 for genres, and 1 for directors and languages, of which Z comes later.
    # Of f's four actors D touches both films and comes first; so does the genre Y.
    assert words(ready(), ["f"], ["g"]) == [
        ["Film: cast D, A, B; written by U, V, W; genre Y, X; director S"],
        ["Goal: cast D, E; genre Y; director S; language Z"],
    ]


def test_what_most_centres_share_says_less_than_what_half_of_them_share() -> None:
    # (3**2 + 1) / 4**2 of the audio tracks, (2**2 + 2**2) / 4**2 of the genres.
    films = [*zip("fghi", ["audio"] * 4, "zzzw", strict=True), *zip("fghi", ["genre"] * 4, "xxyy", strict=True)]
    assert words(ready(films), ["f"], ["g"], ["h"], ["i"], most_relations=1)[0] == ["Film: genre X"]


def test_a_sentence_does_not_depend_on_who_else_is_asked_about() -> None:
    # Of F alone, audio and genre lead to one node each and say alike much; of all four, genre says more.
    films = [*zip("fghi", ["audio"] * 4, "zzzw", strict=True), *zip("fghi", ["genre"] * 4, "xxyy", strict=True)]
    whole = words(ready(films), *"fghi", most_relations=1)
    assert [words(ready(films), centre, most_relations=1)[0] for centre in "fghi"] == whole
    assert whole[0] == ["Film: genre X"]


def test_how_much_is_said_can_be_chosen() -> None:
    assert words(ready(), ["f"], ["g"], most_relations=2, most_names=1)[0] == ["Film: cast D; written by U"]


def test_an_entity_says_what_it_is_to_items_the_most_popular_first() -> None:
    assert words(ready(), ["s"], ["u"]) == [["S: director of Goal, Film"], ["U: written Film"]]
    assert words(ready(popularity=(6, 5)), ["s"]) == [["S: director of Film, Goal"]]


def test_a_centre_is_said_once_to_each_sample_in_the_order_it_was_found() -> None:
    prepared = ready()
    node = prepared.index.graph.node_of
    centres = np.array([[[node["u"], node["s"]], [node["s"], -1]], [[-1, -1], [-1, -1]]], dtype=np.int32)
    retrieved = Retrieved(centres, np.zeros(centres.shape, np.float32), (1, 2))
    (both, none) = subgraph_words(prepared, retrieved, 64)
    assert [sentence[0] for sentence in both] == ["U", "S"]
    assert none == []


def test_neighbours_beyond_the_subgraph_are_not_said() -> None:
    # Of S's two films the more popular one stays.
    assert words(ready(), ["s"], most=1) == [["S: director of Goal"]]


def test_nodes_without_a_name_are_left_out() -> None:
    names = {entity: name for entity, name in NAMES.items() if entity not in "abcdeuvw"}
    assert words(ready(names=names), ["f"]) == [["Film: genre Y, X; director S; language Z"]]
    assert words(ready(names={"f": "Film (1995)"}), ["f"], ["s"]) == [["Film"], ["s: director of Film"]]


def test_what_two_relations_say_alike_is_said_once() -> None:
    both_ways = [("f", "film.film.directed_by", "s"), ("s", "film.director.film", "f"), ("g", "r", "a")]
    assert words(ready(both_ways), ["s"], ["f"]) == [["S: director of Film"], ["Film: director S"]]


def test_a_node_is_no_neighbour_of_itself() -> None:
    assert words(ready([("f", "sequel", "f"), ("f", "sequel", "g")]), ["f"]) == [["Film: sequel Goal"]]


def test_a_long_name_is_cut() -> None:
    names = {**NAMES, "s": "s" * 61}
    assert words(ready(names=names), ["s"])[0][0].startswith(f"{'s' * 59}…: director of")
