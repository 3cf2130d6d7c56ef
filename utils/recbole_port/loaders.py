"""RecBole's batches of sampled evaluation, put together for all their users at once; only the draws go user by user."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch


def collate_with(theirs: Callable[..., Any]) -> Callable[..., Any]:
    """The collate function of NegSampleEvalDataLoader: (rows, user of each row, user of each target, targets).

    theirs: RecBole's, for what this has no other way for: labelled rows, transforms, negatives chosen by the model.
    """

    def collate_fn(self: Any, index: Any) -> Any:
        from recbole.data.transform import Equal

        negatives = self.neg_sample_args
        sampled = negatives["distribution"] != "none" and negatives["sample_num"] != "none"
        if not sampled or negatives.get("dynamic") or not isinstance(self.transform, Equal):
            return theirs(self, index)
        users = self.uid_list[np.asarray(index)]
        counts = self.uid2items_num[users]
        positives = [np.arange(rows.start, rows.stop) for rows in self.uid2index[users]]
        items = self._dataset.inter_feat[self.iid_field].numpy()
        drawn = [
            self._sampler.sample_by_user_ids([user] * len(own), items[own], self.times - 1)
            for user, own in zip(users, positives, strict=True)
        ]
        rows = torch.from_numpy(np.concatenate([np.tile(own, self.times) for own in positives]))
        owner = torch.arange(len(users)).repeat_interleave(torch.from_numpy(counts * self.times))
        # A user's targets stand first, then as many negatives, again and again.
        first = torch.from_numpy((np.cumsum(counts) - counts) * self.times)
        place = torch.arange(len(rows)) - first[owner]
        is_target = place < torch.from_numpy(counts)[owner]
        data = self._dataset[rows]
        data[self.iid_field][~is_target] = torch.cat(drawn)
        data = self._dataset.join(data)
        data[self.label_field] = is_target.float()
        targets = torch.arange(len(users)).repeat_interleave(torch.from_numpy(counts))
        return data, owner, targets, data[self.iid_field][is_target]

    return collate_fn


def vectorise() -> None:
    """Put this into RecBole's loader."""
    from recbole.data.dataloader import NegSampleEvalDataLoader

    NegSampleEvalDataLoader.collate_fn = collate_with(NegSampleEvalDataLoader.collate_fn)
