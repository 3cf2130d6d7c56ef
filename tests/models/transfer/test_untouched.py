"""A model is what it was, whatever a loss has left in it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from models.transfer.untouched import untouched


class Busy(nn.Module):
    """Keeps all that RecBole's models keep between batches."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.BatchNorm1d(2)
        self.register_buffer("seen", torch.zeros(3))
        self.history = torch.zeros(4)
        self.counts = np.zeros(3)
        self.batches = 0
        self.order = [1, 2, 3]
        self.cached: torch.Tensor | None = None
        self.by_name = {"inner": [torch.zeros(2)]}

    def forward(self) -> None:
        self.layer(torch.randn(5, 2))
        self.seen += 1
        self.history[1] = 7
        self.counts[0] += 1
        self.batches += 1
        self.order.reverse()
        self.cached = torch.ones(2)
        self.by_name["inner"][0].add_(1)
        self.by_name["other"] = []
        self.new = "left over"
        with torch.no_grad():
            self.layer.weight.add_(1)
        self.eval()


def _content(model: Busy) -> list[object]:
    return [
        {name: value.tolist() for name, value in model.state_dict().items()},
        model.history.tolist(),
        model.counts.tolist(),
        (model.batches, model.order, model.cached, model.training, model.layer.training, hasattr(model, "new")),
        {name: [value.tolist() for value in values] for name, values in model.by_name.items()},
    ]


def test_all_that_a_loss_leaves_is_put_back() -> None:
    model = Busy()
    before, objects = _content(model), (model.history, model.order, model.by_name, model.seen, model.layer.weight)
    with untouched(model):
        model()
        assert _content(model) != before
    assert _content(model) == before
    after = (model.history, model.order, model.by_name, model.seen, model.layer.weight)
    assert all(old is new for old, new in zip(objects, after, strict=True))


def test_a_buffer_that_was_replaced_comes_back() -> None:
    model = Busy()
    seen = model.seen
    with untouched(model):
        model.seen = torch.ones(5)
    assert model.seen is seen


def test_an_error_inside_puts_everything_back() -> None:
    model = Busy()
    before = _content(model)
    with pytest.raises(IndexError), untouched(model):
        model.order.pop(model() or 99)
    assert _content(model) == before


def test_hooks_can_be_removed_afterwards() -> None:
    model = Busy()
    handle = model.layer.register_forward_hook(lambda *args: None)
    with untouched(model):
        model()
    handle.remove()
    assert not model.layer._forward_hooks


def test_what_cannot_be_written_to_is_left_alone() -> None:
    model = Busy()
    model.history = torch.zeros(1).expand(4)
    model.graph = torch.eye(3).to_sparse()
    with untouched(model):
        model.batches += 1
    assert model.batches == 0
    assert model.graph.to_dense().tolist() == torch.eye(3).tolist()
