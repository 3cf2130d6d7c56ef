"""Texts about items and users, word for word."""

from __future__ import annotations

import pytest

from utils.data.profile_texts import (
    ItemFacts,
    content_hash,
    fingerprint,
    item_texts,
    text_hashes,
    user_texts,
)

FACTS = {
    "a": ItemFacts("Toy Story", "1995", ["Animation", "Children's"]),
    "b": ItemFacts("Heat", "", []),
    "c": ItemFacts("", "1990", []),
}


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        (ItemFacts("Toy Story", "1995", ["Animation", "Children's"]), "Toy Story (1995). Animation, Children's."),
        (ItemFacts("Heat", "", []), "Heat."),
        (ItemFacts("", "", ["War"]), "War."),
        (ItemFacts("", "1990", []), ""),
    ],
)
def test_an_items_text_has_what_is_known(facts: ItemFacts, text: str) -> None:
    assert facts.text() == text


def test_items_without_any_text_are_left_out() -> None:
    assert list(item_texts(FACTS)) == ["a", "b"]


def test_a_user_is_described_by_the_first_titles() -> None:
    liked = {"u": ["a", "b"]}
    assert user_texts(liked, FACTS, most=5) == {"u": "This user liked Toy Story (1995), Heat."}
    assert user_texts(liked, FACTS, most=1) == {"u": "This user liked Toy Story (1995)."}


def test_items_without_a_title_take_no_place_and_a_user_without_titles_has_no_text() -> None:
    assert user_texts({"u": ["c", "unknown", "b"], "v": ["c"]}, FACTS, most=1) == {"u": "This user liked Heat."}


def test_the_fingerprint_is_of_the_set_of_pairs() -> None:
    one = fingerprint(["u", "u", "v"], ["a", "b", "a"])
    assert fingerprint(["v", "u", "u", "u"], ["a", "b", "a", "a"]) == one
    assert fingerprint(["u", "v", "v"], ["a", "b", "a"]) != one
    assert fingerprint(["a", "b", "a"], ["u", "u", "v"]) != one
    assert len(one) == 16


def test_tokens_that_run_together_have_fingerprints_of_their_own() -> None:
    assert fingerprint(["u1"], ["2"]) != fingerprint(["u"], ["12"])
    assert fingerprint([], []) != fingerprint([""], [""])


def test_a_text_is_known_by_itself_and_by_its_encoder() -> None:
    assert text_hashes("m", ["x", "y", "x"]) == [*text_hashes("m", ["x", "y"]), *text_hashes("m", ["x"])]
    assert len({*text_hashes("m", ["x", "y"]), *text_hashes("n", ["x"])}) == 3


def test_what_a_file_holds_is_the_same_in_any_order() -> None:
    assert content_hash("ab", ["1", "2"]) == content_hash("ba", ["2", "1"])
    contents = [content_hash(tokens, hashes) for tokens, hashes in (("ab", "12"), ("ab", "21"), ("a", "1"), ("c", "1"))]
    assert len(set(contents)) == 4
