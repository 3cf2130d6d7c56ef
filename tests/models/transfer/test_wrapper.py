"""The transfer loss beside a model: weights, parts, masks, widths, and that the model stays what it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch

from models.losses.base import LOSSES
from models.transfer.layers import LayerError, count_parameters, set_trainable
from models.transfer.rows import IdFields
from models.transfer.taps import TapError
from models.transfer.teachers import Side, Teacher
from models.transfer.wrapper import Term, TransferError, TransferWrapper
from tests.models.transfer.world import FIELDS, Batch, Recommender, pairs, teacher

MSE, RMSE = LOSSES.get("mse"), LOSSES.get("rmse")
BATCH = pairs(users=[1, 2], items=[3, 4])
# users * items is ((2, 0) * (0, 3) + (4, 0) * (0, 4)).sum() = 0, plus 1.
MODEL_LOSS = 1.0
# The layer doubles user u to (2u, 0): (2, 0) and (4, 0) against (1, 1) each.
SQUARES = [(2 - 1) ** 2, (0 - 1) ** 2, (4 - 1) ** 2, (0 - 1) ** 2]
TRANSFER = math.sqrt(sum(SQUARES) / 4)


def _wrap(
    model: Recommender,
    *teachers: Teacher,
    weight: float = 0.5,
    formula: Any = RMSE,
    fields: IdFields = FIELDS,
    **options: Any,
) -> TransferWrapper:
    return TransferWrapper(model, fields, {"": Term(formula, teachers or (teacher(),), **options)}, weight)


def _transfer(
    selectors: Sequence[int | str], *teachers: Teacher, side: Side | None = None, batch: Batch = BATCH, **options: Any
) -> float:
    """The transfer part alone, at weight 1."""
    model = Recommender()
    _wrap(model, *teachers, weight=1.0, **options).set_outputs(selectors, side)
    return model.calculate_loss(batch)[1].item()


@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0])
def test_the_loss_is_one_minus_a_of_the_models_and_a_of_the_transfers(weight: float) -> None:
    model = Recommender()
    _wrap(model, weight=weight).set_outputs(["layer"])
    own, transfer = model.calculate_loss(BATCH)
    assert own.item() == pytest.approx((1 - weight) * MODEL_LOSS)
    assert transfer.item() == pytest.approx(weight * TRANSFER)


def test_the_gradient_is_the_weighted_sum_of_both() -> None:
    def gradient(weight: float) -> torch.Tensor:
        model = Recommender()
        _wrap(model, weight=weight).set_outputs(["layer"])
        sum(model.calculate_loss(BATCH)).backward()
        return model.layer.weight.grad

    plain = Recommender()
    plain.calculate_loss(BATCH).backward()
    torch.testing.assert_close(gradient(0.0), plain.layer.weight.grad)
    torch.testing.assert_close(gradient(0.25), 0.75 * gradient(0.0) + 0.25 * gradient(1.0))


def test_a_loss_of_parts_keeps_their_places_from_the_end() -> None:
    # NCL's trainer leaves the last part out of its warm-up: that must stay the model's own.
    model = Recommender().with_parts()
    _wrap(model, weight=0.25).set_outputs(["layer"])
    parts = [part.item() for part in model.calculate_loss(BATCH)]
    assert parts == pytest.approx([0.75 * MODEL_LOSS, 0.25 * TRANSFER, 0.75 * 10, 0.75 * 100])


def test_arguments_beyond_the_batch_reach_the_model() -> None:
    class Staged(Recommender):
        def calculate_loss(self, interaction: Any, encoder_flag: bool) -> torch.Tensor:
            return super().calculate_loss(interaction) * (3.0 if encoder_flag else 5.0)

    model = Staged()
    _wrap(model).set_outputs(["layer"])
    assert model.calculate_loss(BATCH, encoder_flag=True)[0].item() == 0.5 * 3
    assert model.calculate_loss(BATCH, False)[0].item() == 0.5 * 5


def test_mkrs_loss_of_the_recommender_is_the_one_that_is_wrapped() -> None:
    class Alternating(Recommender):
        def calculate_rs_loss(self, interaction: Any) -> torch.Tensor:
            return Recommender.calculate_loss(self, interaction)

    model = Alternating()
    wrapper = _wrap(model)
    wrapper.set_outputs(["layer"])
    assert len(model.calculate_rs_loss(BATCH)) == 2
    assert model.calculate_loss(BATCH).item() == MODEL_LOSS
    wrapper.remove_outputs()
    assert model.calculate_rs_loss(BATCH).item() == MODEL_LOSS


def test_rows_without_a_vector_are_left_out() -> None:
    expected = math.sqrt(sum(SQUARES[:2]) / 2)
    assert _transfer(["layer"], teacher(without=(2,))) == pytest.approx(expected)


def test_padding_is_left_out() -> None:
    batch = pairs(users=[1, 2, 0], items=[3, 4, 5])
    assert _transfer(["layer"], batch=batch) == pytest.approx(TRANSFER)


def test_a_batch_without_any_vector_costs_nothing_and_moves_nothing() -> None:
    model = Recommender()
    _wrap(model, teacher(without=(1, 2)), weight=1.0).set_outputs(["layer"])
    _, transfer = model.calculate_loss(BATCH)
    assert transfer.item() == 0
    transfer.backward()
    assert model.layer.weight.grad is not None
    assert model.layer.weight.grad.abs().max() == 0


def test_no_gradient_flows_into_the_vectors() -> None:
    vectors = torch.ones(6, 2, requires_grad=True)
    model = Recommender()
    _wrap(model, Teacher("users", vectors, torch.arange(6) > 0, "x.pt"), weight=1.0).set_outputs(["layer"])
    sum(model.calculate_loss(BATCH)).backward()
    assert vectors.grad is None


def test_several_taps_are_averaged() -> None:
    # user_embedding gives (1, 0) and (2, 0).
    other = math.sqrt(((1 - 1) ** 2 + 1 + (2 - 1) ** 2 + 1) / 4)
    assert _transfer(["user_embedding", "layer"]) == pytest.approx((TRANSFER + other) / 2)


def test_a_glob_is_averaged_over_its_layers() -> None:
    both = (_transfer(["user_embedding"]) + _transfer(["layer"])) / 2
    assert _transfer(["user_embeddin?", "laye?"]) == pytest.approx(both)


def test_each_side_has_its_own_taps_and_its_own_vectors() -> None:
    model = Recommender()
    wrapper = _wrap(model, teacher("users", value=1.0), teacher("items", value=2.0), weight=1.0, formula=MSE)
    wrapper.set_outputs(["forward[0]"], "users")
    wrapper.set_outputs(["forward[1]"], "items")
    users = sum(SQUARES) / 4
    # Items 3 and 4 are (0, 3) and (0, 4), against (2, 2).
    items = ((0 - 2) ** 2 + (3 - 2) ** 2 + (0 - 2) ** 2 + (4 - 2) ** 2) / 4
    assert model.calculate_loss(BATCH)[1].item() == pytest.approx((users + items) / 2)


@pytest.mark.parametrize("tap", ["tables", "stacked"])
def test_a_tap_on_both_tables_serves_both_sides(tap: str) -> None:
    both = [teacher("users", value=1.0), teacher("items", value=2.0)]
    users = ((1 - 1) ** 2 + (0 - 1) ** 2 + (2 - 1) ** 2 + (0 - 1) ** 2) / 4
    items = ((0 - 2) ** 2 + (3 - 2) ** 2 + (0 - 2) ** 2 + (4 - 2) ** 2) / 4
    assert _transfer([tap], *both, formula=MSE) == pytest.approx((users + items) / 2)


def test_taps_of_both_sides_and_of_one_side_stand_together() -> None:
    model = Recommender()
    wrapper = _wrap(model, teacher("users"), teacher("items"), weight=1.0)
    wrapper.set_outputs(["tables"])
    wrapper.set_outputs(["layer", "user_embedding"], "users")
    alone = [
        _transfer(["tables"], teacher("users")),
        _transfer(["tables"], teacher("items")),
        _transfer(["layer"]),
        _transfer(["user_embedding"]),
    ]
    assert model.calculate_loss(BATCH)[1].item() == pytest.approx(sum(alone) / 4)


def test_with_both_sides_a_tap_on_one_has_to_say_whose() -> None:
    model = Recommender()
    _wrap(model, teacher("users"), teacher("items")).set_outputs(["layer"])
    with pytest.raises(TapError, match="say whose"):
        model.calculate_loss(BATCH)


def test_particular_compares_the_first_columns_of_a_wider_layer() -> None:
    expected = math.sqrt(((2 - 1) ** 2 + (4 - 1) ** 2) / 2)
    assert _transfer(["layer"], teacher(width=1), particular=True) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("width", "particular", "message"),
    [
        (
            1,
            False,
            r"the tap 'layer' \(layer 4, layer\) is 2 wide, users1.pt has 1; particular: True compares its first 1",
        ),
        (3, False, "is 2 wide, users3.pt has 3; reduce the vectors to 2"),
        (3, True, "is 2 wide, users3.pt has 3; reduce the vectors to 2"),
    ],
)
def test_widths_that_differ_are_refused(width: int, particular: bool, message: str) -> None:
    with pytest.raises(TransferError, match=message):
        _transfer(["layer"], teacher(width=width), particular=particular)


def test_a_tap_on_frozen_layers_is_refused() -> None:
    model = Recommender()
    set_trainable(model, ["user_embedding", "layer"], False)
    _wrap(model).set_outputs(["layer"])
    with pytest.raises(TapError, match="has no gradient: everything it depends on is frozen"):
        model.calculate_loss(BATCH)
    with torch.no_grad():
        assert len(model.calculate_loss(BATCH)) == 2


def test_a_layer_below_the_frozen_one_still_learns() -> None:
    model = Recommender()
    set_trainable(model, ["layer"], False)
    _wrap(model).set_outputs(["layer"])
    sum(model.calculate_loss(BATCH)).backward()
    assert model.layer.weight.grad is None
    assert model.user_embedding.weight.grad is not None


@pytest.mark.parametrize(("rows", "first"), [("batch", 2 * 1), ("table", 2 * 3)])
def test_rows_say_what_a_batch_of_all_users_is(rows: Any, first: float) -> None:
    # Users come as 3, 1, 2, 0, 4, 5: a layer's first row is user 3's, a table's fourth.
    batch = pairs(users=[1, 3, 2, 0, 4, 5], items=[1] * 6)
    only_user_1 = teacher(without=(2, 3, 4, 5))
    value = _transfer(["layer"], only_user_1, batch=batch, rows=rows, formula=MSE)
    assert value == pytest.approx(((first - 1) ** 2 + 1) / 2)


def test_wrapping_changes_nothing_in_the_model() -> None:
    model = Recommender()
    before = list(model.state_dict()), count_parameters(model), dict(vars(model))
    wrapper = _wrap(model)
    assert dict(vars(model)) == before[2]
    wrapper.set_outputs(["layer", "forward"])
    assert (list(model.state_dict()), count_parameters(model)) == before[:2]
    wrapper.remove_outputs()
    wrapper.remove_outputs()
    assert dict(vars(model)) == before[2]
    assert model.calculate_loss(BATCH).item() == MODEL_LOSS


def test_a_loss_that_stood_on_the_object_comes_back() -> None:
    model = Recommender().with_parts()
    own = vars(model)["calculate_loss"]
    wrapper = _wrap(model)
    wrapper.set_outputs(["layer"])
    wrapper.remove_outputs()
    assert vars(model)["calculate_loss"] is own


def test_outputs_can_be_set_again_after_they_were_removed() -> None:
    model = Recommender()
    wrapper = _wrap(model, weight=1.0)
    wrapper.set_outputs(["user_embedding"])
    wrapper.remove_outputs()
    wrapper.set_outputs(["layer"])
    assert model.calculate_loss(BATCH)[1].item() == pytest.approx(TRANSFER)


@pytest.mark.parametrize("selector", ["nothing", "layer#0", "calculate_loss", 0])
def test_outputs_that_cannot_be_set_leave_the_model_alone(selector: int | str) -> None:
    model = Recommender()
    wrapper = _wrap(model)
    with pytest.raises((LayerError, TapError, TransferError)):
        wrapper.set_outputs(["layer", selector])
    assert len(wrapper.taps) == 0
    assert model.calculate_loss(BATCH).item() == MODEL_LOSS
    assert not model.layer._forward_hooks


def test_a_second_wrapper_waits_for_the_first_to_let_go() -> None:
    model = Recommender()
    first, second = _wrap(model), _wrap(model)
    first.set_outputs(["layer"])
    with pytest.raises(TransferError, match="outputs of an earlier wrap_model; put remove_outputs before it"):
        second.set_outputs(["layer"])
    first.remove_outputs()
    second.set_outputs(["layer"])
    assert len(model.calculate_loss(BATCH)) == 2


def test_vectors_of_a_side_that_were_not_given_are_missed() -> None:
    with pytest.raises(TransferError, match="no vectors of items were given to wrap_model"):
        _wrap(Recommender()).set_outputs(["layer"], "items")


def test_a_wrapper_without_vectors_is_refused() -> None:
    with pytest.raises(TransferError, match="there are no vectors to transfer"):
        TransferWrapper(Recommender(), FIELDS, {"": Term(RMSE, [])}, 0.5)


def test_an_error_in_the_loss_leaves_the_next_batch_alone() -> None:
    model = Recommender()
    _wrap(model, weight=1.0).set_outputs(["layer"])
    with pytest.raises(IndexError):
        model.calculate_loss(pairs(users=[99], items=[1]))
    assert model.calculate_loss(BATCH)[1].item() == pytest.approx(TRANSFER)
