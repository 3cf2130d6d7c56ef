"""A model as it was, whatever a block of code does to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Put back what the block changes in a model, in place or by a new value: weights, buffers, counters, caches.

    Sparse tensors and objects of other classes (a dataset, a generator) are put back as they are, not their content.
    """
    found: dict[int, Callable[[], None]] = {}
    for module in model.modules():
        _remember(vars(module), found)
    try:
        yield
    finally:
        for put_back in found.values():
            put_back()


def _remember(value: Any, found: dict[int, Callable[[], None]]) -> None:
    """Add to `found`, by identity, how to put back this value and what it holds."""
    if id(value) in found:
        return
    if isinstance(value, torch.Tensor):
        if value.layout == torch.strided:
            found[id(value)] = partial(_copy_back, value, value.detach().clone())
    elif isinstance(value, np.ndarray):
        found[id(value)] = partial(np.copyto, value, value.copy())
    elif isinstance(value, dict):
        found[id(value)] = partial(_refill, value, dict(value))
        for inner in value.values():
            _remember(inner, found)
    elif isinstance(value, list):
        found[id(value)] = partial(value.__setitem__, slice(None), list(value))
        for inner in value:
            _remember(inner, found)
    elif isinstance(value, tuple):
        for inner in value:
            _remember(inner, found)


def _copy_back(tensor: torch.Tensor, before: torch.Tensor) -> None:
    # One that was only read may be a view that cannot be written to.
    if not torch.equal(tensor, before):
        with torch.no_grad():
            tensor.copy_(before)


def _refill(mapping: dict[Any, Any], before: dict[Any, Any]) -> None:
    # The same dict: torch's hooks are removed through it.
    mapping.clear()
    mapping.update(before)
