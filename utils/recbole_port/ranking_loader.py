"""RecBole's loader of full ranking with large batches, and with the seen items that a run leaves out.

RecBole leaves out what a user has seen for general, context and knowledge models, and keeps it for sequential
ones. `filter_seen` says so for all of them: seen are the items of the user's train part, for the test those of the
valid part too, and for a sequential model those of the row's own history; never the target itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from recbole.data.dataloader import FullSortEvalDataLoader

from utils.recbole_port.windows import holds_windows

# What the scores of one batch may take; ranking them takes about three times as much.
SCORE_BYTES = 2**26


@dataclass(frozen=True)
class Seen:
    """Items by user: those of user u are `items[starts[u] : starts[u + 1]]`, each once."""

    starts: torch.Tensor
    items: torch.Tensor

    @classmethod
    def of(cls, users: torch.Tensor, items: torch.Tensor, n_users: int, n_items: int) -> Seen:
        """From the pairs `users` [n] and `items` [n], in any order; pairs with a padding id do not count."""
        known = (users > 0) & (items > 0)
        pairs = torch.unique(users[known] * n_items + items[known])
        counts = torch.bincount(pairs // n_items, minlength=n_users)
        return cls(torch.cat([counts.new_zeros(1), counts.cumsum(0)]), pairs % n_items)

    def of_rows(self, users: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(row, item) of every seen item of each row's user."""
        first, count = self.starts[users], self.starts[users + 1] - self.starts[users]
        rows = torch.repeat_interleave(count)
        within = torch.arange(len(rows)) - (count.cumsum(0) - count)[rows]
        return rows, self.items[first[rows] + within]


def seen_before(parts: list[Any]) -> Seen:
    """What the users have seen in these parts, the train part first: its interactions, and what histories hold."""
    users, items = [], []
    for dataset in parts:
        feat = dataset.inter_feat
        if holds_windows(dataset) and dataset is parts[0]:
            feat = dataset.train_interactions
        users.append(feat[dataset.uid_field])
        items.append(feat[dataset.iid_field])
        if history_field(dataset) in feat:
            # Of prefixes the first position tells all; rows that come from files may begin anywhere.
            whole = dataset.config["benchmark_filename"] is not None
            history = feat[history_field(dataset)][:, : None if whole else 1]
            users.append(feat[dataset.uid_field].repeat_interleave(history.shape[1]))
            items.append(history.flatten())
    return Seen.of(torch.cat(users), torch.cat(items), parts[0].user_num, parts[0].item_num)


def history_field(dataset: Any) -> str:
    """The field of a sequential row's history of items."""
    return str(dataset.iid_field + dataset.config["LIST_SUFFIX"])


class RankingLoader(FullSortEvalDataLoader):
    """Batches of (rows, seen items to leave out or None, row and item of each target)."""

    step: int

    def __init__(self, config: Any, dataset: Any, sampler: Any, seen: Seen | None = None) -> None:
        """seen: what the users have seen in the parts before this one, where RecBole's sampler does not know it."""
        self._seen = seen
        super().__init__(config, dataset, sampler, shuffle=False)

    def _init_batch_size_and_step(self) -> None:
        super()._init_batch_size_and_step()
        fitting = max(SCORE_BYTES // (4 * self._dataset.item_num), 1)
        if self.config["eval_batch_size_given"]:
            return
        self.step = min(self.step, fitting) if self.is_sequential else fitting
        self.set_batch_size(self.step if self.is_sequential else self.step * self._dataset.item_num)

    def collate_fn(self, index: Any) -> Any:
        rows, history, positive_u, positive_i = super().collate_fn(index)
        if not self.config["filter_seen"]:
            return rows, None, positive_u, positive_i
        if self._seen is not None:
            history = self._history(self._seen, rows, positive_u, positive_i)
        return rows, history, positive_u, positive_i

    def _history(self, seen: Seen, rows: Any, positive_u: torch.Tensor, positive_i: torch.Tensor) -> Any:
        """(row, item) of what these rows leave out, without their targets; an item may stand there twice."""
        pairs = [seen.of_rows(rows[self.uid_field])]
        if self.is_sequential:
            own = rows[history_field(self._dataset)]
            row, place = own.nonzero(as_tuple=True)
            pairs.append((row, own[row, place]))
        at, item = (torch.cat(columns) for columns in zip(*pairs, strict=True))
        n_items = self._dataset.item_num
        others = ~torch.isin(at * n_items + item, positive_u * n_items + positive_i)
        return at[others], item[others]
