"""The hybrid-expert adaptor against its equations, written out."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from models.kar.adaptor import HybridExpertAdaptor


def _adaptor(**changes: Any) -> HybridExpertAdaptor:
    torch.manual_seed(0)
    given: dict[str, Any] = {
        "widths": {"users": 3, "items": 3},
        "n_shared": 1,
        "n_dedicated": {"users": 2, "items": 1},
        "hidden_size": 4,
        "output_size": 5,
        **changes,
    }
    return HybridExpertAdaptor(**given)


def test_one_augmented_vector_comes_of_each_vector() -> None:
    adaptor = _adaptor()
    assert adaptor.adapt(torch.randn(7, 3), "users").shape == (7, 5)
    assert adaptor.adapt(torch.randn(6, 3), "items").shape == (6, 5)


def test_the_gate_weighs_shared_and_dedicated_experts_and_its_weights_sum_to_one() -> None:
    adaptor = _adaptor()
    assert adaptor.weights(torch.randn(7, 3), "users").shape == (7, 1 + 2)
    weights = adaptor.weights(torch.randn(7, 3), "items")
    assert weights.shape == (7, 1 + 1)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(7))


def test_the_experts_are_summed_by_the_softmax_of_the_gate() -> None:
    adaptor = _adaptor(widths={"users": 1}, n_shared=1, n_dedicated={"users": 1}, hidden_size=1, output_size=1)
    # e(r) = 2 relu(r) + 1 for the shared expert and 10 relu(-r) for the user's own; g(r) = (r, 2 r).
    _set(adaptor.shared[0], [1.0, 0.0, 2.0, 1.0])
    _set(adaptor.dedicated["user"][0], [-1.0, 0.0, 10.0, 0.0])
    with torch.no_grad():
        adaptor.gates["user"].weight.copy_(torch.tensor([[1.0], [2.0]]))
        adaptor.gates["user"].bias.zero_()
    shared, own = math.exp(3.0), math.exp(6.0)
    plus = (shared * (2 * 3 + 1) + own * 0) / (shared + own)
    shared, own = math.exp(-3.0), math.exp(-6.0)
    minus = (shared * 1 + own * 10 * 3) / (shared + own)
    torch.testing.assert_close(adaptor.adapt(torch.tensor([[3.0], [-3.0]]), "users"), torch.tensor([[plus], [minus]]))


def _set(expert: Any, values: list[float]) -> None:
    """Weight and bias of the hidden and of the last layer of an expert of width 1."""
    with torch.no_grad():
        for parameter, value in zip(expert.parameters(), values, strict=True):
            parameter.fill_(value)


def test_each_row_of_a_table_is_adapted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    adaptor, table = _adaptor(), torch.randn(6, 3)
    expected = torch.stack([adaptor.adapt(table[row].unsqueeze(0), "items")[0] for row in (5, 2, 5, 5, 1)])
    asked: list[int] = []
    adapt = adaptor.adapt
    monkeypatch.setattr(adaptor, "adapt", lambda vectors, side: (asked.append(len(vectors)), adapt(vectors, side))[1])
    torch.testing.assert_close(adaptor(table, torch.tensor([5, 2, 5, 5, 1]), "items"), expected)
    # Rows 1, 2 and 5.
    assert asked == [3]


def test_many_rows_are_adapted_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    adaptor, table = _adaptor(), torch.randn(7, 3)
    whole = adaptor(table, torch.arange(7), "users")
    monkeypatch.setattr("models.kar.adaptor._BLOCK_ROWS", 3)
    torch.testing.assert_close(adaptor(table, torch.arange(7), "users"), whole)


def test_shared_experts_learn_from_both_sides_and_dedicated_ones_from_their_own() -> None:
    adaptor = _adaptor()
    adaptor.adapt(torch.randn(4, 3), "users").sum().backward()
    learning = {name.rsplit(".", 2)[0] for name, parameter in adaptor.named_parameters() if parameter.grad is not None}
    assert learning == {"shared.0", "dedicated.user.0", "dedicated.user.1", "gates"}
    assert adaptor.gates["item"].weight.grad is None


def test_one_side_is_enough() -> None:
    adaptor = _adaptor(widths={"items": 3}, n_dedicated={"items": 1})
    assert adaptor.adapt(torch.randn(2, 3), "items").shape == (2, 5)


def test_without_shared_experts_the_sides_may_differ_in_width() -> None:
    adaptor = _adaptor(widths={"users": 3, "items": 6}, n_shared=0)
    assert adaptor.adapt(torch.randn(2, 6), "items").shape == (2, 5)


def test_a_shared_expert_cannot_read_two_widths() -> None:
    expected = "those of users are 3 and those of items are 6 wide; bring them to one width"
    with pytest.raises(ValueError, match=expected):
        _adaptor(widths={"users": 3, "items": 6})


def test_a_side_needs_an_expert() -> None:
    with pytest.raises(ValueError, match="items have no expert"):
        _adaptor(n_shared=0, n_dedicated={"users": 2, "items": 0})
