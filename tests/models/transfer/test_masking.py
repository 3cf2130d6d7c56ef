"""Rows that are hidden from the model while its loss is computed, and are what they were afterwards."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from models.transfer.layers import LayerError
from models.transfer.masking import Mask, Masking
from tests.models.transfer.world import FIELDS, Recommender

USERS = {"users": ["user_embedding"]}


def _masking(model: nn.Module, tables: Any = USERS, ratio: float = 0.5) -> Masking:
    torch.manual_seed(0)
    made = Masking(Mask(tables, ratio), model, FIELDS)
    with torch.no_grad():
        for number, token in enumerate(made.tokens):
            token.fill_(100.0 + number)
    return made


def test_hidden_rows_are_the_token_and_all_others_themselves() -> None:
    model = Recommender()
    everyone = torch.arange(FIELDS.n_users)
    masking = _masking(model)
    with masking.hiding() as hidden:
        called, read = model.user_embedding(everyone), model.user_embedding.weight
    assert hidden["users"].any()
    assert not hidden["users"][1:].all()
    for row in range(FIELDS.n_users):
        expected = [100.0, 100.0] if hidden["users"][row] else [float(row), 0.0]
        assert called[row].tolist() == read[row].tolist() == expected


def test_the_weight_is_the_same_parameter_afterwards() -> None:
    model = Recommender()
    before, names = model.user_embedding.weight, list(model.state_dict())
    with _masking(model).hiding():
        assert model.user_embedding.weight is not before
    assert model.user_embedding.weight is before
    assert list(model.state_dict()) == names
    assert "weight" not in vars(model.user_embedding)


def test_an_error_inside_brings_the_weight_back() -> None:
    model = Recommender()
    before = model.user_embedding.weight
    with pytest.raises(RuntimeError, match="inside"), _masking(model).hiding():
        raise RuntimeError("inside")
    assert model.user_embedding.weight is before


def test_padding_is_never_hidden() -> None:
    masking = _masking(Recommender(), ratio=0.99)
    for _ in range(30):
        with masking.hiding() as hidden:
            assert not hidden["users"][0]


def test_every_batch_hides_another_choice_of_about_that_share() -> None:
    masking = _masking(Recommender(), ratio=0.3)
    choices = []
    for _ in range(400):
        with masking.hiding() as hidden:
            choices.append(hidden["users"][1:])
    # Of 400 * 5 draws; the standard deviation of the share is sqrt(.3 * .7 / 2000) = .01.
    assert torch.stack(choices).float().mean().item() == pytest.approx(0.3, abs=0.05)
    assert len({tuple(choice.tolist()) for choice in choices}) > 10


def test_all_tables_of_a_side_hide_the_same_rows_behind_tokens_of_their_own() -> None:
    model = Recommender()
    model.second = nn.Embedding(FIELDS.n_users, 3)
    masking = _masking(model, {"users": ["user_embedding", "second"], "items": ["item_embedding"]})
    assert [len(token) for token in masking.tokens] == [2, 3, 2]
    with masking.hiding() as hidden:
        assert torch.equal((model.user_embedding.weight == 100).all(dim=1), hidden["users"])
        assert torch.equal((model.second.weight == 101).all(dim=1), hidden["users"])
        assert torch.equal((model.item_embedding.weight == 102).all(dim=1), hidden["items"])


def test_tokens_learn_and_hidden_rows_do_not() -> None:
    model = Recommender()
    masking = _masking(model)
    with masking.hiding() as hidden:
        model.user_embedding(torch.arange(FIELDS.n_users)).sum().backward()
    count = int(hidden["users"].sum())
    assert masking.tokens[0].grad.tolist() == [count, count]
    assert model.user_embedding.weight.grad[:, 0].tolist() == [float(not one) for one in hidden["users"].tolist()]


def test_a_table_with_a_row_more_hides_only_the_rows_of_its_side() -> None:
    # BERT4Rec's last row is its own mask.
    model = Recommender()
    model.user_embedding = nn.Embedding(FIELDS.n_users + 1, 2)
    with _masking(model, ratio=0.99).hiding():
        assert (model.user_embedding.weight[-1] != 100).all()


def test_a_table_with_sparse_gradients_has_dense_ones_for_the_moment() -> None:
    model = Recommender()
    model.user_embedding.sparse = True
    with _masking(model).hiding():
        model.user_embedding(torch.tensor([1, 2])).sum().backward()
    assert model.user_embedding.sparse
    assert not model.user_embedding.weight.grad.is_sparse


def test_what_is_no_table_of_the_side_cannot_be_hidden() -> None:
    with pytest.raises(LayerError, match="'layer' is no table of the 6 users"):
        _masking(Recommender(), {"users": ["layer"]})
