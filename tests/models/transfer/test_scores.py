"""The scores of a batch's users and items against those that their vectors give."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from models.losses.base import LOSSES, Loss
from models.transfer.taps import TapError
from models.transfer.wrapper import Term, TransferError, TransferWrapper
from tests.models.transfer.world import FIELDS, Batch, Recommender, pairs, teacher

# Every score counts with its teacher's, so that the value tells which of them were compared.
PRODUCT = Loss("product", lambda student, teacher: (student * teacher).sum(), "scores", contrasts=True)
TEACHERS = (teacher("users", value=1.0), teacher("items", value=2.0))
# The dot product of (1, 1) and (2, 2).
OF_VECTORS = 1 * 2 + 1 * 2


def _model() -> Recommender:
    """User u is (u, 0) and item i is (i, i), so that u scores i with u * i."""
    model = Recommender()
    with torch.no_grad():
        model.item_embedding.weight[:, 0] = torch.arange(FIELDS.n_items)
    return model


def _wrap(model: Recommender, loss: Loss = PRODUCT, teachers: Any = TEACHERS, **options: Any) -> TransferWrapper:
    return TransferWrapper(model, FIELDS, {"": Term(loss, teachers, **options)}, weight=1.0)


def _value(batch: Batch, loss: Loss = PRODUCT, teachers: Any = TEACHERS, **options: Any) -> torch.Tensor:
    model = _model()
    wrapper = _wrap(model, loss, teachers, **options)
    wrapper.set_outputs(["user_embedding"], "users")
    wrapper.set_outputs(["item_embedding"], "items")
    return model.calculate_loss(batch)[1]


def test_each_user_of_a_batch_is_scored_against_each_item_once() -> None:
    # Users 1 and 2, items 3 and 4, each twice in the batch.
    batch = pairs(users=[1, 2, 1, 2], items=[3, 4, 4, 3])
    assert _value(batch).item() == OF_VECTORS * (1 * 3 + 1 * 4 + 2 * 3 + 2 * 4)


def test_users_and_items_without_a_vector_are_left_out() -> None:
    batch = pairs(users=[1, 2, 0], items=[3, 4, 4])
    teachers = (teacher("users", without=(1,)), teacher("items", value=2.0, without=(4,)))
    assert _value(batch, teachers=teachers).item() == OF_VECTORS * (2 * 3)


def test_a_batch_of_which_one_side_has_no_vector_costs_nothing() -> None:
    value = _value(pairs(users=[1], items=[3]), teachers=(teacher("users", without=(1,)), TEACHERS[1]))
    assert value.item() == 0
    value.backward()


def test_ranking_distillation_pulls_up_what_the_vectors_rank_first() -> None:
    items = teacher("items", value=2.0)
    items.vectors[4] = 9.0
    model = _model()
    wrapper = _wrap(model, LOSSES.get("ranking_distillation"), (TEACHERS[0], items), options={"k": 1})
    wrapper.set_outputs(["user_embedding"], "users")
    wrapper.set_outputs(["item_embedding"], "items")
    model.calculate_loss(pairs(users=[1, 2], items=[3, 4]))[1].backward()
    gradient = model.item_embedding.weight.grad
    # Item 4 is first for both users: down the gradient its first column grows; item 3 is left alone.
    assert gradient[4, 0] < 0
    assert gradient[3].tolist() == [0, 0]


@pytest.mark.parametrize("side", ["users", "items"])
def test_vectors_of_both_sides_are_needed(side: str) -> None:
    one = [given for given in TEACHERS if given.side == side]
    with pytest.raises(TransferError, match="product compares scores, so it needs vectors of users and of items"):
        _wrap(Recommender(), teachers=one)


def test_vectors_of_two_widths_cannot_score_each_other() -> None:
    with pytest.raises(TransferError, match=r"users2\.pt is 2 wide and items3\.pt 3; encode and reduce both"):
        _wrap(Recommender(), teachers=(TEACHERS[0], teacher("items", width=3)))


@pytest.mark.parametrize(
    ("taps", "side", "message"),
    [
        (["layer"], None, "needs to know whose each tap is: users"),
        (["layer", "item_embedding"], "items", "takes one tap of items"),
        (["layer"], "users", "takes one tap of users"),
        (["*e*"], "items", "takes one tap of items, not 4"),
    ],
)
def test_one_tap_of_each_side_is_taken(taps: Any, side: Any, message: str) -> None:
    wrapper = _wrap(Recommender())
    wrapper.set_outputs(["user_embedding"], "users")
    with pytest.raises(TransferError, match=message):
        wrapper.set_outputs(taps, side)


def test_a_side_without_a_tap_is_missed_in_the_loss() -> None:
    model = _model()
    _wrap(model).set_outputs(["user_embedding"], "users")
    with pytest.raises(TapError, match="product has no tap of items"):
        model.calculate_loss(pairs(users=[1], items=[3]))


def test_taps_of_two_widths_cannot_score_each_other() -> None:
    model = _model()
    model.layer = torch.nn.Linear(2, 3)
    wrapper = _wrap(model)
    wrapper.set_outputs(["layer"], "users")
    wrapper.set_outputs(["item_embedding"], "items")
    model.forward = lambda user, item: (model.layer(model.user_embedding(user))[:, :2], model.items_of(item))
    with pytest.raises(TransferError, match="their taps are 3 and 2 wide"):
        model.calculate_loss(pairs(users=[1], items=[3]))


def test_frozen_tables_are_refused() -> None:
    model = _model()
    model.user_embedding.requires_grad_(False)
    wrapper = _wrap(model)
    wrapper.set_outputs(["user_embedding"], "users")
    wrapper.set_outputs(["item_embedding"], "items")
    with pytest.raises(TapError, match=r"'user_embedding' .* has no gradient"):
        model.calculate_loss(pairs(users=[1], items=[3]))


def test_vectors_may_be_of_any_length() -> None:
    # The student's scores have their own scale: only what the formula makes of the teacher's counts.
    longer = tuple(replace(one, vectors=3 * one.vectors) for one in TEACHERS)
    batch = pairs(users=[1], items=[3])
    assert _value(batch, teachers=longer).item() == 9 * OF_VECTORS * 1 * 3
