"""The learning rate over a training: a linear warm-up, then half a cosine down, or a constant."""

from __future__ import annotations

import math
from typing import Literal

Scheduler = Literal["cosine", "constant"]


def learning_rate(
    progress_epochs: float,
    *,
    epochs: float,
    peak: float,
    warmup_epochs: float,
    min_lr: float,
    lr_scheduler: Scheduler = "cosine",
) -> float:
    """The learning rate after `progress_epochs` of `epochs`, which may be fractions: 1.25 is a quarter into the second.

    It rises in proportion to the progress up to `peak` at `warmup_epochs`; then `cosine` falls to `min_lr` at the end
    of `epochs`, and `constant` stays, whatever `min_lr` is. A warm-up that is longer than the training is cut off.

    Source: G-Retriever (He et al., 2024), `adjust_learning_rate`; K-RagRec sets its parameters and never calls it.
    """
    if progress_epochs < warmup_epochs:
        return peak * progress_epochs / warmup_epochs
    if lr_scheduler == "constant" or epochs <= warmup_epochs:
        return peak
    share = (progress_epochs - warmup_epochs) / (epochs - warmup_epochs)
    return min_lr + (peak - min_lr) * 0.5 * (1 + math.cos(math.pi * share))


def mid_step(epoch: int, step: int, n_steps: int) -> float:
    """How many epochs have passed halfway through step `step` of `epoch`; both count from 0.

    At the start of steps the first would be one with a rate of 0, and so would be the last at their end where
    `min_lr` is 0.
    """
    return epoch + (step + 0.5) / n_steps
