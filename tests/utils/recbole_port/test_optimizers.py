"""Fused optimizers take the steps of torch's plain ones to rounding; so do sparse gradients those of dense ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn, optim

from utils.recbole_port.optimizers import fuse, make_sparse

OPTIMIZERS: dict[str, Callable[..., optim.Optimizer]] = {
    "adam": optim.Adam,
    "adamw": optim.AdamW,
    "sgd": optim.SGD,
    "adagrad": optim.Adagrad,
}


def _trained(optimizer: Callable[[Any], optim.Optimizer], sparse: bool = False) -> torch.Tensor:
    torch.manual_seed(0)
    table = nn.Embedding(50, 4, sparse=sparse)
    steps = optimizer(table.parameters())
    for _ in range(20):
        steps.zero_grad()
        ids = torch.randint(50, (6,))
        (table(ids) ** 2).sum().backward()
        steps.step()
    return table.weight.detach()


@pytest.mark.parametrize("decay", [0.0, 0.01])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_fused_steps_are_the_plain_ones_to_rounding(name: str, decay: float) -> None:
    make = OPTIMIZERS[name]
    plain = _trained(lambda weights: make(weights, lr=0.05, weight_decay=decay))
    fused = _trained(lambda weights: fuse(make(weights, lr=0.05, weight_decay=decay)))
    torch.testing.assert_close(fused, plain, rtol=1e-5, atol=1e-6)


def test_an_optimizer_without_fused_kernels_stays_as_it_is() -> None:
    optimizer = optim.RMSprop(nn.Linear(2, 2).parameters(), lr=0.1)
    assert not fuse(optimizer).param_groups[0].get("fused")


@pytest.mark.parametrize("name", ["sgd", "adagrad"])
def test_sparse_gradients_take_the_same_steps(name: str) -> None:
    make = OPTIMIZERS[name]
    dense = _trained(lambda weights: make(weights, lr=0.05))
    sparse = _trained(lambda weights: make(weights, lr=0.05), sparse=True)
    # Rows that occur twice in a batch are added up in another order.
    torch.testing.assert_close(sparse, dense, rtol=1e-5, atol=1e-6)


def test_the_next_optimizer_finds_dense_gradients_again() -> None:
    config = {"learner": "sgd", "weight_decay": 0.0, "clip_grad_norm": None, "train_batch_size": 10}
    table = nn.Embedding(100, 2)
    make_sparse(table, config)
    make_sparse(table, {**config, "learner": "adam"})
    assert not table.sparse


@pytest.mark.parametrize(
    ("settings", "sparse"),
    [
        ({"learner": "sgd"}, True),
        ({"learner": "Adagrad"}, True),
        ({"learner": "adam"}, False),
        ({"learner": "sgd", "weight_decay": 0.1}, False),
        ({"learner": "sgd", "clip_grad_norm": {"max_norm": 1}}, False),
        ({"learner": "sgd", "train_batch_size": 50}, False),
    ],
)
def test_tables_are_sparse_where_that_is_exact_and_they_are_large(settings: dict[str, Any], sparse: bool) -> None:
    config = {"learner": "adam", "weight_decay": 0.0, "clip_grad_norm": None, "train_batch_size": 10, **settings}
    model = nn.ModuleDict({"large": nn.Embedding(100, 2), "small": nn.Embedding(20, 2)})
    make_sparse(model, config)
    assert (model["large"].sparse, model["small"].sparse) == (sparse, False)
