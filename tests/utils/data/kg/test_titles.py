"""Which titles name one work: what is taken for the same, and what is not."""

from __future__ import annotations

import random

import pytest

from utils.data.kg.titles import Titled, match_titles, readable, split_year


def _named(wanted: str, *known: str) -> str | None:
    """Which of those known the wanted one is taken for; both written as "Title (1995)"."""
    matches = match_titles([Titled("wanted", wanted)], [Titled(title, title) for title in known])
    return matches.get("wanted")


@pytest.mark.parametrize(
    ("wanted", "known"),
    [
        ("Godfather, The (1972)", "The Godfather (1972)"),
        ("Postino, Il (1994)", "Il postino (1994)"),
        ("Star Maker, The (Uomo delle stelle, L') (1995)", "L'uomo delle stelle (1995)"),
        ("Misérables, Les (1995)", "Les Miserables (1995)"),
        ("Once Upon a Time... When We Were Colored (1995)", "Once Upon a Time...When We Were Colored (1995)"),
        ("Romeo & Juliet (1996)", "Romeo + Juliet (1996)"),
        ("Angels and Insects (1995)", "Angels & Insects (1995)"),
        ("Kjærlighetens kjøtere (1995)", "Kjaerlighetens kjotere (1995)"),
        ("Alien³ (1992)", "Alien 3 (1992)"),
        ("M*A*S*H (1970)", "MASH (1970)"),
        ("Cité des enfants perdus, La (1995)", "La Cité des enfants perdus (1995)"),
    ],
)
def test_articles_accents_case_and_signs_do_not_count(wanted: str, known: str) -> None:
    assert _named(wanted, known, "Another Film (1995)") == known


@pytest.mark.parametrize(
    ("wanted", "known"),
    [
        ("City of Lost Children, The (Cité des enfants perdus, La) (1995)", "The City of Lost Children (1995)"),
        ("City of Lost Children, The (Cité des enfants perdus, La) (1995)", "La Cité des enfants perdus (1995)"),
        ("Shanghai Triad (Yao a yao yao dao waipo qiao) (1995)", "Shanghai Triad (1995)"),
        ("Seven (Se7en) (1995)", "Se7en (1995)"),
        ("Seven (1995)", "Seven (Se7en) (1995)"),
        ("Hard 8 (a.k.a. Sydney, a.k.a. Hard Eight) (1996)", "Sydney (1996)"),
        ("Dr. Strangelove or: How I Learned to Stop Worrying (1964)", "Dr. Strangelove (1964)"),
    ],
)
def test_any_of_the_names_of_a_work_will_do(wanted: str, known: str) -> None:
    assert _named(wanted, known, "Another Film (1995)") == known


@pytest.mark.parametrize(
    ("wanted", "known"),
    [
        ("Twelve Monkeys (1995)", "12 Monkeys (1995)"),
        ("Karate Kid III, The (1989)", "The Karate Kid Part III (1989)"),
        ("Year of Living Dangerously (1982)", "The Year of Living Dangerously (1982)"),
        ("Doctor Dolittle (1998)", "Dr. Dolittle (1998)"),
        ("Star Wars (1977)", "Star Wars: Episode IV – A New Hope (1977)"),
        ("Return of the Jedi (1983)", "Star Wars: Episode VI – Return of the Jedi (1983)"),
        ("Farinelli: il castrato (1994)", "Farinelli (1994)"),
        ("Tales from the Crypt Presents: Demon Knight (1995)", "Demon Knight (1995)"),
        ("Robert A. Heinlein's The Puppet Masters (1994)", "The Puppet Masters (1994)"),
        ("Star Trek: The Wrath of Khan (1982)", "Star Trek II: The Wrath of Khan (1982)"),
        ("U.S. Marshalls (1998)", "U.S. Marshals (1998)"),
    ],
)
def test_what_is_only_alike_is_taken_where_the_year_is_the_same(wanted: str, known: str) -> None:
    assert _named(wanted, known, "Another Film (1995)") == known
    year_before = f"{known[:-6]}({int(known[-5:-1]) - 1})"
    assert _named(wanted, year_before) is None


@pytest.mark.parametrize(
    ("wanted", "known"),
    [
        # Two years apart, or of another year and only alike.
        ("Hamlet (1996)", "Hamlet (1994)"),
        # Another part of a series.
        ("Rocky II (1979)", "Rocky III (1979)"),
        ("Children of the Corn 2 (1993)", "Children of the Corn 3 (1993)"),
        ("Digimon: The Movie (2000)", "Pokémon: The Movie (2000)"),
        # Short names that differ by a letter.
        ("Dave (1993)", "Cave (1993)"),
        # A word of the other's name.
        ("Wonderland (1997)", "Next Stop Wonderland (1997)"),
    ],
)
def test_another_work_is_not_taken(wanted: str, known: str) -> None:
    assert _named(wanted, known) is None


