"""Popularity selective retrieval: which items of a history are rare enough to ask the graph about."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Literal

import numpy as np

Policy = Literal["per_user", "global"]


def selected(
    histories: np.ndarray, popularity: np.ndarray, token_order: np.ndarray, how: Policy, threshold: float
) -> np.ndarray:
    """The rare items of histories [S, L] of item rows, -1 where there is none, as [S, at most L] int32, rarest first.

    popularity [n_items]: users of the train part; token_order [n_items]: decides between equally popular ones.
    Each item counts once, however often a history holds it. threshold, p, is above 0 and at most 1.

    per_user: the max(1, floor(p * items)) least popular of each history.
    global: those no more popular than the p-quantile of all items, which is the smallest popularity that a share p of
    the items or more do not exceed; of a history without one, the least popular item.

    A language model knows the popular items by itself (Wang et al., K-RagRec, ACL 2025, arXiv 2501.02226, section 3.4).
    """
    n_items = len(popularity)
    by_rarity = np.lexsort((token_order, popularity)).astype(np.int32)
    # The place n_items is that of no item: behind all others, and -1 once it is looked up.
    place_of = np.full(n_items + 1, n_items, dtype=np.int32)
    place_of[by_rarity] = np.arange(n_items, dtype=np.int32)
    places = np.sort(place_of[histories], axis=1)
    places[:, 1:][places[:, 1:] == places[:, :-1]] = n_items
    places.sort(axis=1)
    lengths = (places < n_items).sum(axis=1)
    # As a decimal, as it was written: 0.29 * 100 is a little less than 29 in floating point.
    share = Fraction(str(float(threshold)))
    if how == "per_user":
        kept = np.array([max(1, math.floor(share * length)) for length in range(histories.shape[1] + 1)])[lengths]
    else:
        ceiling = popularity[by_rarity[math.ceil(share * n_items) - 1]]
        n_rare = np.searchsorted(popularity[by_rarity], ceiling, side="right")
        kept = np.maximum(1, (places < n_rare).sum(axis=1))
    width = int(kept.max(initial=0))
    chosen = np.where(np.arange(width) < kept[:, None], places[:, :width], n_items)
    return np.append(by_rarity, np.int32(-1))[chosen]
