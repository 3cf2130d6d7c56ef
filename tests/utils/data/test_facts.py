"""What a template may know of a user or an item, on a train part of five ratings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from utils.data.facts import (
    Fact,
    FactsError,
    Fields,
    GraphFields,
    Row,
    item_facts,
    item_rows,
    latest_first,
    refuse_shipped_link,
    user_facts,
    user_rows,
    with_graph,
)
from utils.recbole_port import known_models

FIELDS = Fields("user_id", "item_id", "rating", "timestamp")
ITEMS = pd.DataFrame(
    {
        "item_id": ["i1", "i2", "i3", "i4"],
        "movie_title": ["Alien", "Brazil", "Casino", "Dune"],
        "year": ["1979", "1985", "1995", "1984"],
        "class": ["Horror Sci-Fi", "Sci-Fi", "", "Sci-Fi"],
    }
)
USERS = pd.DataFrame({"user_id": ["u1", "u3"], "age": ["30", "40"]})
# u1 rated i1 last; i9 has no line in .item; i4 was rated by nobody.
TRAIN = pd.DataFrame(
    [
        ("u1", "i2", "4", "10"),
        ("u1", "i3", "2.5", "20"),
        ("u1", "i9", "5", "25"),
        ("u1", "i1", "5", "30"),
        ("u2", "i1", "2", "5"),
    ],
    columns=["user_id", "item_id", "rating", "timestamp"],
)


def _users(train: pd.DataFrame = TRAIN, liked: float = 4, most: int = 20) -> dict[str, dict[str, Any]]:
    return user_facts(train, user_rows(USERS, FIELDS), item_rows(ITEMS, FIELDS), FIELDS, liked, most)


def _titles(rows: list[Row]) -> list[str]:
    return [row["title"] for row in rows]


def test_a_row_has_its_columns_and_what_datasets_call_differently() -> None:
    alien = item_rows(ITEMS, FIELDS)["i1"]
    assert (alien.movie_title, alien.title, alien.year) == ("Alien", "Alien", "1979")
    assert alien.genres == ["Horror", "Sci-Fi"]
    assert list(alien) == [("movie_title", "Alien"), ("year", "1979"), ("class", "Horror Sci-Fi")]


def test_a_dataset_without_titles_has_no_title() -> None:
    row = item_rows(ITEMS[["item_id", "year"]], FIELDS)["i1"]
    assert not hasattr(row, "title")
    assert row.no_field("titel") == "an item has no 'titel' (fields: item_id, year)"


def test_lists_begin_with_the_latest() -> None:
    told = _users()["u1"]
    assert _titles(told["history"]) == ["Alien", "Casino", "Brazil"]
    assert _titles(told["liked"]) == ["Alien", "Brazil"]
    assert _titles(told["disliked"]) == ["Casino"]
    assert [row.rating for row in told["history"]] == [5, 2.5, 4]


def test_each_list_holds_so_many_items_at_most() -> None:
    told = _users(most=1)["u1"]
    assert [_titles(told[name]) for name in ("history", "liked", "disliked")] == [["Alien"], ["Alien"], ["Casino"]]


def test_ties_in_time_are_ordered_by_item() -> None:
    train = TRAIN.assign(timestamp="7")
    assert _titles(_users(train)["u1"]["history"]) == ["Alien", "Brazil", "Casino"]
    assert _titles(_users(train.iloc[::-1])["u1"]["history"]) == ["Alien", "Brazil", "Casino"]


def test_counts_are_of_all_ratings_in_the_train_part() -> None:
    told = _users()
    assert (told["u1"]["n_ratings"], told["u1"]["mean_rating"]) == (4, (4 + 2.5 + 5 + 5) / 4)
    assert (told["u3"]["n_ratings"], told["u3"]["mean_rating"]) == (0, None)
    items = item_facts(TRAIN, item_rows(ITEMS, FIELDS), FIELDS)
    assert (items["i1"]["n_ratings"], items["i1"]["mean_rating"]) == (2, (5 + 2) / 2)
    assert (items["i4"]["n_ratings"], items["i4"]["mean_rating"]) == (0, None)


def test_users_without_a_line_or_without_ratings_are_told_of_too() -> None:
    told = _users()
    assert told["u1"]["user"].age == "30"
    assert list(told["u2"]["user"]) == []
    assert told["u2"]["user"].user_id == "u2"
    assert told["u3"]["history"] == []


def test_without_ratings_everything_is_liked() -> None:
    told = _users(TRAIN.drop(columns="rating"))["u1"]
    assert _titles(told["liked"]) == _titles(told["history"]) == ["Alien", "Casino", "Brazil"]
    assert told["disliked"] == []
    assert not hasattr(told["history"][0], "rating")
    assert told["mean_rating"] is None


def test_facts_are_the_triples_that_start_at_an_items_entity() -> None:
    link = pd.DataFrame({"item_id": ["i1", "i2"], "entity_id": ["m.1", "m.2"]})
    graph = pd.DataFrame(
        [("m.1", "director", "Scott"), ("m.1", "cast", "Weaver"), ("m.1", "director", "Scott"), ("m.7", "cast", "m.1")],
        columns=["head_id", "relation_id", "tail_id"],
    )
    rows = with_graph(item_rows(ITEMS, FIELDS), link, graph, GraphFields("item_id"))
    assert rows["i1"].facts == [Fact("director", "Scott"), Fact("cast", "Weaver")]
    assert rows["i2"].facts == rows["i3"].facts == []


def test_columns_that_are_not_there_are_named() -> None:
    with pytest.raises(FactsError, match="there is no column 'item_id'; columns: user_id, age"):
        item_rows(USERS, FIELDS)
    link = pd.DataFrame({"item_id": ["i1"], "entity": ["m.1"]})
    with pytest.raises(FactsError, match=r"the \.link file has no column 'entity_id'; did you mean 'entity'\?"):
        with_graph({}, link, pd.DataFrame(), GraphFields("item_id"))


def test_the_link_file_that_recbole_ships_is_refused(tmp_path: Path) -> None:
    shipped = known_models.shipped_dataset("ml-100k") / "ml-100k.link"
    with pytest.raises(FactsError, match="its item ids are those of MovieLens-1M"):
        refuse_shipped_link(shipped)
    own = tmp_path / "ml-100k.link"
    own.write_bytes(shipped.read_bytes() + b"1\tm.0dyb1\n")
    refuse_shipped_link(own)


def _order(rows: list[tuple[str, str]], fields: Fields = FIELDS) -> list[str]:
    return latest_first(pd.DataFrame(rows, columns=["item_id", "timestamp"]), fields)["item_id"].tolist()


def test_the_latest_item_comes_first() -> None:
    # As numbers: 9 is before 10.
    assert _order([("a", "9"), ("b", "10"), ("c", "1")]) == ["b", "a", "c"]


def test_ties_in_time_do_not_depend_on_the_order_of_the_file() -> None:
    rows = [("b", "1"), ("a", "1"), ("c", "2")]
    assert _order(rows) == _order(rows[::-1]) == ["c", "a", "b"]
    untimed = Fields("user_id", "item_id", "rating", "no_such_column")
    assert _order(rows, untimed) == _order(rows[::-1], untimed) == ["a", "b", "c"]
