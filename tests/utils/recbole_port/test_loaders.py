"""Batches of sampled evaluation are RecBole's, row by row, from the same random numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.utils.recbole_port import pristine
from tests.workspace import SASREC, Workspace

SPLITS = {"one target": {"LS": "valid_and_test"}, "several targets": {"RS": [0.6, 0.2, 0.2]}}
MODELS: dict[str, dict[str, Any]] = {
    "BPR": {},
    "DeepFM": {"load_col": {"inter": ["user_id", "item_id", "timestamp"], "item": ["item_id", "release_year"]}},
    "SASRec": SASREC,
}


@pytest.mark.parametrize("mode", ["uni10", "pop10"])
@pytest.mark.parametrize("split", SPLITS.values(), ids=SPLITS)
@pytest.mark.parametrize("model", MODELS)
def test_the_same_rows_in_the_same_order(workspace: Workspace, model: str, split: dict[str, Any], mode: str) -> None:
    given = {"eval_args": {"split": split, "order": "TO", "group_by": "user", "mode": mode}}
    loader = workspace.context(**{"model": model, "eval_batch_size": 60, **MODELS[model], **given}).data.test
    theirs = pristine.module("data/dataloader/general_dataloader").NegSampleEvalDataLoader
    index = [3, 0, 11, 7]
    np.random.seed(5)
    expected = theirs.collate_fn(loader, index)
    np.random.seed(5)
    found = loader.collate_fn(index)
    assert set(found[0]) == set(expected[0])
    for field in expected[0]:
        assert torch.equal(found[0][field], expected[0][field]), field
    for ours, recboles in zip(found[1:], expected[1:], strict=True):
        assert torch.equal(ours, recboles)
