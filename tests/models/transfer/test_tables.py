"""Tables of a model by name or size, and what they start from."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.transfer.layers import LayerError
from models.transfer.rows import IdFields
from models.transfer.tables import named_table, only_table, start_from
from models.transfer.teachers import Teacher
from tests.models.transfer.world import FIELDS, Recommender

EQUAL = IdFields("user_id", "item_id", "neg_item_id", "item_id_list", n_users=6, n_items=6)


def _teacher() -> Teacher:
    """Users 1 to 4 have (3, 4), which is 5 long; user 5 has none."""
    present = torch.tensor([False, True, True, True, True, False])
    return Teacher("users", torch.tensor([3.0, 4.0]) * present.unsqueeze(1), present, "u.pt")


def test_a_table_is_found_by_name_by_number_or_by_its_rows() -> None:
    model = Recommender()
    found = [
        named_table(model, "user_embedding", "users", FIELDS),
        named_table(model, 2, "users", FIELDS),
        only_table(model, "users", FIELDS),
    ]
    assert all(table.path == "user_embedding" and table.module is model.user_embedding for table in found)
    assert only_table(model, "items", FIELDS).module is model.item_embedding


def test_a_table_of_the_other_side_is_refused() -> None:
    with pytest.raises(LayerError, match="'item_embedding' has 9 rows, a table of the other side, it seems"):
        named_table(Recommender(), "item_embedding", "users", FIELDS)
    with pytest.raises(LayerError, match="'user_embedding' has 6 rows, a table of the other side"):
        named_table(Recommender(), "user_embedding", "items", FIELDS)


def test_a_table_of_items_may_have_further_rows() -> None:
    model = Recommender()
    model.item_embedding = nn.Embedding(FIELDS.n_items + 1, 2)
    assert named_table(model, "item_embedding", "items", FIELDS).path == "item_embedding"
    # Entities of a knowledge graph are a table of items only where the model says how many there are.
    model.item_embedding = nn.Embedding(FIELDS.n_items + 50, 2)
    with pytest.raises(LayerError, match="'item_embedding' is no table of the 9 items"):
        named_table(model, "item_embedding", "items", FIELDS)
    model.n_entities = FIELDS.n_items + 50
    assert named_table(model, "item_embedding", "items", FIELDS).path == "item_embedding"
    with pytest.raises(LayerError, match="'item_embedding' is no table of the 6 users"):
        named_table(model, "item_embedding", "users", FIELDS)
    with pytest.raises(LayerError, match=r"Recommender has no table of 9 items; name it \(see info\)"):
        only_table(model, "items", FIELDS)


def test_a_table_of_all_fields_is_refused() -> None:
    # RecBole's context models have one table in which every field begins at its offset.
    model, fields = Recommender(), nn.Module()
    fields.embedding = nn.Embedding(FIELDS.n_users + FIELDS.n_items + 5, 2)
    fields.offsets = [0, FIELDS.n_users, FIELDS.n_users + FIELDS.n_items]
    model.fields = fields
    with pytest.raises(LayerError, match=r"'fields\.embedding' holds all fields of the data one after another"):
        named_table(model, "fields.embedding", "users", FIELDS)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("layer", "'layer' is no table of the 6 users"),
        ("*_embedding", "selects 2 layers; name one table"),
        ("user_embeding", "did you mean 'user_embedding'"),
    ],
)
def test_what_is_no_table_is_refused(name: str, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        named_table(Recommender(), name, "users", FIELDS)


def test_of_several_tables_one_has_to_be_named() -> None:
    model = Recommender()
    model.second = nn.Embedding(FIELDS.n_users, 2)
    with pytest.raises(LayerError, match=r"2 tables of users and their padding \(user_embedding, second\); say which"):
        only_table(model, "users", FIELDS)
    assert named_table(model, "second", "users", FIELDS).module is model.second


def test_with_as_many_users_as_items_a_size_says_nothing() -> None:
    model = Recommender(n_items=6)
    with pytest.raises(
        LayerError, match=r"2 tables of items and their padding \(user_embedding, item_embedding\); say which"
    ):
        only_table(model, "items", EQUAL)
    del model.user_embedding
    with pytest.raises(LayerError, match=r"one table of 6 rows \(item_embedding\), but as many users as items"):
        only_table(model, "users", EQUAL)
    assert named_table(model, "item_embedding", "items", EQUAL).path == "item_embedding"


def test_a_table_starts_from_the_vectors_and_the_rest_from_itself() -> None:
    table = Recommender().user_embedding
    assert start_from(table, _teacher(), scaled=False, frozen=False) == 1.0
    assert table.weight.tolist() == [[0, 0], [3, 4], [3, 4], [3, 4], [3, 4], [5, 0]]
    assert table.weight.requires_grad


def test_scaled_vectors_are_as_long_as_the_rows_that_they_replace() -> None:
    table = Recommender().user_embedding
    # Rows 1 to 4 are 1, 2, 3 and 4 long, the vectors 5.
    factor = (1 + 2 + 3 + 4) / 4 / 5
    assert start_from(table, _teacher(), scaled=True, frozen=False) == pytest.approx(factor)
    torch.testing.assert_close(table.weight[1], factor * torch.tensor([3.0, 4.0]))
    assert table.weight[5].tolist() == [5, 0]


def test_a_frozen_table_is_not_trained() -> None:
    table = Recommender().user_embedding
    start_from(table, _teacher(), scaled=True, frozen=True)
    assert not table.weight.requires_grad


def test_vectors_of_zeros_or_of_nobody_are_not_scaled() -> None:
    nobody = Teacher("users", torch.zeros(6, 2), torch.zeros(6, dtype=torch.bool), "u.pt")
    table = Recommender().user_embedding
    before = table.weight.clone()
    assert start_from(table, nobody, scaled=True, frozen=False) == 1.0
    assert torch.equal(table.weight, before)
    zeros = Teacher("users", torch.zeros(6, 2), torch.arange(6) > 0, "u.pt")
    assert start_from(table, zeros, scaled=True, frozen=False) == 1.0


def test_a_table_in_half_precision_stays_in_it() -> None:
    table = Recommender().user_embedding.to(torch.bfloat16)
    start_from(table, _teacher(), scaled=True, frozen=False)
    assert table.weight.dtype == torch.bfloat16
    assert table.weight[1].norm().item() == pytest.approx(2.5, rel=0.01)
