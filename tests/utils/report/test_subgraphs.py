"""What a subgraph says of its centre in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.utils.report.subgraph_data import CASINO, SCORSESE, TAXI_DRIVER, films, node, star
from utils.report.subgraphs import ShownEdge


def test_an_item_is_said_relation_by_relation_with_three_names_of_each() -> None:
    # The cast are De Niro and four more: three are named, 5 - 3 are not.
    assert films().subgraphs[0].words() == (
        "director Martin Scorsese; genre crime film, drama; "
        "cast Robert De Niro, Jodie Foster, Cybill Shepherd and 2 more"
    )


def test_a_fourth_name_is_said_and_a_fifth_is_counted() -> None:
    four = star(TAXI_DRIVER, *(("cast", node(name)) for name in "abcd"))
    assert four.words() == "cast a, b, c, d"


def test_a_triple_that_leads_to_the_centre_is_read_against_its_direction() -> None:
    assert films().subgraphs[1].words() == "director of Taxi Driver (1976), Raging Bull (1980), Casino (1995)"


@pytest.mark.parametrize(("left_out", "words"), [(1, "1 neighbour left out"), (1200, "1,200 neighbours left out")])
def test_what_is_left_out_is_said(left_out: int, words: str) -> None:
    assert star(TAXI_DRIVER, ("director", SCORSESE), left_out=left_out).words() == f"director Martin Scorsese; {words}"


def test_triples_that_do_not_touch_the_centre_are_counted() -> None:
    beyond = ShownEdge(CASINO, "director", "director of", SCORSESE)
    near = star(TAXI_DRIVER, ("director", SCORSESE))
    wider = replace(near, edges=(*near.edges, beyond))
    assert wider.words() == "director Martin Scorsese; 1 more triple among its neighbours and beyond"


def test_a_relation_and_its_inverse_name_a_neighbour_once() -> None:
    there = ShownEdge(CASINO, "director", "director of", SCORSESE)
    back = ShownEdge(SCORSESE, "director of", "director", CASINO)
    assert replace(star(CASINO), edges=(there, back)).words() == "director Martin Scorsese"


def test_a_centre_alone_says_so() -> None:
    assert star(TAXI_DRIVER).words() == "nothing touches it"


def test_a_description_in_place_of_a_name_is_cut() -> None:
    assert star(TAXI_DRIVER, ("award", node("x" * 61))).words() == f"award {'x' * 59}…"
    assert star(TAXI_DRIVER, ("award", node("x" * 60))).words() == f"award {'x' * 60}"
