"""The network as data: which nodes and lines there are, and what each choice shows."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from tests.utils.report.subgraph_data import CASINO, SCORSESE, TAXI_DRIVER, films, node, star
from utils.report.subgraph_picture import picture
from utils.report.subgraphs import ShownEdge, ShownNode


def _names(drawn: dict[str, Any], numbers: list[int]) -> set[str]:
    return {drawn["nodes"][number]["name"] for number in numbers}


def test_a_node_of_several_subgraphs_is_there_once_and_says_of_which() -> None:
    drawn = picture(films().subgraphs)
    # Taxi Driver and 8 around it, two more films of Scorsese, and Heat.
    assert len(drawn["nodes"]) == 1 + 8 + 2 + 1
    of = {one["name"]: one["of"] for one in drawn["nodes"]}
    assert of["Robert De Niro"] == ["Taxi Driver (1976)", "Heat (1995)"]
    assert of["Jodie Foster"] == ["Taxi Driver (1976)"]


def test_choices_are_all_those_of_each_slot_and_each_alone() -> None:
    choices = [(view["group"], view["label"], len(view["nodes"])) for view in picture(films().subgraphs)["views"]]
    assert choices == [
        ("", "All subgraphs (3)", 12),
        ("by text", "All by text (2)", 1 + 8 + 2),
        ("by text", "Taxi Driver (1976)", 1 + 8),
        ("by text", "Martin Scorsese", 1 + 3),
        ("by neighbourhood", "Heat (1995)", 1 + 2),
    ]


def test_one_subgraph_is_one_choice() -> None:
    assert [view["label"] for view in picture(films().subgraphs[:1])["views"]] == ["All subgraphs (1)"]


def test_centres_and_what_is_shared_are_those_of_the_view() -> None:
    drawn = picture(films().subgraphs)
    every, by_text, alone = drawn["views"][:3]
    assert _names(drawn, every["centres"]) == {"Taxi Driver (1976)", "Martin Scorsese", "Heat (1995)"}
    shared = {"Taxi Driver (1976)", "Martin Scorsese"}
    assert _names(drawn, by_text["shared"]) == shared
    assert _names(drawn, every["shared"]) == shared | {"Robert De Niro", "drama"}
    assert alone["shared"] == []


def test_a_centre_found_twice_is_one_node_and_two_choices() -> None:
    twice = (star(TAXI_DRIVER, ("director", SCORSESE)), star(TAXI_DRIVER, ("director", SCORSESE), slot="again"))
    drawn = picture(twice)
    assert (len(drawn["nodes"]), len(drawn["links"]), len(drawn["views"])) == (2, 1, 3)
    assert drawn["views"][0]["shared"] == []
    assert [one["of"] for one in drawn["nodes"]] == [["Taxi Driver (1976)"]] * 2


def test_all_triples_between_two_nodes_are_one_line() -> None:
    there = ShownEdge(CASINO, "director", "director of", SCORSESE)
    back = ShownEdge(SCORSESE, "writer of", "writer", CASINO)
    drawn = picture([replace(star(CASINO), edges=(there, back))])
    assert [link["triples"] for link in drawn["links"]] == [
        ["Casino (1995) → director → Martin Scorsese", "Martin Scorsese → writer of → Casino (1995)"]
    ]


def test_nodes_of_one_name_stay_two() -> None:
    twins = [ShownNode(token, "Steve McQueen", "entity") for token in ("the actor", "the director")]
    assert len(picture([star(TAXI_DRIVER, *(("cast", twin) for twin in twins))])["nodes"]) == 3


def test_neighbours_stand_relation_by_relation() -> None:
    mixed = star(TAXI_DRIVER, ("cast", node("a")), ("genre", node("b")), ("cast", node("c")))
    assert [one["name"] for one in picture([mixed])["nodes"]] == ["Taxi Driver (1976)", "a", "c", "b"]


def test_a_long_name_is_cut_most_of_all_in_the_picture_itself() -> None:
    (one,) = picture([star(node("x" * 100))])["nodes"]
    assert (one["name"], one["label"]) == ("x" * 89 + "…", "x" * 27 + "…")


def test_the_network_is_plain_json_and_the_same_every_time() -> None:
    first, second = (json.dumps(picture(films().subgraphs)) for _ in range(2))
    assert first == second


def test_of_nothing_there_is_nothing_to_choose() -> None:
    assert picture(()) == {"nodes": [], "links": [], "views": []}
