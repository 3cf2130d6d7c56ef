"""Negatives are those that RecBole draws, from the same random numbers, one by one or all at once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tests.utils.recbole_port import pristine
from utils.recbole_port import sampling
from utils.recbole_port.sampling import UsedPairs

USERS, ITEMS = 7, 30


@pytest.fixture(scope="module")
def theirs() -> Any:
    return pristine.module("sampler/sampler")


class Interactions:
    """As much of a dataset as a sampler asks for: users 1..6 with 3 to 23 random items each."""

    uid_field, iid_field, user_num, item_num = "user_id", "item_id", USERS, ITEMS

    def __init__(self, seed: int) -> None:
        draw = np.random.default_rng(seed)
        pairs = [
            (user, item)
            for user in range(1, USERS)
            for item in draw.choice(np.arange(1, ITEMS), 3 + 4 * (user - 1) // 2, replace=False)
        ]
        draw.shuffle(pairs)
        users, items = zip(*pairs, strict=True)
        self.inter_feat = {"user_id": torch.tensor(users), "item_id": torch.tensor(items)}


def _sampler(theirs: Any, distribution: str) -> Any:
    sampler = theirs.Sampler(["train", "valid"], [Interactions(1), Interactions(2)], distribution, 0.75)
    return sampler.set_phase("valid")


@pytest.mark.parametrize("distribution", ["uniform", "popularity"])
@pytest.mark.parametrize("keys", [[1, 5, 2, 2, 6, 3] * 20, [4] * 50], ids=["many users", "one user"])
def test_the_same_negatives_from_the_same_random_numbers(
    theirs: Any, distribution: str, keys: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    np.random.seed(3)
    expected = _sampler(theirs, distribution).sample_by_key_ids(keys, 5)
    expected_next = np.random.random()
    monkeypatch.setattr(theirs.AbstractSampler, "_pop_sampling", sampling.pop_sampling)
    np.random.seed(3)
    found = sampling.sample_by_key_ids(_sampler(theirs, distribution), keys, 5)
    assert torch.equal(found, expected)
    assert np.random.random() == expected_next


def test_a_repeatable_sampler_leaves_out_the_target_alone(theirs: Any) -> None:
    sampler = theirs.RepeatableSampler(["train"], Interactions(1))
    users, items = [1, 2, 2, 3] * 30, [5, 6, 7, 1] * 30
    np.random.seed(3)
    expected = sampler.sample_by_user_ids(users, items, 4)
    np.random.seed(3)
    found = sampling.sample_by_user_ids(sampler, users, items, 4)
    assert torch.equal(found, expected)
    assert not (found == torch.tensor(items * 4)).any()


def test_the_same_used_items_in_every_phase(theirs: Any) -> None:
    sampler = theirs.Sampler(["train", "valid"], [Interactions(1), Interactions(2)])
    ours, expected = sampling.get_used_ids(sampler), sampler.get_used_ids()
    assert ours.keys() == expected.keys()
    for phase, sets in expected.items():
        assert list(ours[phase]) == list(sets)


def test_a_user_who_has_had_everything_is_an_error_as_in_recbole() -> None:
    everything = {"user_id": torch.ones(ITEMS - 1, dtype=torch.long), "item_id": torch.arange(1, ITEMS)}
    fake = SimpleNamespace(
        phases=["train"], datasets=[SimpleNamespace(inter_feat=everything)], uid_field="user_id", iid_field="item_id",
        user_num=USERS, item_num=ITEMS,
    )  # fmt: skip
    with pytest.raises(ValueError, match="interacted with all items"):
        sampling.get_used_ids(fake)


@pytest.mark.parametrize("table_bytes", [0, 2**20], ids=["a sorted list", "a table"])
def test_used_pairs_are_told_from_unused_ones(table_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "_TABLE_BYTES", table_bytes)
    used = UsedPairs(np.array([set(), {1, 3}, {2}], dtype=object), n_values=4)
    keys, values = np.array([0, 1, 1, 1, 2, 2]), np.array([1, 1, 2, 3, 2, 3])
    assert used.contain(keys, values).tolist() == [False, True, False, True, True, False]
