"""Rows of a vector file in the baskets of the train part."""

from __future__ import annotations

from utils.data.reduce.baskets import baskets_of


def test_a_basket_holds_the_rows_of_its_holder() -> None:
    baskets = baskets_of(("i2", "i1", "i3"), ["i1", "i2", "i1", "x"], ["u", "u", "v", "v"])
    # Columns are i2, i1, i3; u has both, v has i1 alone; x has no row, and nobody has i3.
    assert baskets.toarray().tolist() == [[1, 1, 0], [0, 1, 0]]


def test_holders_none_of_whose_members_has_a_row_have_no_basket() -> None:
    assert baskets_of(("i1",), ["i1", "x"], ["u", "v"]).shape == (1, 1)
    assert baskets_of(("i1",), ["x"], ["v"]).shape == (0, 1)
