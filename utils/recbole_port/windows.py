"""Train rows that are windows: each (user, target) of the train part once, in rows of up to MAX_ITEM_LIST_LENGTH.

A row is as RecBole's (history, length, target), and its history holds the other targets of the window: position i
of the history is followed by position i+1, and the last one by the row's own target.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import torch
from recbole.data.dataloader import TrainDataLoader
from recbole.data.interaction import Interaction

from utils.recbole_port.histories import lay_out
from utils.recbole_port.train_rows import LAST_WINDOW

_HELD_OUT = {"valid_and_test": 2, "valid_only": 1, "test_only": 1}


def window_rows(users: np.ndarray, longest: int, held_out: int, last_only: bool) -> tuple[np.ndarray, np.ndarray]:
    """(first position of the history, position of the target) of each row, from `users` [n], sorted.

    The last `held_out` targets of a user get rows of their own, as RecBole leaves them out: fewer where nothing
    would be left to train on. The targets before are divided from the last one backwards.
    """
    firsts = np.flatnonzero(np.r_[True, users[1:] != users[:-1]]) if len(users) else np.zeros(0, dtype=np.int64)
    sizes = np.diff(np.r_[firsts, len(users)])
    firsts, sizes = firsts[sizes > 1], sizes[sizes > 1]
    # A user's first item is no target.
    left_out = np.minimum(held_out, sizes - 2)
    in_training = sizes - 1 - left_out
    windows = np.ones_like(in_training) if last_only else -(-in_training // longest)
    rows = windows + left_out
    owner = np.repeat(np.arange(len(firsts)), rows)
    place = np.arange(rows.sum()) - np.repeat(np.cumsum(rows) - rows, rows)
    after = place - windows[owner] + 1
    # The last window ends at the last target of the train part; those before it a whole window earlier each.
    targets = in_training[owner] + np.where(after > 0, after, after * longest)
    return firsts[owner] + np.maximum(targets - longest, 0), firsts[owner] + targets


def train_positions(users: np.ndarray, held_out: int) -> np.ndarray:
    """Which positions of `users` [n], sorted, belong to the train part: all but the targets that are left out.

    A user with one interaction has no target and is in no part.
    """
    starts, sizes = np.unique(users, return_index=True, return_counts=True)[1:]
    kept = np.where(sizes > 1, sizes - np.clip(sizes - 2, 0, held_out), 0)
    return np.arange(len(users)) - np.repeat(starts, sizes) < np.repeat(kept, sizes)


class WindowRows:
    """Mixin for RecBole's SequentialDataset: rows of the train part are windows, those of valid and test as ever."""

    inter_feat: Any

    def data_augmentation(self: Any) -> None:
        """Replace the interactions by rows, ordered as RecBole orders its own."""
        self._aug_presets()
        self._check_field("uid_field", "time_field")
        self.sort(by=[self.uid_field, self.time_field], ascending=True)
        held_out = _HELD_OUT[self.config["eval_args"]["split"]["LS"]]
        last_only = self.config["train_rows"] == LAST_WINDOW
        users = self.inter_feat[self.uid_field].numpy()
        self._keep_interactions(users, held_out)
        self.inter_feat = lay_out(self, *window_rows(users, self.max_item_list_len, held_out, last_only))

    def _keep_interactions(self: Any, users: np.ndarray, held_out: int) -> None:
        """What rows of windows no longer show one by one.

        train_interactions: users and items of the train part, also of what is before the last window.
        target_items: the item of every target of all parts, in the order in which RecBole has prefix rows.
        """
        feat = self.inter_feat
        in_training = torch.from_numpy(train_positions(users, held_out))
        self.train_interactions = Interaction(
            {field: feat[field][in_training] for field in (self.uid_field, self.iid_field)}
        )
        not_first = torch.from_numpy(np.r_[False, users[1:] == users[:-1]])
        by_time = feat[self.time_field][not_first].sort(stable=True).indices
        self.target_items = feat[self.iid_field][not_first][by_time]

    def counter(self: Any, field: str) -> Counter[int]:
        """How often each id is a target or, for users, has one; RecBole counts rows, of which each has one target."""
        return Counter(targets_of(self)[field].numpy())


def holds_windows(dataset: Any) -> bool:
    """Whether the train rows of a dataset stand for several targets each."""
    return isinstance(dataset, WindowRows)


def targets_of(dataset: Any) -> Interaction:
    """A dataset's rows with one target each and without histories: windows taken apart, in their order.

    For the train part; rows of the valid and the test part have one target, and stay as they are elsewhere.
    """
    feat, lengths = dataset.inter_feat, dataset.inter_feat[dataset.item_list_length_field]
    steps = torch.arange(dataset.max_item_list_len)
    # Position 0 is followed by another item, but is itself a target of an earlier window, or of none.
    inside = steps < lengths.unsqueeze(1)
    found = {dataset.uid_field: feat[dataset.uid_field].repeat_interleave(lengths)}
    for field in feat:
        histories = getattr(dataset, f"{field}_list_field", None)
        if histories is not None and histories in feat:
            found[field] = shifted(feat[histories], feat[field], lengths)[inside]
    return Interaction(found)


def shifted(histories: torch.Tensor, targets: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """What follows each position of `histories` [rows, longest, ...]: the next one, after the last one the target."""
    following = torch.cat([histories[:, 1:], torch.zeros_like(histories[:, :1])], dim=1)
    following[torch.arange(len(lengths), device=lengths.device), lengths - 1] = targets
    return following


class WindowDataLoader(TrainDataLoader):
    """RecBole's train loader over windows; `train_batch_size` counts targets, as it does for RecBole's rows."""

    def _init_batch_size_and_step(self) -> None:
        targets = float(self._dataset.inter_feat[self._dataset.item_list_length_field].sum())
        per_row = targets / max(len(self._dataset.inter_feat), 1)
        self.step = max(round(self.config["train_batch_size"] / per_row), 1)
        self.set_batch_size(self.step)
