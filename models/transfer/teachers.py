"""Knowledge vectors in a recommender's row order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import torch

Side = Literal["users", "items"]
Control = Literal["none", "random", "shuffled"]


@dataclass(frozen=True)
class Teacher:
    """Vectors of one side, aligned with the recommender's rows.

    vectors: [n_rows, dim], float32, zero where there is none; row 0 is RecBole's padding.
    present: [n_rows], whether a row has a vector; the loss skips the others.
    source: where the vectors came from, for messages.
    control: what they are in place of knowledge: random, or shuffled; none for knowledge itself.
    """

    side: Side
    vectors: torch.Tensor
    present: torch.Tensor
    source: str
    control: Control = "none"

    @property
    def width(self) -> int:
        return self.vectors.shape[1]

    @cached_property
    def complete(self) -> bool:
        """Whether every row but the padding has a vector."""
        return bool(self.present[1:].all())

    def to(self, device: torch.device) -> Teacher:
        """The same teacher on another device; no gradient reaches its vectors."""
        return replace(self, vectors=self.vectors.detach().to(device), present=self.present.to(device))
