"""What nodes say: their item's name, their own, or what they are to the items that they touch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from utils.data.kg.files import KgError
from utils.data.kg.graph import KnowledgeGraph
from utils.data.kg.texts import NodeTexts, node_texts

# Films f1 to f3 are items; f4 is none. d directs these three, one by both relations, acts in one, and writes f4.
TRIPLES = [
    ("f1", "film.film.directed_by", "d"),
    ("d", "film.director.film", "f1"),
    ("d", "film.director.film", "f2"),
    ("f3", "film.film.directed_by", "d"),
    ("f2", "film.film.actor", "d"),
    ("f4", "film.film.actor", "leaf"),
    ("f4", "film.film.genre", "g"),
    ("f4", "film.film.written_by", "d"),
    ("f1", "film.film.genre", "g"),
]
GRAPH = KnowledgeGraph.of(*zip(*TRIPLES, strict=True))
# Item i0 is f1, i1 is f2, i2 is f3, and i3 is f1 again, under another title.
LINKS = ("f1", "f2", "f3", "f1")
NAMES = ["One (1991)", "Two (1992)", "Three (1993)", "Uno (1991)"]


def _texts(missing_text: Any = "describe", max_titles: int = 5, **changed: Any) -> NodeTexts:
    given = {
        "link_indptr": np.arange(len(LINKS) + 1),
        "link_nodes": np.array([GRAPH.node_of[entity] for entity in LINKS]),
        "item_names": NAMES,
        "popularity": np.array([5, 9, 5, 1]),
        "token_order": np.arange(4),
        "names": {},
        "named_text": "name",
        **changed,
    }
    return node_texts(GRAPH, **given, missing_text=missing_text, max_titles=max_titles)


def _of(texts: NodeTexts, entity: str) -> str:
    return texts.texts[GRAPH.node_of[entity]]


def test_a_node_has_the_name_of_its_most_popular_item() -> None:
    assert _of(_texts(), "f1") == "One (1991)"
    assert _of(_texts(popularity=np.array([5, 9, 5, 6])), "f1") == "Uno (1991)"


def test_of_equally_popular_items_the_earlier_token_names_a_node() -> None:
    alike = np.array([1, 1, 1, 1])
    assert _of(_texts(popularity=alike), "f1") == "One (1991)"
    assert _of(_texts(popularity=alike, token_order=np.array([3, 1, 2, 0])), "f1") == "Uno (1991)"


def test_an_item_without_a_title_names_nothing() -> None:
    texts = _texts(item_names=["", "Two (1992)", "", ""], names={"f3": "The third"})
    assert (_of(texts, "f2"), _of(texts, "f3")) == ("Two (1992)", "The third")
    assert _of(texts, "f1") == "director; genre"


def test_items_names_come_before_the_graphs_own_and_these_before_descriptions() -> None:
    texts = _texts(names={"f1": "Something else", "d": "Jane Doe"})
    assert (_of(texts, "f1"), _of(texts, "d")) == ("One (1991)", "Jane Doe")


def test_a_named_node_says_its_name_and_then_what_it_is_to_the_items() -> None:
    texts = _texts(names={"d": "Joel Coen", "leaf": "Nobody"}, named_text="describe")
    assert _of(texts, "d") == "Joel Coen, director of: Two (1992), One (1991), Three (1993); actor of: Two (1992)"
    # It touches no item, so that there is nothing to add.
    assert _of(texts, "leaf") == "Nobody"
    assert texts.counts["named"] == 2


def test_who_touches_a_single_item_says_the_name_alone() -> None:
    # g is the genre of f1, an item, and of f4, which is none.
    assert _of(_texts(names={"g": "drama"}, named_text="describe"), "g") == "drama"


def test_a_description_gives_each_role_its_most_popular_titles_and_the_longest_role_first() -> None:
    # d directs Two (9 users), One (5) and Three (5); a second statement of the same fact adds nothing.
    assert _of(_texts(), "d") == "director of: Two (1992), One (1991), Three (1993); actor of: Two (1992)"
    assert _of(_texts(max_titles=2), "d") == "director of: Two (1992), One (1991); actor of: Two (1992)"


def test_titles_of_equally_popular_items_stand_in_the_order_of_their_tokens() -> None:
    texts = _texts(token_order=np.array([2, 0, 1, 3]))
    assert _of(texts, "d").startswith("director of: Two (1992), Three (1993), One (1991)")


def test_a_role_without_titles_is_left_out_beside_one_with_titles() -> None:
    assert "writer" not in _of(_texts(), "d")
    assert _of(_texts(), "g") == "genre of: One (1991)"


def test_a_node_that_touches_no_titled_item_says_its_roles_alone() -> None:
    texts = _texts()
    assert (_of(texts, "leaf"), _of(texts, "f4")) == ("actor of", "actor; genre; writer")


def test_relation_says_roles_alone() -> None:
    texts = _texts("relation")
    assert (_of(texts, "d"), _of(texts, "f1")) == ("actor of; director of; writer of", "One (1991)")


def test_drop_says_nothing_of_a_node_without_a_name() -> None:
    texts = _texts("drop", names={"g": "Drama"})
    assert [_of(texts, entity) for entity in ("d", "leaf", "g", "f2")] == ["", "", "Drama", "Two (1992)"]


@pytest.mark.parametrize(
    ("missing_text", "kinds"),
    # Seven nodes: f1 to f3 have titles, g a name; d touches films, leaf and f4 touch none.
    [("describe", [3, 1, 1, 2, 0]), ("relation", [3, 1, 0, 3, 0]), ("drop", [3, 1, 0, 0, 3])],
)
def test_nodes_are_counted_by_the_kind_of_their_text(missing_text: str, kinds: list[int]) -> None:
    texts = _texts(missing_text, names={"g": "Drama"})
    assert list(texts.counts.values()) == kinds
    assert list(texts.counts) == ["titled", "named", "described", "by_relation", "none"]


def test_error_counts_the_nodes_without_a_name_and_shows_the_first() -> None:
    with pytest.raises(KgError) as caught:
        _texts("error", names={"g": "Drama"})
    assert str(caught.value) == (
        "3 of the 7 entities have no name (the first: d, f4, leaf); give entity_names, or missing_text: describe, "
        "relation or drop"
    )
    named = {"g": "Drama", "d": "Jane", "f4": "Four", "leaf": "Joe"}
    assert list(_texts("error", names=named).counts.values()) == [3, 4, 0, 0, 0]


def test_at_most_five_nodes_without_a_name_are_shown() -> None:
    with pytest.raises(KgError, match=r"7 of the 7 entities .*: d, f1, f2, f3, f4\)"):
        _texts("error", item_names=[""] * 4)
