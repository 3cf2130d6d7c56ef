"""Test metrics by slice of items and users: where a model is good, by RecBole's own metrics.

A slice of items changes what is relevant and never the ranking: a row's relevant items are those of its test items
that are in the slice, and rows without any are left out. A slice of users is a choice of rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from utils.recbole_port.by_row import ByRow, values_of
from utils.slice_names import COLD_ITEMS, COLD_USERS, DECILES, ROWS, WARM_ITEMS, WARM_USERS


@dataclass(frozen=True)
class Slices:
    """Name -> whether each user [n_users] or item [n_items] is in the slice, by RecBole's rows."""

    users: Mapping[str, np.ndarray]
    items: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Sliced:
    """The metrics of one slice: which rows [n_rows] it has, their averages, and their values [rows of the slice]."""

    rows: np.ndarray
    averages: Mapping[str, float]
    values: Mapping[str, np.ndarray]

    def facts(self) -> dict[str, float]:
        """How many rows there are, and the averages; none of no rows."""
        return {ROWS: int(self.rows.sum()), **self.averages}


def slices_by_popularity(
    users: np.ndarray, items: np.ndarray, item_tokens: np.ndarray, cold_users: int, cold_items: int
) -> Slices:
    """Cold and warm users and items, and deciles of the items, 1 the least popular.

    users [n_users], items [n_items]: interactions in the train part; row 0 is RecBole's padding and in no decile.
    cold_users, cold_items: who has at most this many is cold. item_tokens: items equally popular stand in their order.
    """
    order = 1 + np.lexsort((item_tokens[1:].astype(str), items[1:]))
    groups = zip(DECILES, np.array_split(order, len(DECILES)), strict=True)
    deciles = {name: np.isin(np.arange(len(items)), rows) for name, rows in groups}
    return Slices(
        users={COLD_USERS: users <= cold_users, WARM_USERS: users > cold_users},
        items={COLD_ITEMS: items <= cold_items, WARM_ITEMS: items > cold_items, **deciles},
    )


def by_slice(rows: ByRow, slices: Slices) -> dict[str, Sliced]:
    """The metrics of every slice, those of users first; empty where nothing was ranked."""
    if not rows.metrics:
        return {}
    parts = list(_parts(rows, slices))
    measured = values_of(rows.metrics, torch.cat([hits for _, _, hits in parts]))
    values = {name: value for each in measured for name, value in each.at_each_k().items()}
    found, end = {}, 0
    for name, chosen, hits in parts:
        own, end = slice(end, end + len(hits)), end + len(hits)
        averages = {metric: value for each in measured for metric, value in each.averages(own).items()}
        found[name] = Sliced(chosen.numpy(), averages, {metric: value[own] for metric, value in values.items()})
    return found


def _parts(rows: ByRow, slices: Slices) -> Iterator[tuple[str, torch.Tensor, torch.Tensor]]:
    """(slice, whether it has each row [n_rows], `ByRow.hits` of its rows as if only it were relevant [n, k + 1])."""
    for name, mask in slices.users.items():
        chosen = torch.from_numpy(mask[rows.user_rows])
        yield name, chosen, rows.hits[chosen]
    row, item = rows.relevant_items
    for name, mask in slices.items.items():
        inside = torch.from_numpy(mask)
        count = torch.bincount(row[inside[item]], minlength=len(rows.hits))
        chosen = count > 0
        hits = rows.hits[chosen, :-1] * inside[rows.ranked_items[chosen]]
        yield name, chosen, torch.cat([hits, count[chosen].unsqueeze(1)], dim=1)
