"""Relations as phrases: the same for both directions of one fact, and readable where nobody knows them."""

from __future__ import annotations

import pytest

from utils.data.kg.relations import against, phrase


@pytest.mark.parametrize(
    ("of_film", "to_film", "from_film", "to_the_film"),
    [
        ("film.film.directed_by", "film.director.film", "director", "director of"),
        ("film.film.genre", "film.film_genre.films_in_this_genre", "genre", "genre of"),
        ("film.film.production_companies", "film.production_company.films", "production company", None),
        ("film.film.sequel", "film.film.prequel", "sequel", "prequel"),
    ],
)
def test_what_two_relations_say_of_one_fact_reads_the_same(
    of_film: str, to_film: str, from_film: str, to_the_film: str | None
) -> None:
    assert phrase(of_film) == against(to_film) == from_film
    assert against(of_film) == phrase(to_film) == (to_the_film or f"{from_film} of")


def test_awards_that_were_won_are_told_from_nominations() -> None:
    assert (phrase("film.film.award_won"), against("film.film.award_won")) == ("award won", "award won by")
    assert against("film.film.award_nomination") == "award nomination of"


def test_freebases_own_spelling_of_a_relation_is_the_same_relation() -> None:
    assert phrase("/film/film/directed_by") == phrase("film.film.directed_by")


@pytest.mark.parametrize(
    ("relation", "along", "back"),
    [
        ("director", "director", "director of"),
        ("music.album.release_date", "release date", "release date of"),
        ("http://dbpedia.org/ontology/musicComposer", "music composer", "music composer of"),
        ("http://www.w3.org/2002/07/owl#sameAs", "same as", "same as of"),
        ("distributed_by", "distributed by", "distributed"),
        ("part_of", "part of", "has part"),
        ("has_part", "has part", "part of"),
        ("P57", "P57", "P57 of"),
    ],
)
def test_a_relation_that_nobody_knows_says_the_last_part_of_its_token(relation: str, along: str, back: str) -> None:
    assert (phrase(relation), against(relation)) == (along, back)


def test_no_relation_is_left_without_a_phrase() -> None:
    assert [phrase(relation) for relation in ("a.", "/a/", "_a_")] == ["a", "a", "a"]
