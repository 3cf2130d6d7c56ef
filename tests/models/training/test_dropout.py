"""The mask drops as often as it was told, scales what it keeps, and reaches the gradient."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.training.dropout import Dropout, replace_dropout


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5, 0.9])
def test_entries_are_dropped_with_p_and_the_mean_is_kept(p: float) -> None:
    torch.manual_seed(0)
    kept = Dropout(p)(torch.ones(1001, 999))
    # Of a million entries the share deviates by 0.0005 at most in one standard deviation.
    assert abs(float((kept == 0).float().mean()) - p) < 4 * 0.0005
    # The scale is 1 / (1 - p), for p to the nearest 1 / 65,536.
    assert set(kept.unique().tolist()) == {0.0, float(torch.tensor(65536 / (65536 - round(65536 * p))))}


def test_neighbours_that_share_a_draw_are_independent() -> None:
    torch.manual_seed(0)
    dropped = (Dropout(0.5)(torch.ones(200_000, 4)) == 0).double()
    correlations = torch.corrcoef(dropped.T) - torch.eye(4)
    # 1 / sqrt(200,000) = 0.0022 is one standard deviation.
    assert float(correlations.abs().max()) < 5 * 0.0023


def test_the_gradient_is_the_mask() -> None:
    x = torch.randn(50, 7, requires_grad=True)
    out = Dropout(0.3)(x)
    out.sum().backward()
    torch.testing.assert_close(x.grad * x.detach(), out.detach())


@pytest.mark.parametrize(("p", "training"), [(0.5, False), (0.0, True)])
def test_nothing_is_dropped_in_evaluation_or_at_zero(p: float, training: bool) -> None:
    x = torch.randn(3, 5)
    assert torch.equal(Dropout(p).train(training)(x), x)


def test_everything_is_dropped_at_one() -> None:
    assert torch.equal(Dropout(1.0)(torch.ones(3)), torch.zeros(3))


def test_the_same_seed_gives_the_same_mask() -> None:
    torch.manual_seed(4)
    first = Dropout(0.5)(torch.ones(100))
    torch.manual_seed(4)
    assert torch.equal(Dropout(0.5)(torch.ones(100)), first)


def test_it_takes_the_place_of_torchs_and_looks_alike() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Dropout(0.2)))
    before = str(model)
    replace_dropout(model)
    assert isinstance(model[1][0], Dropout)
    assert str(model) == before
