"""Weights of a transfer loss over the epochs of a training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["constant", "linear", "cosine", "warmup", "stop"]

# The fields that each kind reads, in the order in which they are told.
READS: Mapping[Kind, tuple[str, ...]] = {
    "constant": ("value",),
    "linear": ("start", "end", "epochs"),
    "cosine": ("start", "end", "epochs"),
    "warmup": ("value", "epochs"),
    "stop": ("value", "epochs"),
}


@dataclass(frozen=True)
class Schedule:
    """How a weight changes; which of the fields count is in READS.

    linear and cosine go from `start` in epoch 0 to `end` in epoch `epochs`, which then holds; warmup rises to `value`
    in `epochs` equal steps, the first of them in epoch 0; stop is `value` for `epochs` epochs and 0 after.
    """

    kind: Kind
    value: float = 0.0
    start: float = 0.0
    end: float = 0.0
    epochs: int = 1

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"a schedule takes 1 epoch at least, not {self.epochs}")


def weight_at(schedule: Schedule, epoch: int) -> float:
    """The weight in that epoch, counted from 0."""
    done = min(1.0, epoch / schedule.epochs)
    if schedule.kind == "linear":
        return (1 - done) * schedule.start + done * schedule.end
    if schedule.kind == "cosine":
        return schedule.end + (schedule.start - schedule.end) * (1 + math.cos(math.pi * done)) / 2
    if schedule.kind == "warmup":
        return schedule.value * min(1.0, (epoch + 1) / schedule.epochs)
    if schedule.kind == "stop":
        return schedule.value if epoch < schedule.epochs else 0.0
    return schedule.value
