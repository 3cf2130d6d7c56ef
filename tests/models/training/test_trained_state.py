"""What is trained is told from what is frozen, and is put back whole or not at all."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.training.trained_state import copied, misfit, put_in, random_states, set_random_states, trained_state


def test_it_is_trained_parameters_and_the_statistics_of_normalisations() -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3, affine=False), nn.Linear(3, 1))
    module[0].requires_grad_(False)
    module[1].register_buffer("constant", torch.ones(1), persistent=False)
    assert list(trained_state(module)) == [
        "1.running_mean",
        "1.running_var",
        "1.num_batches_tracked",
        "2.weight",
        "2.bias",
    ]


def test_it_refers_to_the_modules_own_tensors_and_a_copy_does_not() -> None:
    module = nn.Linear(1, 1)
    state, copy = trained_state(module), copied(trained_state(module))
    put_in(state, {"weight": torch.tensor([[7.0]]), "bias": torch.tensor([8.0])})
    assert (module.weight.item(), module.bias.item()) == (7, 8)
    assert copy["weight"].item() != 7


def test_another_precision_is_put_in_and_the_own_one_kept() -> None:
    own = {"a": torch.zeros(2, dtype=torch.bfloat16)}
    put_in(own, {"a": torch.tensor([1.0, 0.5])})
    assert own["a"].dtype == torch.bfloat16
    assert own["a"].tolist() == [1, 0.5]


def test_a_misfit_names_five_of_each_kind_and_counts_the_rest() -> None:
    own = {**{f"m{i}": torch.zeros(1) for i in range(7)}, "s": torch.zeros(2, 3), "k": torch.zeros(1)}
    found = {"s": torch.zeros(3, 2), "k": torch.zeros(1, dtype=torch.int64), "u": torch.zeros(1)}
    assert misfit(own, found) == (
        "7 missing: m0, m1, m2, m3, m4 and 2 more; 1 unexpected: u; "
        "1 of another shape: s is [3, 2] there and [2, 3] here; "
        "1 of another kind: k is torch.int64 there and torch.float32 here"
    )


def test_a_misfit_changes_nothing() -> None:
    own = {"a": torch.zeros(1), "b": torch.zeros(1)}
    with pytest.raises(ValueError, match="1 missing: b"):
        put_in(own, {"a": torch.ones(1)})
    assert own["a"].item() == 0


def test_the_generators_go_on_where_they_were() -> None:
    states = random_states()
    drawn = torch.rand(3)
    set_random_states(states)
    assert torch.equal(torch.rand(3), drawn)
