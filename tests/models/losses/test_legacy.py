"""LLM-KT's losses: its names as data, and classes that its users wrote, unchanged."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from models.losses.legacy import LEGACY_LOSSES, DistilLosses
from models.transfer.wrapper import Facts, Term, TransferError, TransferWrapper
from tests.models.transfer.world import FIELDS, Batch, Recommender, pairs, teacher

BATCH = pairs(users=[1, 2], items=[3, 4])
# Users 1 and 2 are (1, 0) and (2, 0); the layer doubles them; all vectors are (1, 1).
INPUT = math.sqrt(((1 - 1) ** 2 + 1 + (2 - 1) ** 2 + 1) / 4)
OUTPUT = math.sqrt(((2 - 1) ** 2 + 1 + (4 - 1) ** 2 + 1) / 4)
FACTS = Facts({"llm_config": {"use_user_emb": True}}, SimpleNamespace(user_num=6, item_num=9))


def _transfer(loss: Any, selectors: list[int | str], batch: Batch = BATCH, width: int = 2, **options: Any) -> float:
    model = Recommender()
    wrapper = TransferWrapper(model, FIELDS, {"": Term(loss, [teacher(width=width)], **options)}, 1.0, FACTS)
    wrapper.set_outputs(selectors)
    value = model.calculate_loss(batch)[1]
    wrapper.remove_outputs()
    return float(value.detach())


@pytest.mark.parametrize(
    ("name", "tap", "expected"),
    [
        ("NeumfUserRMSE", 4, OUTPUT),
        ("AutoIntUserRMSE", 4, INPUT),
        ("MultiVAEUserRMSE", 4, INPUT),
        ("SimpleXUserRMSE", 4, INPUT),
        # Users' rows of the stacked tables are the inputs of the layer.
        ("NGCFUserRMSE", "stacked", INPUT),
        # cos((1, 0), (1, 1)) = cos((2, 0), (1, 1)) = 1/√2.
        ("LightGCNUserCosSim", "tables", 1 - 1 / math.sqrt(2)),
    ],
)
def test_each_of_llm_kts_names_computes_what_its_class_did(name: str, tap: int | str, expected: float) -> None:
    assert _transfer(LEGACY_LOSSES[name], [tap]) == pytest.approx(expected)


def test_all_names_are_tested() -> None:
    assert len(LEGACY_LOSSES) == 6


def test_llm_kts_autoencoder_took_rows_for_the_batchs_even_if_the_batch_is_all_users() -> None:
    batch = pairs(users=[5, 4, 3, 2, 1, 0], items=[1] * 6)
    # Rows in the batch's order are (5, 0), ..., (1, 0), whoever they belong to; padding is left out.
    expected = math.sqrt(sum((user - 1) ** 2 + 1 for user in range(1, 6)) / 10)
    assert _transfer(LEGACY_LOSSES["MultiVAEUserRMSE"], [4], batch) == pytest.approx(expected)


class OutputRMSE(DistilLosses):
    """As LLM-KT's users write them."""

    def __init__(self, model, users_file=None, items_file=None):
        super().__init__(model, users_file, items_file)
        self.n_users = model.dataset.user_num

    def __call__(self, hidden_out, interaction):
        user = interaction[self.model.USER_ID]
        layer = list(hidden_out.keys())[0]  # noqa: RUF015
        out = hidden_out[layer]["output"][0]
        return self.rmse(out, self.llm_user_emb[user])


class InputRMSE(DistilLosses):
    def __call__(self, hidden_out, interaction):
        layer = list(hidden_out.keys())[0]  # noqa: RUF015
        return self.rmse(hidden_out[layer]["input"][0][0], self.llm_user_emb[interaction[self.model.USER_ID]])


class SplitRMSE(DistilLosses):
    """NGCF's: the users' rows of both tables."""

    def __init__(self, model, users_file=None, items_file=None):
        super().__init__(model, users_file, items_file)
        self.n_users, self.n_items = model.n_users, model.n_items

    def __call__(self, hidden_out, interaction):
        layer = list(hidden_out.keys())[0]  # noqa: RUF015
        users, _ = torch.split(hidden_out[layer]["output"][0], [self.n_users, self.n_items])
        user = interaction[self.model.USER_ID]
        return self.rmse(users[user], self.llm_user_emb[user])


