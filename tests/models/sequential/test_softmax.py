"""The softmax over a catalogue is torch's cross-entropy, in pieces or over a sample."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from models.sequential.softmax import full_softmax, sampled_softmax

ROWS, ITEMS, WIDTH = 7, 11, 4


def _case(dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    hidden = torch.randn(ROWS, WIDTH, generator=random, dtype=dtype, requires_grad=True)
    items = torch.randn(ITEMS, WIDTH, generator=random, dtype=dtype, requires_grad=True)
    return hidden, items, torch.randint(ITEMS, (ROWS,), generator=random)


@pytest.mark.parametrize("at_once", [1, 2 * ITEMS, 3 * ITEMS + 1, 10_000], ids=["1 row", "2 rows", "3 rows", "all"])
def test_value_and_gradients_are_those_of_cross_entropy_however_it_is_divided(at_once: int) -> None:
    hidden, items, targets = _case(torch.float32)
    loss = full_softmax(hidden, items, targets, at_once)
    found = torch.autograd.grad(3 * loss, (hidden, items))
    expected = functional.cross_entropy(hidden @ items.T, targets)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(found, torch.autograd.grad(3 * expected, (hidden, items)))


def test_without_gradients_the_value_is_the_same() -> None:
    hidden, items, targets = _case(torch.float32)
    with torch.no_grad():
        assert torch.equal(full_softmax(hidden, items, targets), full_softmax(*_case(torch.float32)))


def test_large_logits_do_not_overflow() -> None:
    hidden, items, targets = _case(torch.float32)
    loss = full_softmax(1000 * hidden, items, targets)
    torch.testing.assert_close(loss, functional.cross_entropy(1000 * hidden @ items.T, targets))
    assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(loss, (hidden, items)))


def test_no_row_is_no_loss() -> None:
    hidden, items, targets = _case(torch.float32)
    loss = full_softmax(hidden[:0], items, targets[:0])
    assert float(loss) == 0
    assert torch.equal(torch.autograd.grad(loss, items)[0], torch.zeros(ITEMS, WIDTH))


def test_a_sample_of_everything_else_is_the_full_softmax() -> None:
    hidden, items, _ = _case()
    targets = torch.full((ROWS,), 3)
    others = torch.tensor([item for item in range(ITEMS) if item != 3])
    torch.testing.assert_close(
        sampled_softmax(hidden, items, targets, others).double(),
        functional.cross_entropy(hidden @ items.T, targets),
    )


def test_a_rows_own_target_among_the_negatives_counts_once() -> None:
    hidden, items, targets = _case()
    negatives = torch.tensor([1, 2])
    with_own = torch.cat([negatives, targets.unique()])
    one_row = sampled_softmax(hidden[:1], items, targets[:1], torch.cat([negatives, targets[:1]]))
    if int(targets[0]) not in (1, 2):
        torch.testing.assert_close(one_row, sampled_softmax(hidden[:1], items, targets[:1], negatives))
    assert sampled_softmax(hidden, items, targets, with_own).isfinite()
