"""Tokens find their rows by name, whatever the order of either side."""

from __future__ import annotations

import numpy as np

from utils.data.ids import IdMap


def test_row_0_is_padding_and_not_a_token() -> None:
    ids = IdMap.of(np.array(["[PAD]", "u2", "u1"]))
    assert ids.real_tokens == ("u2", "u1")
    assert len(ids) == 3


def test_rows_are_found_by_token_and_not_by_sort_order() -> None:
    # RecBole numbers tokens as they appear; as text "10" sorts before "2".
    ids = IdMap(("[PAD]", "2", "10", "1"))
    assert ids.positions_in(["1", "2", "10"]).tolist() == [-1, 1, 2, 0]


def test_a_row_without_its_token_is_minus_one_and_an_extra_token_is_left_out() -> None:
    ids = IdMap(("[PAD]", "a", "b"))
    assert ids.positions_in(["c", "b"]).tolist() == [-1, -1, 1]


def test_a_token_that_looks_like_padding_does_not_fill_the_padding_row() -> None:
    ids = IdMap(("[PAD]", "a"))
    assert ids.positions_in(["[PAD]", "a"]).tolist() == [-1, 1]


def test_tokens_may_have_spaces_and_numbers_become_text() -> None:
    assert IdMap.of(["[PAD]", "Toy Story (1995)", 7]).tokens == ("[PAD]", "Toy Story (1995)", "7")
