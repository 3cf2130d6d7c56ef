"""Samples: for each, which item follows on a history, as rows of items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Split = Literal["train", "valid", "test"]


@dataclass(frozen=True)
class Samples:
    """The S questions of one split: which item follows on this history?

    users [S]: the token of each one's user; in train a user occurs several times, the oldest target first.
    targets [S] int32: the item that followed, a place in `Histories.item_tokens`.
    histories [S, length] int32: what was liked before, oldest first, -1 after the last; none is empty.
    """

    split: Split
    users: tuple[str, ...]
    targets: np.ndarray
    histories: np.ndarray
