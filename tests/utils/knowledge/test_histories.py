"""Histories: the latest liked items of the train part, and nothing of what is tested."""

from __future__ import annotations

import numpy as np
import pytest

from tests.workspace import Workspace
from utils.data.atomic import read_atomic
from utils.knowledge.histories import Histories, histories


def rows_of(workspace: Workspace, user: str, min_rating: float | None) -> list[str]:
    """A user's items in time order without the last two, which are for validation and test."""
    rows = read_atomic(workspace.folder / "datasets" / "tiny" / "tiny.inter")
    rows = rows[rows["user_id"] == user].sort_values("timestamp", key=lambda column: column.astype(float))[:-2]
    if min_rating is not None:
        rows = rows[rows["rating"].astype(float) >= min_rating]
    return rows["item_id"].tolist()


def items_of(found: Histories, user: str) -> list[str]:
    return [found.item_tokens[row] for row in found.items[found.users.index(user)] if row >= 0]


@pytest.mark.parametrize("min_rating", [4, None])
@pytest.mark.parametrize("user", ["u1", "u17", "u30"])
def test_a_history_is_the_latest_of_the_train_part_oldest_first(
    workspace: Workspace, user: str, min_rating: float | None
) -> None:
    found = histories(workspace.context(), 5, min_rating)
    assert items_of(found, user) == rows_of(workspace, user, min_rating)[-5:]


def test_a_shorter_history_ends_in_minus_one(workspace: Workspace) -> None:
    found = histories(workspace.context(), 50, None)
    # 20 interactions, two of them held back.
    assert (found.items >= 0).sum(axis=1).tolist() == [18] * 30
    assert np.all(found.items[:, 18:] == -1)


def test_popularity_counts_every_user_of_the_train_part_whatever_the_rating(workspace: Workspace) -> None:
    found = histories(workspace.context(), 5, 4)
    users = {user: rows_of(workspace, user, None) for user in found.users}
    first = found.item_tokens[0]
    assert found.popularity[0] == sum(first in items for items in users.values())
    assert found.popularity.sum() == 30 * 18


def test_who_likes_nothing_has_no_history_and_is_counted(workspace: Workspace) -> None:
    found = histories(workspace.context(), 5, 6)
    assert (found.users, found.items.shape, found.n_users) == ((), (0, 5), 30)
