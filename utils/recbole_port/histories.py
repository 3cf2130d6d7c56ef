"""RecBole's prefix rows of sequential models, and its batches, without a Python loop over rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch


def prefix_rows(users: np.ndarray, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """(first position of the history, position of the target) of each row, from `users` [n], sorted.

    Every position but a user's first is a target; its history reaches back to the user's first item, `longest` at most.
    """
    new = np.r_[True, users[1:] != users[:-1]] if len(users) else np.zeros(0, dtype=bool)
    positions = np.arange(len(users))
    firsts = np.maximum.accumulate(np.where(new, positions, 0))
    targets = positions[~new]
    return np.maximum(firsts[targets], targets - longest), targets


def lay_out(dataset: Any, starts: np.ndarray, targets: np.ndarray) -> Any:
    """Rows (history, its length, target) of a SequentialDataset, from where they start and which their targets are.

    Histories are zero after their end, as [rows, longest, ...].
    """
    from recbole.data.interaction import Interaction

    feat, longest = dataset.inter_feat, dataset.max_item_list_len
    first, last = torch.from_numpy(starts), torch.from_numpy(targets)
    lengths = last - first
    rows = {field: feat[field][last] for field in feat}
    rows[dataset.item_list_length_field] = lengths
    steps = torch.arange(longest)
    inside = steps < lengths.unsqueeze(1)
    places = torch.where(inside, first.unsqueeze(1) + steps, 0)
    for field in feat:
        if field != dataset.uid_field:
            histories = feat[field][places]
            outside = ~inside.reshape(*inside.shape, *[1] * (histories.dim() - 2))
            rows[getattr(dataset, f"{field}_list_field")] = histories.masked_fill_(outside, 0)
    return Interaction(rows)


def data_augmentation(self: Any) -> None:
    """Replace the interactions of a SequentialDataset by prefix rows, as RecBole's method does."""
    self._aug_presets()
    self._check_field("uid_field", "time_field")
    self.sort(by=[self.uid_field, self.time_field], ascending=True)
    starts, targets = prefix_rows(self.inter_feat[self.uid_field].numpy(), self.max_item_list_len)
    self.inter_feat = lay_out(self, starts, targets)


def take(self: Any, index: Any) -> Any:
    """RecBole's `Interaction.__getitem__`, which makes a Python list of an index that is an array."""
    from recbole.data.interaction import Interaction

    if isinstance(index, str):
        return self.interaction[index]
    if isinstance(index, (np.ndarray, list)):
        index = np.asarray(index)
        index = torch.from_numpy(index if index.dtype == bool else index.astype(np.int64))
    return Interaction({name: column[index] for name, column in self.interaction.items()})


def vectorise() -> None:
    """Put these into RecBole's datasets and batches."""
    from recbole.data.dataset.sequential_dataset import SequentialDataset
    from recbole.data.interaction import Interaction

    SequentialDataset.data_augmentation = data_augmentation
    Interaction.__getitem__ = take