class CosineOfAll(DistilLosses):
    """Everything that a class may look at."""

    def __call__(self, hidden_out, interaction):
        assert self.llm_config == {"use_user_emb": True}
        assert self.model.dataset.item_num == 9
        assert self.model.config["llm_config"] is self.llm_config
        assert (self.llm_users_emb_file, self.llm_items_emb_file) == ("users2.pt", None)
        assert self.llm_item_emb is None
        user = interaction[self.model.USER_ID]
        costs = [
            self.cossim(calls["output"][0], self.llm_user_emb[user])
            + self.mse(calls["output"][0], self.llm_user_emb[user])
            for calls in hidden_out.values()
        ]
        return sum(costs) / len(costs)


@pytest.mark.parametrize(
    ("loss", "tap", "expected"),
    [
        (OutputRMSE, 4, OUTPUT),
        (InputRMSE, 4, INPUT),
        (SplitRMSE, "stacked", INPUT),
        (CosineOfAll, "*_embeddin?", None),
    ],
)
def test_a_users_own_class_runs_unchanged(loss: type[DistilLosses], tap: int | str, expected: float | None) -> None:
    if expected is None:
        # Users are (1, 0) and (2, 0) and items (0, 3) and (0, 4): all at 45 degrees to (1, 1).
        users, items = INPUT**2, ((0 - 1) ** 2 + (3 - 1) ** 2 + (0 - 1) ** 2 + (4 - 1) ** 2) / 4
        expected = 1 - 1 / math.sqrt(2) + (users + items) / 2
    assert _transfer(loss, [tap]) == pytest.approx(expected)


def test_two_methods_of_one_module_are_two_layers() -> None:
    class Count(DistilLosses):
        def __call__(self, hidden_out: Any, interaction: Any) -> torch.Tensor:
            assert list(hidden_out) == ["forward", "tables"]
            return hidden_out["forward"]["output"][0][0].sum()

    assert _transfer(Count, ["forward", "tables"]) == 2 * 1 + 2 * 2


def test_particular_reaches_a_class_of_ones_own() -> None:
    # Only the first column: users 1 and 2 doubled, against 1.
    expected = math.sqrt(((2 - 1) ** 2 + (4 - 1) ** 2) / 2)
    assert _transfer(OutputRMSE, [4], width=1, particular=True) == pytest.approx(expected)


def test_its_gradient_reaches_the_model() -> None:
    model = Recommender()
    wrapper = TransferWrapper(model, FIELDS, {"": Term(OutputRMSE, [teacher()])}, 0.5, FACTS)
    wrapper.set_outputs(["layer"])
    model.calculate_loss(BATCH)[1].backward()
    assert model.layer.weight.grad is not None
    assert model.layer.weight.grad.abs().sum() > 0


def test_rows_without_vectors_are_refused_as_such_a_class_cannot_skip_them() -> None:
    with pytest.raises(
        TransferError, match=r"OutputRMSE cannot skip rows, and 2 of 5 users have no vector in users2.pt"
    ):
        TransferWrapper(Recommender(), FIELDS, {"": Term(OutputRMSE, [teacher(without=(2, 3))])}, 0.5, FACTS)


@pytest.mark.parametrize("value", [1.0, torch.ones(2), None])
def test_what_is_no_scalar_tensor_is_no_loss(value: Any) -> None:
    class Wrong(DistilLosses):
        def __call__(self, hidden_out: Any, interaction: Any) -> Any:
            return value

    with pytest.raises(TransferError, match=r"Wrong returned .*; a loss is a scalar tensor"):
        _transfer(Wrong, ["layer"])


def test_a_class_without_a_call_says_so() -> None:
    class Empty(DistilLosses):
        pass

    with pytest.raises(NotImplementedError, match="Empty has no __call__"):
        _transfer(Empty, ["layer"])


@pytest.mark.parametrize("tap", ["layer:input", "layer#1", "layer[0]"])
def test_a_tap_cannot_choose_for_a_class_that_chooses_itself(tap: str) -> None:
    with pytest.raises(TransferError, match=r"OutputRMSE reads calls and values of .* itself; tap 'layer'"):
        _transfer(OutputRMSE, [tap])


def test_a_tap_that_did_not_fire_is_an_error_here_too() -> None:
    with pytest.raises(ValueError, match="did not fire"):
        _transfer(OutputRMSE, ["unused"])
