"""What users liked last in the train part, as rows of items: all that a retrieval may ask from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from utils.context import RunContext
from utils.data.facts import Fields, latest_first


@dataclass(frozen=True)
class Histories:
    """The histories of users, oldest item first.

    users: tokens, in RecBole's order, of those that have a history. items [n_users, length] int32: places in
    `item_tokens`, -1 after the last. item_tokens: the dataset's items in RecBole's order, without padding.
    popularity [n_items]: how many users of the train part have each item, whatever their rating.
    n_users: of the dataset, so that those without a history can be counted. rated: whether interactions have ratings.
    """

    users: tuple[str, ...]
    items: np.ndarray
    item_tokens: tuple[str, ...]
    popularity: np.ndarray
    n_users: int
    rated: bool


def histories(ctx: RunContext, length: int, min_rating: float | None) -> Histories:
    """The `length` latest items of each user in the train part, of those rated `min_rating` or more (None: of all).

    Ties in time are ordered by item token.
    """
    from utils.recbole_port import session
    from utils.recbole_port.train_part import train_counts, train_interactions

    config, data = ctx.recbole_config(), ctx.data
    fields = Fields.of(config)
    users, items = (session.id_map(data, field).real_tokens for field in (fields.user, fields.item))
    rows = train_interactions(config, data)
    rated = fields.rating in rows
    rows = rows[is_liked(rows, fields, min_rating)]
    latest = latest_first(rows, fields).groupby(fields.user, sort=False).head(length)
    # The latest is the last of a history.
    ordered = latest.iloc[::-1]
    codes = pd.Index(users).get_indexer(ordered[fields.user])
    places = ordered.groupby(fields.user, sort=False).cumcount().to_numpy()
    table = np.full((len(users), length), -1, dtype=np.int32)
    table[codes, places] = pd.Index(items).get_indexer(ordered[fields.item])
    there = np.flatnonzero(table[:, 0] >= 0)
    # RecBole's row 0 is padding.
    popularity = train_counts(config, data)[1][1:]
    return Histories(tuple(users[row] for row in there), table[there], items, popularity, len(users), rated)


def is_liked(rows: pd.DataFrame, fields: Fields, min_rating: float | None) -> pd.Series:
    """Which interactions count for a history: those rated `min_rating` or more, all where nothing is asked or rated."""
    if min_rating is None or fields.rating not in rows:
        return pd.Series(True, index=rows.index)
    return pd.to_numeric(rows[fields.rating], errors="coerce") >= min_rating
