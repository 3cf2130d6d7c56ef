"""Links are believed where items at one node are alike, and doubted where they are no more so than by chance."""

from __future__ import annotations

import random

import pytest

from utils.data.kg.files import read_columns, read_graph, read_link
from utils.data.kg.graph import KnowledgeGraph
from utils.data.kg.link_check import LinkCheck, check_link
from utils.data.kg.links import Links
from utils.recbole_port.known_models import SHIPPED, shipped_dataset

GROUPS = 40


def _grouped(n_items: int = 600) -> tuple[KnowledgeGraph, list[str], list[list[str]]]:
    """Item i is film i, which points at person i % 40; the person decides the class, one of 4."""
    items = [f"i{item}" for item in range(n_items)]
    people = [f"person{item % GROUPS}" for item in range(n_items)]
    graph = KnowledgeGraph.of([f"film of {item}" for item in items], ["by"] * n_items, people)
    return graph, items, [[f"class{item % GROUPS % 4}"] for item in range(n_items)]


def _linked(graph: KnowledgeGraph, items: list[str], films: list[str] | None = None) -> Links:
    return Links.of([(item, f"film of {film}") for item, film in zip(items, films or items, strict=True)], graph, items)


def test_items_that_share_a_node_share_their_class_where_links_are_right() -> None:
    graph, items, classes = _grouped()
    found = check_link(graph, _linked(graph, items), classes)
    assert found is not None
    assert not found.looks_random
    # At a node all are of one class; of any two items, (600 / 4 - 1) / 599 are.
    assert found.lift == pytest.approx(1 / (149 / 599))
    assert found.expected_low < 1 < found.expected_high


def test_shuffled_links_look_random() -> None:
    graph, items, classes = _grouped()
    films = random.Random(0).sample(items, len(items))
    found = check_link(graph, _linked(graph, items, films), classes)
    assert found is not None
    assert found.looks_random
    assert found.lift == pytest.approx(1, abs=0.1)


def test_two_classes_that_two_items_share_count_twice() -> None:
    graph, items, classes = _grouped()
    doubled = [[*names, f"{names[0]} too"] for names in classes]
    one, two = (check_link(graph, _linked(graph, items), own) for own in (classes, doubled))
    assert one is not None
    assert two is not None
    assert two.lift == pytest.approx(one.lift)


def test_what_most_items_have_says_nothing() -> None:
    graph, items, classes = _grouped()
    found = check_link(graph, _linked(graph, items), [[*names, "everything"] for names in classes])
    assert found == check_link(graph, _linked(graph, items), classes)


@pytest.mark.parametrize("without", ["classes", "shared nodes"])
def test_where_nothing_can_be_compared_nothing_is_said(without: str) -> None:
    graph, items, classes = _grouped()
    if without == "classes":
        classes = [[] for _ in items]
    else:
        graph = KnowledgeGraph.of([f"film of {item}" for item in items], ["by"] * len(items), items)
    assert check_link(graph, _linked(graph, items), classes) is None


def test_a_few_items_accuse_no_links() -> None:
    graph, items, classes = _grouped(80)
    films = random.Random(0).sample(items, len(items))
    assert check_link(graph, _linked(graph, items, films), classes) is None


def test_of_many_items_a_sample_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, items, classes = _grouped()
    monkeypatch.setattr("utils.data.kg.link_check._MOST_ITEMS", 400)
    found = check_link(graph, _linked(graph, items), classes)
    assert found is not None
    # The four classes are no longer of one size, so that two items share one a little more often.
    assert found.lift == pytest.approx(1 / (99 / 399), rel=0.02)
    assert found.lift < 1 / (99 / 399)


def test_as_good_as_the_best_shuffle_looks_random() -> None:
    assert LinkCheck(1.04, 0.97, 1.04).looks_random
    assert not LinkCheck(1.05, 0.97, 1.04).looks_random


def test_the_link_file_that_recbole_ships_looks_random() -> None:
    folder = shipped_dataset(SHIPPED)
    graph = read_graph(folder / f"{SHIPPED}.kg")
    items, named = (
        column.to_pylist() for column in read_columns(folder / f"{SHIPPED}.item", ("item_id", "class"), ("class",))
    )
    links = Links.of(read_link(folder / f"{SHIPPED}.link"), graph, items)
    found = check_link(graph, links, [names.split() for names in named])
    assert found is not None
    assert found.looks_random
