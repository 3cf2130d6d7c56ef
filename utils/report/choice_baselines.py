"""Scores of candidates by which nothing is learnt: what a language model has to beat."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from utils.report.significance import Floats


def random_scores(candidates: NDArray[Any]) -> Floats:
    """Equal scores for all `candidates` [S, n]: their metrics are chance exactly, without drawing anything."""
    return np.zeros(candidates.shape)


def popularity_scores(candidates: NDArray[np.integer[Any]], train_counts: NDArray[np.integer[Any]]) -> Floats:
    """How often each of the `candidates` [S, n], item rows, was chosen in the train part: `train_counts` [n_items].

    ValueError for an item row that has no count, -1 among them.
    """
    outside = candidates[(candidates < 0) | (candidates >= len(train_counts))]
    if outside.size:
        raise ValueError(f"item row {outside[0]} among the candidates; there are counts of {len(train_counts):,} items")
    return train_counts[candidates].astype(np.float64)
