"""Whose row is whose: every way of matching, and every case in which it cannot be told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from models.transfer.rows import IdFields, RowMatcher, Rows, StudentRows
from models.transfer.taps import Call, Fired, Tap, TapError
from models.transfer.teachers import Side
from tests.models.transfer.world import FIELDS, Batch, pairs

# 6 users and 9 items, padding among them.
BATCH = pairs(users=[3, 1, 5], items=[8, 2, 2])


def _rows(*ids: int) -> torch.Tensor:
    """Vectors that name their owner: row i of the table is (i, -i)."""
    return torch.tensor([[float(row), -float(row)] for row in ids])


def _match(
    output: Any,
    side: Side = "users",
    batch: Batch = BATCH,
    tap: str = "layer",
    args: tuple[Any, ...] = (),
    owner: nn.Module | None = None,
    rows: Rows = "auto",
    fields: IdFields = FIELDS,
    shared: bool = False,
    io: str = "output",
) -> StudentRows:
    fired = Fired(Tap.parse(tap), "layer 2, layer", owner or nn.Identity(), None, [Call(args, output)])
    return RowMatcher(side, fields, rows, shared).match(fired, batch.interaction, io)


def _owners(matched: StudentRows) -> tuple[list[int], list[int]]:
    """Ids as matched, and owners as the vectors name them."""
    return matched.ids.tolist(), [int(vector[0]) for vector in matched.vectors]


def test_a_row_per_interaction_belongs_to_its_user() -> None:
    matched = _match(_rows(3, 1, 5))
    assert _owners(matched) == ([3, 1, 5], [3, 1, 5])
    assert matched.matched == "batch"


def test_a_row_per_interaction_belongs_to_its_item_where_there_are_no_negatives() -> None:
    assert _owners(_match(_rows(8, 2, 2), "items")) == ([8, 2, 2], [8, 2, 2])


@pytest.mark.parametrize(("side", "ids"), [("users", [3, 1, 5]), ("items", [8, 2, 2])])
def test_a_whole_table_is_looked_up(side: Side, ids: list[int]) -> None:
    matched = _match(_rows(*range(FIELDS.count(side))), side)
    assert _owners(matched) == (ids, ids)
    assert matched.matched == "table"


@pytest.mark.parametrize(("side", "ids", "rows"), [("users", [3, 1, 5], [3, 1, 5]), ("items", [8, 2, 2], [14, 8, 8])])
def test_in_both_tables_the_users_come_first(side: Side, ids: list[int], rows: list[int]) -> None:
    # As NGCF stacks them: item i is row 6 + i.
    assert _owners(_match(_rows(*range(6 + 9)), side)) == (ids, rows)


@pytest.mark.parametrize("order", [("users", "items"), ("items", "users")])
@pytest.mark.parametrize(("side", "ids"), [("users", [3, 1, 5]), ("items", [8, 2, 2])])
def test_of_a_pair_of_tables_the_right_one_is_taken(side: Side, ids: list[int], order: tuple[Side, Side]) -> None:
    pair = tuple(_rows(*range(FIELDS.count(name))) for name in order)
    assert _owners(_match(pair, side)) == (ids, ids)
    assert _owners(_match(list(pair), side)) == (ids, ids)


def test_a_middle_dimension_of_one_is_dropped() -> None:
    assert _owners(_match(_rows(3, 1, 5).unsqueeze(1))) == ([3, 1, 5], [3, 1, 5])


def test_an_item_says_which_value() -> None:
    values = (_rows(3, 1, 5), _rows(8, 2, 2))
    assert _owners(_match(values, tap="forward[0]"))[1] == [3, 1, 5]
    assert _owners(_match(values, "items", tap="forward[-1]"))[1] == [8, 2, 2]


def test_the_input_is_read_where_the_tap_or_the_loss_says_so() -> None:
    given = (_rows(3, 1, 5),)
    assert _owners(_match(None, tap="layer:input", args=given))[1] == [3, 1, 5]
    assert _owners(_match(None, args=given, io="input"))[1] == [3, 1, 5]
    assert _owners(_match(_rows(3, 1, 5), tap="layer:output", args=(None,), io="input"))[1] == [3, 1, 5]


@pytest.mark.parametrize(("side", "count", "asked"), [("users", 6, [4, 0]), ("items", 9, [7, 3])])
def test_an_embedding_says_itself_whose_rows_it_gave(side: Side, count: int, asked: list[int]) -> None:
    table = nn.Embedding(count, 2)
    ids = torch.tensor(asked)
    matched = _match(_rows(*asked), side, args=(ids,), owner=table)
    # Not the batch's: a table may be asked for anything, negatives or neighbours.
    assert _owners(matched) == (asked, asked)
    assert matched.matched == "ids of the call"


def test_an_embedding_of_a_history_is_flattened() -> None:
    ids = torch.tensor([[1, 2, 0], [8, 7, 6]])
    matched = _match(_rows(*range(6)).view(2, 3, 2), "items", args=(ids,), owner=nn.Embedding(9, 2))
    assert matched.ids.tolist() == [1, 2, 0, 8, 7, 6]
    assert matched.vectors.shape == (6, 2)


@pytest.mark.parametrize(
    ("side", "count", "given"),
    [
        ("users", 6, [1, 1, 2]),  # ages of the batch's users: six of them, as there are six users
        ("items", 9, [0, 1, 2]),
        ("items", 9, [[0, 1], [0, 1], [0, 1]]),  # positions, no item ids
    ],
)
def test_a_table_that_is_as_long_by_chance_is_not_taken_for_the_sides_own(
    side: Side, count: int, given: list[Any]
) -> None:
    batch = Batch(user_id=[3, 1, 5], item_id=[8, 2, 2], item_id_list=[[4, 0], [7, 6], [1, 0]])
    ids = torch.tensor(given)
    with pytest.raises(TapError, match=f"has {count} rows, as many as there are {side}, but was not given their ids"):
        _match(torch.zeros(*ids.shape, 2), side, batch, args=(ids,), owner=nn.Embedding(count, 2))


def test_a_table_of_positions_is_not_the_sequences() -> None:
    batch = Batch(user_id=[1, 2], item_id=[5, 6], item_id_list=[[3, 4, 0], [8, 0, 0]])
    positions = torch.arange(3).expand(2, 3)
    with pytest.raises(TapError, match="was not given the sequence of items, but something of the same shape"):
        _match(torch.zeros(2, 3, 2), "items", batch, args=(positions,), owner=nn.Embedding(50, 2))
    said = _match(torch.zeros(2, 3, 2), "items", batch, args=(positions,), owner=nn.Embedding(50, 2), rows="batch")
    assert said.matched == "positions of the sequence"


@pytest.mark.parametrize(
    ("side", "count", "given"),
    [
        ("users", 6, [3, 1, 5, 3, 1, 5]),
        ("items", 9, [8, 2, 2, 4, 7, 1]),
        ("items", 9, [4, 7, 1, 8, 2, 2]),
    ],
)
def test_columns_one_after_the_other_are_known_ids(side: Side, count: int, given: list[int]) -> None:
    # As KGNN-LS asks: users twice, for positive items and then for negative ones.
    batch = pairs(users=[3, 1, 5], items=[8, 2, 2], negatives=[4, 7, 1])
    matched = _match(_rows(*given), side, batch, args=(torch.tensor(given),), owner=nn.Embedding(count, 2))
    assert _owners(matched) == (given, given)


def test_an_embedding_that_was_asked_for_ids_keeps_its_meaning_in_a_batch_of_any_size() -> None:
    # All items in each batch; the last batch happens to have as many rows.
    matcher, table = RowMatcher("items", FIELDS), nn.Embedding(9, 2)

    def match(batch: Batch) -> list[int]:
        call = Call((torch.arange(9),), _rows(*range(9)))
        fired = Fired(Tap.parse("layer"), "layer 2, layer", table, None, [call])
        return matcher.match(fired, batch.interaction).ids.tolist()

    assert match(BATCH) == match(ITEM_SIZED) == list(range(9))


def test_an_embedding_of_features_goes_by_the_batch() -> None:
    # Ages, say: 4 rows fit neither users nor items.
    matched = _match(_rows(3, 1, 5), args=(torch.tensor([1, 1, 2]),), owner=nn.Embedding(4, 2))
    assert matched.ids.tolist() == [3, 1, 5]


@pytest.mark.parametrize(("column", "ids"), [("item_id", [8, 2, 2]), ("neg_item_id", [4, 7, 1])])
def test_a_table_of_entities_gives_items_where_it_is_asked_for_items(column: str, ids: list[int]) -> None:
    # The first 9 of 20 entities are the items.
    batch = pairs(users=[3, 1, 5], items=[8, 2, 2], negatives=[4, 7, 1])
    entities = nn.Embedding(20, 2)
    assert _owners(_match(_rows(*ids), "items", batch, args=(batch[column],), owner=entities)) == (ids, ids)
    with pytest.raises(TapError, match="it seems, not of users"):
        _match(_rows(*ids), "users", batch, args=(batch[column].clone(),), owner=entities)


def test_ids_that_happen_to_be_equal_are_told_by_the_very_tensor() -> None:
    # A last batch of one row, in which the user's row is also the item's.
    batch = pairs(users=[3], items=[3])
    entities = nn.Embedding(20, 2)
    assert _match(_rows(3), "items", batch, args=(batch["item_id"],), owner=entities).matched == "ids of the call"
    with pytest.raises(TapError, match="it seems, not of users"):
        _match(_rows(3), "users", batch, args=(batch["item_id"],), owner=entities)


def test_a_table_of_entities_asked_for_heads_of_triples_says_nothing_about_items() -> None:
    batch = pairs(users=[3, 1, 5], items=[8, 2, 2], negatives=[4, 7, 1])
    with pytest.raises(TapError, match="may hold positive or negative items"):
        _match(_rows(1, 1, 1), "items", batch, args=(torch.tensor([12, 13, 14]),), owner=nn.Embedding(20, 2))


@pytest.mark.parametrize(("side", "count"), [("users", 9), ("items", 6)])
def test_an_embedding_of_the_other_side_is_refused(side: Side, count: int) -> None:
    other = "items" if side == "users" else "users"
    with pytest.raises(TapError, match=f"is a table of {count} {other}, it seems, not of {side}"):
        _match(_rows(3, 1, 5), side, args=(torch.tensor([3, 1, 5]),), owner=nn.Embedding(count, 2))


def test_unless_rows_are_said_to_be_the_batchs() -> None:
    # As LLM-KT's losses take them: the item of each row, compared with the row's user.
    matched = _match(_rows(8, 2, 2), args=(BATCH["item_id"],), owner=nn.Embedding(9, 2), rows="batch")
    assert _owners(matched) == ([3, 1, 5], [8, 2, 2])


def test_where_users_and_items_are_equally_many_an_embedding_is_told_by_the_ids_it_was_given() -> None:
    same = replace(FIELDS, n_items=6)
    batch = pairs(users=[3, 1, 5], items=[4, 2, 2])
    table = nn.Embedding(6, 2)
    users, items = batch["user_id"], batch["item_id"].clone()
    assert _match(_rows(3, 1, 5), "users", batch, args=(users,), owner=table, fields=same).ids is users
    assert _match(_rows(4, 2, 2), "items", batch, args=(items,), owner=table, fields=same).ids.tolist() == [4, 2, 2]
    with pytest.raises(TapError, match="not of users"):
        _match(_rows(4, 2, 2), "users", batch, args=(items,), owner=table, fields=same)
    with pytest.raises(TapError, match=r"say which, e\.g\."):
        _match((_rows(*range(6)), _rows(*range(6))), "users", batch, fields=same)


def test_positions_of_a_sequence_belong_to_the_items_there() -> None:
    batch = Batch(user_id=[1, 2], item_id=[5, 6], item_id_list=[[3, 4, 0], [8, 0, 0]])
    matched = _match(_rows(3, 4, 0, 8, 0, 0).view(2, 3, 2), "items", batch)
    assert _owners(matched) == ([3, 4, 0, 8, 0, 0], [3, 4, 0, 8, 0, 0])
    assert matched.matched == "positions of the sequence"


def test_a_sequence_may_be_one_position_long() -> None:
    batch = Batch(user_id=[1, 2], item_id=[5, 6], item_id_list=[[3], [8]])
    assert _owners(_match(_rows(3, 8).unsqueeze(1), "items", batch)) == ([3, 8], [3, 8])
    assert _owners(_match(_rows(1, 2).unsqueeze(1), "users", batch)) == ([1, 2], [1, 2])


def test_a_row_per_sequence_is_not_taken_for_the_item_after_it() -> None:
    batch = Batch(user_id=[1, 2], item_id=[5, 6], item_id_list=[[3, 4, 0], [8, 0, 0]])
    given = (batch["item_id_list"],)
    with pytest.raises(TapError, match="has a row per sequence; say rows: batch if it is the item's after it"):
        _match(_rows(5, 6), "items", batch, args=given)
    assert _owners(_match(_rows(5, 6), "items", batch, args=given, rows="batch")) == ([5, 6], [5, 6])
    # What was given the items' ids, and the users of the sequences, need no telling.
    assert _owners(_match(_rows(5, 6), "items", batch, args=(batch["item_id"],))) == ([5, 6], [5, 6])
    assert _owners(_match(_rows(1, 2), "users", batch, args=given)) == ([1, 2], [1, 2])


@pytest.mark.parametrize("as_copy", [False, True])
@pytest.mark.parametrize(("column", "ids"), [("item_id", [8, 2, 2]), ("neg_item_id", [4, 7, 1])])
def test_a_pairwise_method_is_told_by_the_items_it_was_given(column: str, ids: list[int], as_copy: bool) -> None:
    batch = pairs(users=[3, 1, 5], items=[8, 2, 2], negatives=[4, 7, 1])
    given = batch[column].clone() if as_copy else batch[column]
    assert _owners(_match(_rows(*ids), "items", batch, args=(batch["user_id"], given))) == (ids, ids)


@pytest.mark.parametrize("columns", [[], ["item_id", "neg_item_id"]])
def test_positive_and_negative_items_are_never_guessed(columns: list[str]) -> None:
    batch = pairs(users=[3, 1, 5], items=[8, 2, 2], negatives=[4, 7, 1])
    with pytest.raises(TapError, match="may hold positive or negative items"):
        _match(_rows(8, 2, 2), "items", batch, args=tuple(batch[name] for name in columns))


def test_users_of_a_pairwise_batch_need_no_telling() -> None:
    batch = pairs(users=[3, 1, 5], items=[8, 2, 2], negatives=[4, 7, 1])
    assert _owners(_match(_rows(3, 1, 5), "users", batch)) == ([3, 1, 5], [3, 1, 5])


FULL = pairs(users=[3, 1, 5, 0, 2, 4], items=[8] * 6)
ITEM_SIZED = pairs(users=[1] * 9, items=[8] * 9)


@pytest.mark.parametrize(
    ("batch", "rows", "fits"),
    [
        # A batch of all users of an autoencoder: the table's order is not the batch's.
        (FULL, 6, "batch and table"),
        (ITEM_SIZED, 9, "batch and table of items"),
        (pairs(users=[1] * 15, items=[8] * 15), 15, "batch and both tables"),
    ],
)
def test_what_fits_two_ways_is_refused(batch: Batch, rows: int, fits: str) -> None:
    with pytest.raises(TapError, match=f"which fits {fits} of .*; say which with rows: batch or table"):
        _match(_rows(*range(rows)), "users", batch)


@pytest.mark.parametrize(("rows", "owners"), [("batch", [0, 1, 2, 3, 4, 5]), ("table", [3, 1, 5, 0, 2, 4])])
def test_unless_it_is_said(rows: Rows, owners: list[int]) -> None:
    assert _owners(_match(_rows(*range(6)), "users", FULL, rows=rows)) == ([3, 1, 5, 0, 2, 4], owners)


@pytest.mark.parametrize(
    ("rows", "fits"), [(4, "none"), (9, "table of items")], ids=["nothing's size", "the other table's size"]
)
def test_what_fits_nothing_of_this_side_is_refused(rows: int, fits: str) -> None:
    with pytest.raises(TapError, match=f"which fits {fits} of batch 3, 6 users, 9 items$"):
        _match(_rows(*range(rows)), "users")


def test_a_tap_that_serves_both_sides_holds_whole_tables() -> None:
    assert _match(_rows(*range(6 + 9)), "items", shared=True).matched == "both tables"
    with pytest.raises(TapError, match=r"has a row per interaction; say whose: users: \[...\] or items: \[...\]"):
        _match(_rows(3, 1, 5), shared=True)
    # A batch as large as the table of items: neither is certain.
    with pytest.raises(TapError, match="batch and table of"):
        _match(_rows(*range(9)), "items", ITEM_SIZED, shared=True)


def test_what_the_first_batch_was_all_others_are() -> None:
    matcher = RowMatcher("users", FIELDS)

    def match(vectors: torch.Tensor, batch: Batch) -> StudentRows:
        fired = Fired(Tap.parse("layer"), "layer 2, layer", nn.Identity(), None, [Call((), vectors)])
        return matcher.match(fired, batch.interaction)

    assert match(_rows(3, 1, 5), BATCH).matched == "batch"
    # A last batch that is smaller, and one that happens to be as long as the table.
    assert _owners(match(_rows(2), pairs(users=[2], items=[1]))) == ([2], [2])
    assert _owners(match(_rows(3, 1, 5, 0, 2, 4), FULL)) == ([3, 1, 5, 0, 2, 4], [3, 1, 5, 0, 2, 4])
    with pytest.raises(TapError, match="fits none"):
        match(_rows(*range(6)), BATCH)


def test_the_padding_row_of_an_autoencoders_batch_keeps_its_id() -> None:
    # RecBole's batches of users start at row 0; the teacher has no vector there.
    batch = Batch(user_id=[0, 1, 2])
    assert _owners(_match(_rows(0, 1, 2), "users", batch)) == ([0, 1, 2], [0, 1, 2])


def test_a_side_that_the_batches_do_not_name_is_refused() -> None:
    with pytest.raises(TapError, match="this model's batches do not name their items"):
        _match(_rows(*range(9)), "items", Batch(user_id=[0, 1, 2]))


@pytest.mark.parametrize(
    ("value", "tap", "message"),
    [
        (None, "layer", "has no tensor as its output, but NoneType"),
        ((), "layer", "has no tensor as its output, but tuple"),
        ({"x": 1}, "layer", "has no tensor as its output, but dict"),
        (_rows(1), "layer[0]", r"has one tensor as its output; leave \[0\] out"),
        ((_rows(1),), "layer[1]", r"has 1 output values, numbered from 0; there is no \[1\]"),
        ((_rows(1), _rows(2, 3)), "layer", r"has 2 output values \(\[1, 2\], \[2, 2\]\); say which, e.g. 'name\[0\]'"),
        ((_rows(1), 3, None), "layer", r"has 3 output values \(\[1, 2\], -, -\); say which"),
        ((3, _rows(1)), "layer[0]", "gives int as its output, not vectors"),
        (torch.tensor([1, 2, 3]), "layer", "gives torch.int64 as its output, not vectors"),
        (torch.zeros(3, 4, 2), "layer", r"gives \[3, 4, 2\]; a loss compares \[rows, dim\]"),
        (torch.zeros(3), "layer", r"gives \[3\]; a loss compares \[rows, dim\]"),
    ],
)
def test_what_is_no_matrix_of_vectors_is_refused(value: Any, tap: str, message: str) -> None:
    with pytest.raises(TapError, match=message):
        _match(value, tap=tap)
