"""Without outputs, or with outputs taken back, a scenario trains a model as RecBole does, to the last bit.

LightGCN is ours, and the same to rounding. RecBole's trainer is given the fused form of its optimizer, which rounds
otherwise, and rows with one target.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tests.contracts.recbole_models import CASES
from tests.contracts.tiny_dataset import USERS
from tests.workspace import SETTINGS, Workspace, standing_in
from utils.data.embeddings import VectorFile, write_vectors
from utils.recbole_port.gaps import close_gaps
from utils.recbole_port.optimizers import fuse

LABELLED: dict[str, Any] = {
    "eval_args": {"split": {"RS": [0.8, 0.1, 0.1]}, "order": "RO", "group_by": "user", "mode": "labeled"},
    "metrics": ["AUC", "LogLoss"],
    "valid_metric": "AUC",
}
MODELS: dict[str, dict[str, Any]] = {
    # Its dropout draws otherwise than torch's.
    "NeuMF": {"dropout_prob": 0.0},
    "BPR": {},
    "LightGCN": {},
    "SASRec": {"train_rows": "prefix"},
    "DeepFM": LABELLED,
    "MultiVAE": {},
}
# Our LightGCN adds the same numbers in another order than RecBole's; the others are RecBole's to the last bit.
ROUNDED = {"LightGCN": {"rtol": 1e-5, "atol": 1e-6}}
# Settings of ours, which RecBole does not know.
OURS = {"threads", "model", "dataset", "train_rows"}


@dataclass
class Outcome:
    """What a training gave: loss and valid score of each epoch, best valid and test metrics, weights."""

    losses: list[float]
    scores: list[float]
    best_valid: dict[str, float]
    test: dict[str, float]
    weights: dict[str, torch.Tensor]


def _settings(name: str) -> dict[str, Any]:
    case = next(case for case in CASES if case.name == name)
    # A scenario refuses settings that its model does not read.
    common = {key: value for key, value in SETTINGS.items() if key not in ("embedding_size", "topk")}
    ranked = {} if MODELS[name] is LABELLED else {"topk": SETTINGS["topk"]}
    merged = {**common, **ranked, "train_batch_size": 64, **case.settings, **MODELS[name], "model": name}
    return copy.deepcopy(merged)


def _recbole(settings: dict[str, Any], folder: Path) -> Outcome:
    """The sequence of `recbole.quick_start.run_recbole`, which cannot be imported without ray."""
    close_gaps()
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.utils import get_model, get_trainer, init_seed

    torch.set_num_threads(settings["threads"])
    given = {key: value for key, value in settings.items() if key not in OURS}
    given |= {"data_path": str(folder / "datasets"), "checkpoint_dir": str(folder / "reference")}
    config = Config(model=settings["model"], dataset=settings["dataset"], config_dict=given)
    init_seed(config["seed"], config["reproducibility"])
    dataset = create_dataset(config)
    train, valid, test = data_preparation(config, dataset)
    init_seed(config["seed"] + config["local_rank"], config["reproducibility"])
    model = get_model(config["model"])(config, train._dataset).to(config["device"])
    trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
    fuse(trainer.optimizer)
    scores: list[float] = []
    _, best_valid = trainer.fit(
        train, valid, saved=True, show_progress=False, callback_fn=lambda epoch, score: scores.append(float(score))
    )
    result = trainer.evaluate(test, load_best_model=True, show_progress=False)
    losses = [float(trainer.train_loss_dict[epoch]) for epoch in range(2)]
    return Outcome(losses, scores, _numbers(best_valid), _numbers(result), dict(model.state_dict()))


def _numbers(metrics: Any) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items()}


def _run(workspace: Workspace, settings: dict[str, Any], steps: list[Any]) -> Outcome:
    path = workspace.folder / "parity.yaml"
    path.write_text(yaml.safe_dump({**settings, "scenario": steps}, sort_keys=False), encoding="utf-8")
    run = workspace.run_file(path)
    assert run.record.status == "done", run.console.text
    stage = run.record.stages["0"]
    weights = torch.load(run.dir / "model.pth", weights_only=True)["state_dict"]
    return Outcome(
        [sum(epoch["losses"]) for epoch in stage["epochs"]],
        [epoch["valid"][run.record.settings["valid_metric"].lower()] for epoch in stage["epochs"]],
        stage["best_val_res"],
        stage["best_test_res"],
        weights,
    )


@pytest.mark.parametrize("name", MODELS)
def test_a_wrapped_model_without_outputs_is_recboles_own(name: str, tmp_path: Path) -> None:
    settings = _settings(name)
    workspace = Workspace(tmp_path)
    workspace.vectors.mkdir(parents=True)
    tokens = tuple(f"u{number}" for number in range(1, USERS + 1))
    write_vectors(workspace.vectors / "user8.pt", VectorFile(torch.ones(USERS, 8), tokens))
    wrap = {"wrap_model": {"distil_loss": "rmse", "users_emb_file": "user8.pt"}}
    case = next(case for case in CASES if case.name == name)
    rest = ["init_trainer", "train", "test_eval"]

    with standing_in(tmp_path):
        expected = _recbole(settings, tmp_path)
    wrapped = _run(workspace, settings, ["init_model", wrap, *rest])
    taken_back = _run(workspace, settings, ["init_model", wrap, {"set_outputs": [case.tap]}, "remove_outputs", *rest])

    assert len(expected.losses) == len(expected.scores) == 2
    within = ROUNDED.get(name, {"rtol": 0, "atol": 0})
    for outcome in (wrapped, taken_back):
        torch.testing.assert_close(outcome.losses, expected.losses, **within)
        assert outcome.scores == expected.scores
        assert outcome.best_valid == expected.best_valid
        assert outcome.test == expected.test
        assert outcome.weights.keys() == expected.weights.keys()
        for parameter, value in expected.weights.items():
            torch.testing.assert_close(outcome.weights[parameter], value, **within)
