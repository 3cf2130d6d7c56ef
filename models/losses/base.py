"""What a transfer loss is: a pure function of student and teacher rows, found by its YAML name."""

from __future__ import annotations

from collections.abc import Callable

import torch

from utils.registry import Registry

# (student [n, dim], teacher [n, dim]) -> scalar; no gradient flows into the teacher.
Formula = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

LOSSES: Registry[Formula] = Registry("loss", package="models.losses")


def loss(name: str) -> Callable[[Formula], Formula]:
    """Decorator that makes a formula usable as `distil_loss: name`."""
    return LOSSES.register(name)
