"""bfloat16 holds for the training, float32 for what is reported, and the difference is said."""

from __future__ import annotations

import pytest
import torch

from tests.workspace import SASREC, TRAIN, Workspace
from utils.recbole_port import precision
from utils.recbole_port.precision import bfloat16

MODELS = {
    "BPR": {},
    "LightGCN": {"embedding_size": 8},
    "NeuMF": {"mlp_hidden_size": [8], "mf_embedding_size": 8, "mlp_embedding_size": 8},
    "SASRec": {key: value for key, value in SASREC.items() if key != "model"},
}


@pytest.mark.parametrize("model", MODELS)
def test_a_training_in_bfloat16_keeps_float32_weights_and_says_what_scores_would_lose(
    model: str, tiny: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: True)
    exact = tiny.run(TRAIN, "exact", model=model, **MODELS[model])
    run = tiny.run(TRAIN, "half", model=model, **MODELS[model], precision="bfloat16")
    assert run.record.status == "done", run.console.text
    assert "; scored in bfloat16: recall@5 " in run.console.text
    stage = run.record.stages["0"]
    assert stage["best_test_res_bfloat16"].keys() == stage["best_test_res"].keys()
    weights = torch.load(run.dir / "model.pth", weights_only=True)["state_dict"]
    assert {value.dtype for value in weights.values()} == {torch.float32}
    ours, theirs = ([sum(epoch["losses"]) for epoch in one.record.stages["0"]["epochs"]] for one in (run, exact))
    assert ours == pytest.approx(theirs, rel=0.05)
    if model in ("NeuMF", "SASRec"):
        # Their losses go through matrix products, which are rounded.
        assert ours != theirs


def test_every_step_sees_the_weights_of_the_step_before(tiny: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    # An autocast around the epoch would keep the rounded weights of its first batch.
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: True)
    settings = {**MODELS["NeuMF"], "dropout_prob": 0.0, "train_batch_size": 32, "learning_rate": 0.01, "epochs": 3}
    runs = [tiny.run(TRAIN, kind, model="NeuMF", **settings, precision=kind) for kind in ("float32", "bfloat16")]
    exact, rounded = ([sum(epoch["losses"]) for epoch in run.record.stages["0"]["epochs"]] for run in runs)
    assert exact[0] - exact[2] > 0.5
    assert rounded == pytest.approx(exact, rel=0.01)


def test_sampled_candidates_are_the_same_in_both_precisions(tiny: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: True)
    mode = {"eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user", "mode": "uni10"}}
    run = tiny.run(TRAIN, "sampled", precision="bfloat16", **mode)
    stage = run.record.stages["0"]
    # BPR's predict has no matrix product, so that nothing is rounded.
    assert stage["best_test_res_bfloat16"] == stage["best_test_res"]


def test_a_cpu_without_it_takes_float32_with_a_warning(tiny: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: False)
    run = tiny.run(TRAIN, "none", precision="bfloat16")
    assert "warning: this cpu has no bfloat16; the training takes float32" in run.console.text
    assert "scored in bfloat16" not in run.console.text
    assert run.record.stages["0"]["best_test_res"] == tiny.run(TRAIN, "plain").record.stages["0"]["best_test_res"]


def test_the_block_alone_is_in_bfloat16() -> None:
    left = torch.ones(2, 2)
    with bfloat16(left.device):
        assert (left @ left).dtype == torch.bfloat16
    assert (left @ left).dtype == torch.float32
