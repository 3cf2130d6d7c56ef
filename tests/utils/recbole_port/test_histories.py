"""Prefix rows without a loop are RecBole's, field by field; a batch is the rows that were asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.utils.recbole_port import pristine
from tests.workspace import SASREC, Workspace
from utils.recbole_port import histories
from utils.recbole_port.datasets import dataset_class


@pytest.mark.parametrize("longest", [3, 5, 50])
def test_every_field_of_the_prefix_rows_is_recboles(longest: int, workspace: Workspace) -> None:
    loaded = {"inter": ["user_id", "item_id", "rating", "timestamp"]}
    ctx = workspace.context(**SASREC | {"MAX_ITEM_LIST_LENGTH": longest}, train_rows="prefix", load_col=loaded)
    config = ctx.recbole_config()
    theirs = pristine.module("data/dataset/sequential_dataset").SequentialDataset
    ours = dataset_class(config)(config)
    ours._change_feat_format()
    expected = _augmented(theirs, config)
    assert set(ours.inter_feat) == set(expected)
    for field in expected:
        assert torch.equal(ours.inter_feat[field], expected[field]), field


def _augmented(theirs: Any, config: Any) -> Any:
    dataset = type("Theirs", (dataset_class(config).__bases__[0], theirs), {})(config)
    dataset._change_feat_format()
    return dataset.inter_feat


def test_a_history_is_what_came_before_at_most_the_longest() -> None:
    # Users at 0..3 and 4..5: targets are all but the first of each.
    starts, targets = histories.prefix_rows(np.array([1, 1, 1, 1, 2, 2]), longest=2)
    assert targets.tolist() == [1, 2, 3, 5]
    assert starts.tolist() == [0, 0, 3 - 2, 4]


@pytest.mark.parametrize(
    "index",
    [[2, 0, 2], np.array([2, 0, 2]), torch.tensor([2, 0, 2]), slice(1, 3), np.array([True, False, True]), [], 1],
)
def test_a_batch_is_the_rows_asked_for(index: Any) -> None:
    theirs = pristine.module("data/interaction").Interaction
    columns = {"user_id": torch.tensor([5, 6, 7]), "list": torch.arange(6).view(3, 2)}
    expected = theirs(columns)[index]
    found = histories.take(theirs(columns), index)
    for name in columns:
        assert torch.equal(found[name], expected[name])
    assert histories.take(theirs(columns), "list") is columns["list"]
