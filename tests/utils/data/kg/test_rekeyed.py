"""Links in another version's item ids come to this dataset's items by title and year."""

from __future__ import annotations

from pathlib import Path

import pytest

from utils.data.kg.files import KgError
from utils.data.kg.rekeyed import read_titles, rekeyed
from utils.data.kg.titles import Titled

# In this dataset 2 is GoldenEye; in the other one 2 is Jumanji.
ITEMS = [Titled("1", "Toy Story", "1995"), Titled("2", "GoldenEye", "1995"), Titled("9", "Jumanji", "1995")]
OTHERS = [Titled("1", "Toy Story", "1995"), Titled("2", "Jumanji", "1995"), Titled("10", "GoldenEye", "1995")]


def test_an_item_takes_the_entity_of_its_own_title() -> None:
    pairs = [("2", "m.jumanji"), ("10", "m.goldeneye"), ("1", "m.toys")]
    assert sorted(rekeyed(pairs, ITEMS, OTHERS)) == [("1", "m.toys"), ("2", "m.goldeneye"), ("9", "m.jumanji")]


def test_an_item_takes_all_entities_of_its_title_and_none_where_there_is_none() -> None:
    assert rekeyed([("2", "m.film"), ("2", "m.book"), ("77", "m.toys")], ITEMS, OTHERS) == [
        ("9", "m.film"),
        ("9", "m.book"),
    ]


def test_the_same_title_of_another_time_is_another_film() -> None:
    remake = [Titled("5", "Sabrina", "1995")]
    assert rekeyed([("7", "m.sabrina")], remake, [Titled("7", "Sabrina", "1954")]) == []


def test_titles_are_read_from_an_item_file(tmp_path: Path) -> None:
    path = tmp_path / "x.item"
    path.write_text(
        "item_id:token\tname:token_seq\tyear:token\n1\tToy Story\t1995\n2\t\t1995\n3\tHeat (1995)\t\n", encoding="utf-8"
    )
    assert read_titles(path) == [Titled("1", "Toy Story", "1995"), Titled("3", "Heat", "1995")]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_titles_are_read_from_grouplens_own_file(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "movies.dat"
    lines = ["1::Toy Story (1995)::Animation|Comedy", "73::Misérables, Les (1995)::Drama", ""]
    path.write_bytes("\n".join(lines).encode(encoding))
    assert read_titles(path) == [Titled("1", "Toy Story", "1995"), Titled("73", "Misérables, Les", "1995")]


def test_a_line_that_is_not_grouplens_is_named(tmp_path: Path) -> None:
    path = tmp_path / "movies.dat"
    path.write_text("1::Toy Story (1995)::Comedy\n2,Jumanji (1995),Adventure\n")
    with pytest.raises(KgError, match=r"movies\.dat, line 2: got '2,Jumanji"):
        read_titles(path)


def test_a_file_without_titles_is_told_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "x.item"
    path.write_text("item_id:token\tmovie_titel:token_seq\n1\tHeat\n")
    with pytest.raises(KgError) as error:
        read_titles(path)
    assert str(error.value) == (
        f"{path}, line 1: there is no column movie_title, title or name; did you mean 'movie_titel'? "
        "(columns: item_id, movie_titel)"
    )
