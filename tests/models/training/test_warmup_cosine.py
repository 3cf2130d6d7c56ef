"""The learning rate rises to its peak and falls to its minimum, at rates that can be worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest

from models.training.warmup_cosine import learning_rate, mid_step

PLAN: dict[str, Any] = {"epochs": 3, "peak": 1.0, "warmup_epochs": 1, "min_lr": 0.2}


@pytest.mark.parametrize(
    ("progress", "rate"),
    [
        (0.25, 0.25),
        (0.5, 0.5),
        (1, 1.0),
        # Half the cosine's way: between the peak and the minimum.
        (2, (1.0 + 0.2) / 2),
        # A quarter of it: cos(45 degrees) = sqrt(1/2).
        (1.5, 0.2 + 0.8 * 0.5 * (1 + math.sqrt(0.5))),
        (3, 0.2),
    ],
)
def test_a_warm_up_in_proportion_then_half_a_cosine(progress: float, rate: float) -> None:
    assert learning_rate(progress, **PLAN) == pytest.approx(rate)


@pytest.mark.parametrize(("progress", "rate"), [(0.25, 0.25), (1, 1.0), (2, 1.0), (3, 1.0)])
def test_constant_keeps_the_warm_up_and_no_minimum(progress: float, rate: float) -> None:
    assert learning_rate(progress, **PLAN, lr_scheduler="constant") == rate


def test_a_warm_up_may_be_a_fraction_of_an_epoch_or_nothing() -> None:
    assert learning_rate(0.1, **PLAN | {"warmup_epochs": 0.4}) == pytest.approx(0.1 / 0.4)
    assert learning_rate(0, **PLAN | {"warmup_epochs": 0}) == 1.0


@pytest.mark.parametrize("warmup_epochs", [3, 6])
def test_a_training_may_end_within_its_warm_up(warmup_epochs: int) -> None:
    assert learning_rate(3, **PLAN | {"warmup_epochs": warmup_epochs}) == 3 / warmup_epochs


@pytest.mark.parametrize("n_steps", [1, 4])
@pytest.mark.parametrize("warmup_epochs", [0, 0.1, 1, 3])
def test_no_step_has_a_rate_of_zero(n_steps: int, warmup_epochs: float) -> None:
    plan = PLAN | {"warmup_epochs": warmup_epochs, "min_lr": 0.0}
    rates = [learning_rate(mid_step(epoch, step, n_steps), **plan) for epoch in range(3) for step in range(n_steps)]
    assert 0 < min(rates) <= max(rates) <= 1


def test_steps_are_counted_at_their_middle() -> None:
    assert [mid_step(1, step, 4) for step in range(4)] == [1 + 1 / 8, 1 + 3 / 8, 1 + 5 / 8, 1 + 7 / 8]
