"""RecBole's negative sampling without a loop over samples: the same draws in the same order, rejected alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

# A table of all pairs is looked up faster than a sorted list is searched; beyond this many bytes the list it is.
_TABLE_BYTES = 2**26


class UsedPairs:
    """Which (key, value) pairs may not be drawn, of `used`: a set of values for each key."""

    def __init__(self, used: Any, n_values: int) -> None:
        counts = np.fromiter(map(len, used), np.int64, len(used))
        keys = np.repeat(np.arange(len(used)), counts)
        values = np.fromiter((value for one in used for value in one), np.int64, counts.sum())
        self._width = max(n_values, int(values.max(initial=0)) + 1)
        pairs = keys * self._width + values
        self._table: np.ndarray | None = None
        if len(used) * self._width <= _TABLE_BYTES:
            self._table = np.zeros(len(used) * self._width, dtype=bool)
            self._table[pairs] = True
        else:
            self._sorted = np.sort(pairs)

    def contain(self, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
        """For each pair of `keys` [n] and `values` [n], whether it is used."""
        pairs = keys * self._width + values
        if self._table is not None:
            return self._table[pairs]
        places = np.searchsorted(self._sorted, pairs)
        return self._sorted[np.minimum(places, len(self._sorted) - 1)] == pairs if len(self._sorted) else pairs < 0


def sample_by_key_ids(self: Any, key_ids: Any, num: int) -> torch.Tensor:
    """`num` unused values for each of `key_ids` [n], as [num * n]; RecBole's method of samplers.

    RecBole redraws the used ones among all samples at once, for one key as for many, and so does this.
    """
    keys = np.tile(np.asarray(key_ids), num)
    values = np.zeros(len(keys), dtype=np.int64)
    open_places = np.arange(len(keys))
    used = _used_pairs(self)
    while len(open_places):
        values[open_places] = drawn = self.sampling(len(open_places))
        open_places = open_places[used.contain(keys[open_places], drawn)]
    return torch.from_numpy(values)


def sample_by_user_ids(self: Any, user_ids: Any, item_ids: Any, num: int) -> torch.Tensor:
    """`num` items for each of `item_ids` [n] that are not this item, as [num * n]; RepeatableSampler's method."""
    own = np.tile(np.asarray(item_ids), num)
    values = np.zeros(len(own), dtype=np.int64)
    open_places = np.arange(len(own))
    while len(open_places):
        values[open_places] = drawn = self.sampling(len(open_places))
        open_places = open_places[drawn == own[open_places]]
    return torch.from_numpy(values)


def targets(self: Any) -> list[int]:
    """The items that a popularity is counted of: all targets, those within windows too; RepeatableSampler's method."""
    items = getattr(self.dataset, "target_items", None)
    return list((self.dataset.inter_feat[self.iid_field] if items is None else items).numpy())


def _used_pairs(sampler: Any) -> UsedPairs:
    """Built at the first use; the samplers of the phases are copies with other `used_ids`."""
    found = vars(sampler).get("_used_pairs")
    if found is None or found[0] is not sampler.used_ids:
        n_values = int(getattr(sampler, "item_num", 0) or getattr(sampler, "entity_num", 0))
        found = sampler._used_pairs = (sampler.used_ids, UsedPairs(sampler.used_ids, n_values))
    return found[1]


def pop_sampling(self: Any, sample_num: int) -> np.ndarray:
    """`sample_num` values by popularity from RecBole's alias table (Walker's method), looked up all at once."""
    if vars(self).get("_alias_arrays", (None,))[0] is not self.prob:
        keys = np.fromiter(self.prob, np.int64, len(self.prob))
        chances = np.fromiter(self.prob.values(), np.float64, len(keys))
        self._alias_arrays = (self.prob, keys, chances, np.array([self.alias[key] for key in self.prob]))
    _, keys, chances, aliases = self._alias_arrays
    places = np.random.randint(0, len(keys), sample_num)
    return np.where(chances[places] > np.random.random(sample_num), keys[places], aliases[places])


def get_used_ids(self: Any) -> dict[str, np.ndarray]:
    """Phase -> for each user the set of items it has had by then; RecBole's method, a user at a time."""
    used: dict[str, np.ndarray] = {}
    last: list[set[int]] = [set() for _ in range(self.user_num)]
    for phase, dataset in zip(self.phases, self.datasets, strict=True):
        users = dataset.inter_feat[self.uid_field].numpy()
        items = dataset.inter_feat[self.iid_field].numpy()
        order = np.argsort(users, kind="stable")
        bounds = np.searchsorted(users[order], np.arange(self.user_num + 1)).tolist()
        by_user = items[order].tolist()
        sets = [had.union(by_user[bounds[user] : bounds[user + 1]]) for user, had in enumerate(last)]
        last = sets
        used[phase] = np.empty(self.user_num, dtype=object)
        used[phase][:] = sets
    if any(len(had) + 1 == self.item_num for had in last):
        raise ValueError(
            "Some users have interacted with all items, which we can not sample negative items for them. "
            "Please set `user_inter_num_interval` to filter those users."
        )
    return used


def vectorise() -> None:
    """Put these into RecBole's samplers."""
    from recbole.sampler.sampler import AbstractSampler, RepeatableSampler, Sampler

    AbstractSampler.sample_by_key_ids = sample_by_key_ids
    AbstractSampler._pop_sampling = pop_sampling
    Sampler.get_used_ids = get_used_ids
    RepeatableSampler.sample_by_user_ids = sample_by_user_ids
    RepeatableSampler._get_candidates_list = targets
