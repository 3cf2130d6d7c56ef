"""Runs of one process share what they read, and none of them can tell."""

from __future__ import annotations

import os
from typing import Any

import pytest
import torch

from tests.workspace import SASREC, TRAIN, Workspace
from utils.recbole_port import data_cache

MODELS: dict[str, dict[str, Any]] = {
    "BPR": {},
    "NeuMF": {"mlp_hidden_size": [8], "mf_embedding_size": 8, "mlp_embedding_size": 8},
    "SASRec": {key: value for key, value in SASREC.items() if key != "model"},
    "MultiVAE": {"train_neg_sample_args": None, "mlp_hidden_size": [8], "latent_dimension": 4},
    "CKE": {"load_col": None, "kg_embedding_size": 8, "embedding_size": 8},
}


@pytest.fixture(autouse=True)
def _forget() -> Any:
    data_cache.forget()
    yield
    data_cache.forget()


def _outcome(tiny: Workspace, model: str, **settings: Any) -> tuple[Any, dict[str, torch.Tensor], bool]:
    run = tiny.run(TRAIN, f"case_{model}", **{"model": model, **MODELS[model], **settings})
    assert run.record.status == "done", run.console.text
    weights = torch.load(run.dir / "model.pth", weights_only=True)["state_dict"]
    stage = run.record.stages["0"]
    found = ([epoch["losses"] for epoch in stage["epochs"]], stage["best_test_res"])
    return found, weights, "by an earlier run of this process" in run.log()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("split", [{"LS": "valid_and_test"}, {"RS": [0.8, 0.1, 0.1]}], ids=["LS", "RS"])
def test_a_run_on_shared_data_is_the_run_on_its_own(model: str, split: dict[str, Any], tiny: Workspace) -> None:
    mode = "uni10" if model == "BPR" else "full"
    settings = {"eval_args": {"split": split, "order": "TO", "group_by": "user", "mode": mode}}
    alone, expected, reused = _outcome(tiny, model, **settings)
    assert not reused
    # Another model and another batch size in between, on the same data where the family is the same.
    _outcome(tiny, "NeuMF" if model == "BPR" else model, **settings, train_batch_size=100)
    again, weights, reused = _outcome(tiny, model, **settings)
    assert reused
    assert again == alone
    for name, value in expected.items():
        assert torch.equal(weights[name], value), name


def test_shuffled_splits_follow_the_seed(tiny: Workspace) -> None:
    settings = {"eval_args": {"split": {"RS": [0.8, 0.1, 0.1]}, "order": "RO", "group_by": "user", "mode": "full"}}
    first, _, _ = _outcome(tiny, "BPR", **settings)
    other, _, reused = _outcome(tiny, "BPR", **settings, seed=8)
    again, _, reused_again = _outcome(tiny, "BPR", **settings)
    assert (reused, reused_again) == (False, True)
    assert again == first != other


@pytest.mark.parametrize(
    "settings",
    [
        {"user_inter_num_interval": "[5,inf)"},
        {"load_col": {"inter": ["user_id", "item_id", "timestamp"]}},
        {"eval_args": {"split": {"LS": "test_only"}, "order": "TO", "group_by": "user", "mode": "full"}},
    ],
)
def test_another_setting_of_the_data_reads_it_again(tiny: Workspace, settings: dict[str, Any]) -> None:
    _outcome(tiny, "BPR")
    assert not _outcome(tiny, "BPR", **settings, valid_metric="NDCG@5")[2]


def test_a_changed_file_is_read_again(tiny: Workspace) -> None:
    _outcome(tiny, "BPR")
    file = tiny.folder / "datasets" / "tiny" / "tiny.inter"
    later = file.stat().st_mtime_ns + 1_000_000
    os.utime(file, ns=(later, later))
    assert not _outcome(tiny, "BPR")[2]


def test_two_datasets_are_kept_and_no_more(tiny: Workspace) -> None:
    for interval in ("[1,inf)", "[2,inf)", "[3,inf)"):
        _outcome(tiny, "BPR", user_inter_num_interval=interval)
    assert not _outcome(tiny, "BPR", user_inter_num_interval="[1,inf)")[2]
    assert _outcome(tiny, "BPR", user_inter_num_interval="[3,inf)")[2]
