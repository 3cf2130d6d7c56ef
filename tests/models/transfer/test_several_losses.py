"""Several losses in one wrapper: their parts, weights, adapters and masks, and that none disturbs another."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
import torch

from models.losses.base import LOSSES, Loss
from models.losses.schedule import Schedule
from models.transfer.adapters import AdapterSpec
from models.transfer.masking import Mask
from models.transfer.taps import TapError
from models.transfer.teachers import Teacher
from models.transfer.wrapper import Term, TransferError, TransferWrapper
from tests.models.transfer.world import FIELDS, Recommender, pairs, teacher

MSE, RMSE = LOSSES.get("mse"), LOSSES.get("rmse")
BATCH = pairs(users=[1, 2], items=[3, 4])
MODEL_LOSS = 1.0
# User u is (u, 0) in the table and (2u, 0) after the layer; the vectors are (1, 1).
OF_TABLE = ((1 - 1) ** 2 + 1 + (2 - 1) ** 2 + 1) / 4
OF_LAYER = ((2 - 1) ** 2 + 1 + (4 - 1) ** 2 + 1) / 4

Taps = Mapping[str, Any]


def _wrap(
    terms: Mapping[str, Term], taps: Taps, weight: float = 1.0, model: Recommender | None = None
) -> TransferWrapper:
    wrapper = TransferWrapper(model or Recommender(), FIELDS, terms, weight)
    for name, selectors in taps.items():
        for side, given in selectors.items() if isinstance(selectors, dict) else ((None, selectors),):
            wrapper.set_outputs(given, side, name)
    return wrapper


def _parts(wrapper: TransferWrapper, batch: Any = BATCH) -> list[float]:
    return [part.item() for part in wrapper.model.calculate_loss(batch)]


def _term(formula: Loss = MSE, *teachers: Teacher, **options: Any) -> Term:
    return Term(formula, teachers or (teacher(),), **options)


def test_each_loss_is_a_part_of_its_own_between_the_models_parts() -> None:
    terms = {"table": _term(weight=2.0), "layer": _term(RMSE, weight=0.5)}
    taps = {"table": ["user_embedding"], "layer": ["layer"]}
    wrapper = _wrap(terms, taps, weight=0.25, model=Recommender().with_parts())
    assert _parts(wrapper) == pytest.approx(
        [
            0.75 * MODEL_LOSS,
            0.25 * 2.0 * OF_TABLE,
            0.25 * 0.5 * math.sqrt(OF_LAYER),
            0.75 * 10,
            0.75 * 100,
        ]
    )


def test_parts_stand_in_the_order_of_the_names_whatever_that_of_the_taps() -> None:
    wrapper = _wrap({"table": _term(), "layer": _term()}, {"layer": ["layer"], "table": ["user_embedding"]})
    assert _parts(wrapper)[1:] == pytest.approx([OF_TABLE, OF_LAYER])


def test_a_loss_without_taps_is_no_part() -> None:
    wrapper = _wrap({"table": _term(), "layer": _term()}, {"layer": ["layer"]})
    assert _parts(wrapper)[1:] == pytest.approx([OF_LAYER])


def test_one_tap_may_serve_two_losses() -> None:
    terms = {"mse": _term(), "rmse": _term(RMSE)}
    wrapper = _wrap(terms, {"mse": ["layer"], "rmse": ["layer"]})
    assert _parts(wrapper)[1:] == pytest.approx([OF_LAYER, math.sqrt(OF_LAYER)])


def test_a_loss_without_weight_is_computed_once_and_without_gradient_to_see_that_it_could_be() -> None:
    seen = []

    def watched(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        seen.append(torch.is_grad_enabled())
        return student.sum()

    terms = {"off": _term(Loss("off", watched), weight=0.0), "on": _term()}
    wrapper = _wrap(terms, {"off": ["user_embedding"], "on": ["layer"]})
    for _ in range(3):
        assert _parts(wrapper)[1:] == pytest.approx([0, OF_LAYER])
    assert seen == [False]


def test_a_tap_that_cannot_be_compared_is_told_of_before_its_loss_has_weight() -> None:
    rising = _term(weight=Schedule("linear", start=0.0, end=1.0, epochs=9))
    with pytest.raises(TapError, match="loss 'off': the tap 'unused'"):
        _parts(_wrap({"off": rising}, {"off": ["unused"]}))


def test_schedules_follow_the_epoch() -> None:
    terms = {
        "warmup": _term(weight=Schedule("warmup", value=0.9, epochs=3)),
        "stop": _term(weight=Schedule("stop", value=0.5, epochs=1)),
    }
    wrapper = _wrap(terms, {"warmup": ["layer"], "stop": ["layer"]})
    by_epoch = []
    for wrapper.epoch in range(4):
        by_epoch.append([part / OF_LAYER for part in _parts(wrapper)[1:]])
    assert by_epoch == [pytest.approx(weights) for weights in ([0.3, 0.5], [0.6, 0], [0.9, 0], [0.9, 0])]


def _adapted(width: int = 3, **options: Any) -> TransferWrapper:
    spec = AdapterSpec(**(options or {"teacher": "linear"}))
    return _wrap({"adapted": _term(MSE, teacher(width=width), adapter=spec)}, {"adapted": ["layer"]})


def test_adapters_are_made_as_wide_as_what_the_taps_see() -> None:
    wrapper = _adapted()
    assert wrapper.lacks_adapters
    assert not len(wrapper.learned)
    wrapper.add_adapters(BATCH)
    assert not wrapper.lacks_adapters
    # (1, 1, 1) of the teacher to the 2 of the layer.
    assert [list(one.shape) for one in wrapper.learned.parameters()] == [[2, 3], [2]]
    assert len(_parts(wrapper)) == 2


def test_adapters_are_made_once() -> None:
    wrapper = _adapted()
    wrapper.add_adapters(BATCH)
    first = list(wrapper.learned.parameters())
    wrapper.add_adapters(BATCH)
    assert all(old is new for old, new in zip(first, wrapper.learned.parameters(), strict=True))


def test_each_tap_and_side_has_an_adapter_of_its_own() -> None:
    both = _term(MSE, teacher("users", width=3), teacher("items", width=4), adapter=AdapterSpec(student="linear"))
    wrapper = _wrap({"both": both}, {"both": {"users": ["layer", "user_embedding"], "items": ["item_embedding"]}})
    wrapper.add_adapters(BATCH)
    shapes = [list(one.shape) for one in wrapper.learned.parameters() if one.dim() == 2]
    assert shapes == [[3, 2], [3, 2], [4, 2]]


def test_the_gradient_reaches_adapters_and_model_and_not_the_vectors() -> None:
    wrapper = _adapted(student="mlp", teacher="linear", width=2)
    wrapper.add_adapters(BATCH)
    wrapper.model.calculate_loss(BATCH)[1].backward()
    assert all(one.grad is not None and one.grad.abs().sum() > 0 for one in wrapper.learned.parameters())
    assert wrapper.model.user_embedding.weight.grad.abs().sum() > 0
    given = wrapper._terms["adapted"].transfer._teachers["users"].vectors
    assert given.grad is None
    assert not given.requires_grad


def test_an_adapter_is_no_part_of_the_model() -> None:
    wrapper = _adapted()
    before = list(wrapper.model.state_dict())
    wrapper.add_adapters(BATCH)
    assert list(wrapper.model.state_dict()) == before
    assert {id(one) for one in wrapper.model.parameters()}.isdisjoint(id(one) for one in wrapper.learned.parameters())


def test_removed_outputs_leave_no_hook_and_no_adapter() -> None:
    wrapper = _adapted()
    wrapper.add_adapters(BATCH)
    wrapper.remove_outputs()
    assert not len(wrapper.learned)
    assert not wrapper.lacks_adapters
    assert not any(module._forward_hooks for module in wrapper.model.modules())
    assert wrapper.model.calculate_loss(BATCH).item() == MODEL_LOSS


@pytest.mark.parametrize("name", ["items", "keys", "train", "a loss"])
def test_a_loss_may_be_named_after_anything(name: str) -> None:
    spec = AdapterSpec(teacher="linear")
    wrapper = _wrap({name: _term(MSE, teacher(width=3), adapter=spec)}, {name: ["layer"]})
    wrapper.add_adapters(BATCH)
    assert len(list(wrapper.learned.parameters())) == 2


def test_the_only_loss_needs_no_name_for_its_adapter() -> None:
    wrapper = _wrap({"": _term(MSE, teacher(width=3), adapter=AdapterSpec(teacher="linear"))}, {"": ["layer"]})
    wrapper.add_adapters(BATCH)
    assert len(list(wrapper.learned.parameters())) == 2


# The formula of a loss that asks what was hidden: the mean of what the model made of these rows.
HIDDEN_MEAN = Loss("hidden_mean", lambda student, teacher: student.mean(), masks=True, contrasts=True)
EVERYONE = pairs(users=[1, 2, 3, 4, 5, 1, 0], items=[1, 2, 3, 4, 5, 6, 7])


def _masked(model: Recommender | None = None, **others: Term) -> TransferWrapper:
    masked = _term(HIDDEN_MEAN, mask=Mask({"users": ["user_embedding"]}, 0.5))
    taps = {"masked": ["layer"], **{name: ["user_embedding"] for name in others}}
    return _wrap({"masked": masked, **others}, taps, model=model)


def test_only_hidden_rows_count_and_they_come_from_the_token() -> None:
    torch.manual_seed(0)
    wrapper = _masked()
    (token,) = wrapper.learned.parameters()
    with torch.no_grad():
        token.copy_(torch.tensor([10.0, 30.0]))
    # The layer doubles the token: were a row that was not hidden among them, or the padding, the mean would be less.
    for _ in range(5):
        value = wrapper.model.calculate_loss(EVERYONE)[1]
        assert value.item() in (pytest.approx((20 + 60) / 2), 0.0)
    value.backward()
    # Half the sum of both columns, doubled by the layer.
    assert token.grad.tolist() == pytest.approx([1.0, 1.0])


def test_what_is_hidden_is_hidden_from_the_models_loss_and_from_all_other_losses() -> None:
    torch.manual_seed(0)
    seen: list[torch.Tensor] = []
    watched = Loss("watched", lambda student, teacher: seen.append(student.detach()) or student.sum())
    wrapper = _masked(watched=_term(watched))
    wrapper.model.calculate_loss(EVERYONE)
    # The token starts as zeros, and (u, 0) is nobody's but user u's.
    users, firsts = [1, 2, 3, 4, 5, 1], seen[0][:, 0].tolist()
    hidden = {user for user, first in zip(users, firsts, strict=True) if first == 0}
    assert 0 < len(hidden) < 5
    assert firsts == [0 if user in hidden else user for user in users]


def test_without_its_loss_nothing_is_hidden() -> None:
    wrapper = _wrap(
        {"masked": _term(HIDDEN_MEAN, mask=Mask({"users": ["user_embedding"]}, 0.5), weight=0.0), "table": _term()},
        {"masked": ["layer"], "table": ["user_embedding"]},
    )
    assert _parts(wrapper)[1:] == pytest.approx([0, OF_TABLE])


def test_an_error_in_a_masked_loss_leaves_the_table_as_it_was() -> None:
    model = Recommender()
    weight = model.user_embedding.weight
    with pytest.raises(IndexError):
        _masked(model).model.calculate_loss(pairs(users=[99], items=[1]))
    assert model.user_embedding.weight is weight


def test_two_losses_cannot_both_hide_rows() -> None:
    masked = _term(HIDDEN_MEAN, mask=Mask({"users": ["user_embedding"]}, 0.5))
    with pytest.raises(TransferError, match="two losses hide rows from the model; only one can say which"):
        TransferWrapper(Recommender(), FIELDS, {"a": masked, "b": masked}, 0.5)


def test_what_is_told_has_to_be_hidden() -> None:
    both = _term(HIDDEN_MEAN, teacher("users"), teacher("items"), mask=Mask({"users": ["user_embedding"]}, 0.5))
    with pytest.raises(TransferError, match="users would be hidden, and vectors of users and items were to be told"):
        TransferWrapper(Recommender(), FIELDS, {"a": both}, 0.5)


def test_a_row_occurs_once_where_rows_are_contrasted() -> None:
    counted: dict[str, int] = {}

    def counting(name: str, contrasts: bool) -> Loss:
        def formula(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
            counted[name] = len(student)
            return student.sum()

        return Loss(name, formula, contrasts=contrasts)

    terms = {name: _term(counting(name, contrasts)) for name, contrasts in (("once", True), ("each", False))}
    wrapper = _wrap(terms, {"once": ["layer"], "each": ["layer"]})
    wrapper.model.calculate_loss(pairs(users=[1, 2, 1, 1, 0], items=[3, 4, 5, 6, 7]))
    assert counted == {"once": 2, "each": 4}


def test_options_reach_the_formula() -> None:
    scaled = Loss("scaled", lambda student, teacher, *, factor=1.0: factor * (student - teacher).square().mean())
    wrapper = _wrap({"scaled": _term(scaled, options={"factor": 3.0})}, {"scaled": ["layer"]})
    assert _parts(wrapper)[1:] == pytest.approx([3 * OF_LAYER])


def test_a_tap_that_does_not_fire_is_told_of_the_loss_that_has_it() -> None:
    wrapper = _wrap({"table": _term(), "never": _term()}, {"table": ["user_embedding"], "never": ["unused"]})
    with pytest.raises(TapError, match=r"loss 'never': the tap 'unused' .* did not fire"):
        wrapper.model.calculate_loss(BATCH)
