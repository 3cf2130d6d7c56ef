"""The softmax over a catalogue: cross-entropy of many rows against all items, or against a shared sample of them."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

# Rows of logits that are held at once: enough for the matrix products to be fast, few enough for the cache.
_LOGITS_AT_ONCE = 2**20


class _FullSoftmax(torch.autograd.Function):
    """Cross-entropy whose logits live for one chunk only: their gradient is taken on the way forward."""

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, items: torch.Tensor, targets: torch.Tensor, at_once: int
    ) -> torch.Tensor:
        needs_gradient = any(ctx.needs_input_grad[:2])
        to_hidden = torch.empty_like(hidden) if needs_gradient else None
        to_items = torch.zeros_like(items) if needs_gradient else None
        total = hidden.new_zeros((), dtype=torch.float32)
        count = max(len(targets), 1)
        rows = max(at_once // len(items), 1)
        table = items.to(hidden.dtype)
        for start in range(0, len(targets), rows):
            chunk, wanted = hidden[start : start + rows], targets[start : start + rows]
            logits = (chunk @ table.T).float()
            places = wanted.unsqueeze(1)
            highest = logits.amax(dim=1, keepdim=True)
            chosen = logits.gather(1, places) - highest
            weights = logits.sub_(highest).exp_()
            sums = weights.sum(dim=1, keepdim=True)
            total += (sums.log() - chosen).sum()
            if to_hidden is not None and to_items is not None:
                # d loss / d logits = (softmax - one hot of the target) / number of rows
                weights.div_(sums * count)
                weights.scatter_add_(1, places, torch.full_like(chosen, -1 / count))
                weights = weights.to(hidden.dtype)
                to_hidden[start : start + rows] = weights @ table
                to_items += weights.T @ chunk
        if needs_gradient:
            ctx.save_for_backward(to_hidden, to_items)
        return total / count

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[Any, ...]:
        to_hidden, to_items = ctx.saved_tensors
        return to_hidden * gradient, to_items * gradient, None, None


def full_softmax(
    hidden: torch.Tensor, items: torch.Tensor, targets: torch.Tensor, at_once: int = _LOGITS_AT_ONCE
) -> torch.Tensor:
    """Mean cross-entropy of `hidden` [n, dim] against all `items` [n_items, dim] for `targets` [n]; 0 for no row.

    The same value and gradients as `cross_entropy(hidden @ items.T, targets)` without the logits [n, n_items] in
    memory: at most `at_once` of them at a time, at least those of one row.
    """
    return _FullSoftmax.apply(hidden, items, targets, at_once)


def sampled_softmax(
    hidden: torch.Tensor, items: torch.Tensor, targets: torch.Tensor, negatives: torch.Tensor
) -> torch.Tensor:
    """Mean cross-entropy of `hidden` [n, dim] against its target and the same `negatives` [k] for all rows.

    A negative that is a row's own target does not count for this row. There is no correction for how the
    negatives were drawn, so uniform ones are meant.
    """
    own = (hidden * items.index_select(0, targets)).sum(dim=1, keepdim=True)
    others = hidden @ items.index_select(0, negatives).T
    others = others.masked_fill(targets.unsqueeze(1) == negatives, float("-inf"))
    logits = torch.cat([own, others], dim=1).float()
    return functional.cross_entropy(logits, targets.new_zeros(len(targets)))