def test_the_same_year_goes_before_the_year_next_to_it() -> None:
    assert _named("Hamlet (1996)", "Hamlet (1995)", "Hamlet (1996)") == "Hamlet (1996)"
    assert _named("Hamlet (1996)", "Hamlet (1995)") == "Hamlet (1995)"


def test_the_title_itself_goes_before_the_title_in_brackets() -> None:
    assert _named("Killer (Bulletproof Heart) (1994)", "Bulletproof Heart (1994)", "Killer (1994)") == "Killer (1994)"


def test_another_name_in_the_same_year_goes_before_the_name_in_the_year_next_to_it() -> None:
    wanted = "Visitors, The (Visiteurs, Les) (1993)"
    assert _named(wanted, "The Visitors (1994)", "Les Visiteurs (1993)") == "Les Visiteurs (1993)"


def test_of_two_that_are_equally_near_none_is_taken() -> None:
    assert _named("Hamlet (1996)", "Hamlet (1995)", "Hamlet (1997)") is None
    twins = [Titled("one", "Hamlet", "1996"), Titled("other", "Hamlet", "1996")]
    assert match_titles([Titled("wanted", "Hamlet", "1996")], twins) == {}


def test_a_subtitle_may_be_missing_only_where_one_film_remains() -> None:
    assert _named("Halloween (1998)", "Halloween: The Night (1998)", "Halloween: The Day (1998)") is None


def test_a_film_that_another_title_names_is_not_given_to_one_that_is_only_alike() -> None:
    known = [Titled("film", "Jupiter's Wife", "1995")]
    both = [Titled("alike", "Wife, The", "1995"), Titled("same", "Jupiter's Wife", "1994")]
    assert match_titles(both, known) == {"same": "film"}
    assert match_titles(both[:1], known) == {"alike": "film"}


def test_two_items_of_one_name_have_the_same_film() -> None:
    items = [Titled("1", "Ripe", "1996"), Titled("2", "Ripe", "1996")]
    assert match_titles(items, [Titled("film", "Ripe", "1997")]) == {"1": "film", "2": "film"}


def test_the_year_may_stand_in_the_title_or_be_written_as_a_number() -> None:
    known = [Titled("film", "Toy Story", "1995"), Titled("later", "Toy Story", "2010")]
    items = [Titled("1", "Toy Story (1995)"), Titled("2", "Toy Story", "1995.0"), Titled("3", "Toy Story (1995)", "V")]
    assert match_titles(items, known) == {"1": "film", "2": "film", "3": "film"}


def test_without_a_year_only_an_equal_name_will_do_and_only_one() -> None:
    assert _named("Toy Story", "Toy Story (1995)") == "Toy Story (1995)"
    assert _named("Hamlet", "Hamlet (1948)", "Hamlet (1996)") is None
    assert _named("Twelve Monkeys", "12 Monkeys (1995)") is None


@pytest.mark.parametrize(
    "title", ["", "()", "(1995)", "???", "Mis\udce9rables, Les", "Ã€ bout de souffle", "unkonwn", "'s"]
)
def test_titles_that_are_none_match_nothing_and_break_nothing(title: str) -> None:
    assert _named(title, "The Godfather (1972)", "", "Another Film (1995)") in (None, "")
    assert isinstance(readable(title), str)


def test_the_order_of_the_known_does_not_count() -> None:
    titles = ["Hamlet (1996)", "Hamlet (1995)", "12 Monkeys (1995)", "Star Wars: A New Hope (1977)", "Star Wars (1978)"]
    items = [Titled(title, title) for title in ("Hamlet (1997)", "Twelve Monkeys (1995)", "Star Wars (1977)")]
    expected = match_titles(items, [Titled(title, title) for title in titles])
    for seed in range(5):
        shuffled = random.Random(seed).sample(titles, len(titles))
        assert match_titles(items, [Titled(title, title) for title in shuffled]) == expected
    assert len(expected) == 3


@pytest.mark.parametrize(
    ("title", "said"),
    [
        ("Godfather, The", "The Godfather"),
        ("Godfather, The (1972)", "The Godfather (1972)"),
        (
            "City of Lost Children, The (Cité des enfants perdus, La)",
            "The City of Lost Children (La Cité des enfants perdus)",
        ),
        ("Avventura, L'", "L'Avventura"),
        ("Corrina, Corrina", "Corrina, Corrina"),
        ("Seven (Se7en)", "Seven (Se7en)"),
        ("(500) Days of Summer", "(500) Days of Summer"),
        ("Paris, Texas", "Paris, Texas"),
    ],
)
def test_a_title_is_said_with_its_article_first(title: str, said: str) -> None:
    assert readable(title) == said


def test_a_year_is_what_a_title_ends_in() -> None:
    assert split_year("Taxi Driver (1976)") == ("Taxi Driver", "1976")
    assert split_year("Seven (Se7en)") == ("Seven (Se7en)", "")
    assert split_year("Airport (1975) Again") == ("Airport (1975) Again", "")
    assert split_year("2001: A Space Odyssey (1968)") == ("2001: A Space Odyssey", "1968")
