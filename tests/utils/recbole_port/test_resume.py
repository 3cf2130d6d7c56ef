"""A training that is cut short at an epoch and gone on with in a new trainer ends as an unbroken one, bit for bit."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.contracts.build import Built, build
from tests.contracts.recbole_models import CASES
from tests.contracts.tiny_dataset import write_tiny_dataset
from utils.recbole_port import resume
from utils.recbole_port.checkpoints import load_checkpoint
from utils.recbole_port.resume import Progress
from utils.recbole_port.training import Fit, build_trainer, close, fit
from utils.recbole_port.training import test as evaluate_test

# Each keeps something else between its epochs, and it is there in the state of the third.
KEPT = {
    "NeuMF": set(),
    "SASRec": set(),
    "RecVAE": set(),
    "CFKG": set(),
    "MKR": {"item_embeddings"},
    "RaCT": {"update"},
    "MultiVAE": {"update"},
    "LDiffRec": {"update_count", "update_count_vae", "Lt_history", "Lt_count"},
    "LINE": {"random_list", "random_pr"},
    "SGL": {"sub_graph1", "sub_graph2"},
    "Pop": {"item_cnt", "max_cnt"},
    "LightGCN": {"restore_user_e", "restore_item_e"},
    "KGAT": {"A_in"},
    "NCL": {"user_centroids", "item_2cluster"},
}
EPOCHS = 4


class _Killed(BaseException):
    """The process is gone: nothing but the file system remains."""


@dataclass
class _Ended:
    """A training at its end, with the generators as they then were."""

    built: Built
    fit: Fit
    progress: Progress
    optimizers: list[Any]
    drawn: tuple[Any, ...]
    tested: dict[str, float]
    left: tuple[Any, ...]

    def facts(self) -> dict[str, Any]:
        """All that must be equal; seconds need not."""
        return {
            "epochs": [(epoch.epoch, epoch.losses, epoch.valid) for epoch in self.fit.epochs],
            "best": (self.fit.best_score, self.fit.best_valid, self.fit.best_epoch),
            "test": self.tested,
            "random": self.drawn,
            "trainer": self.left,
        }

    def weights(self) -> dict[str, torch.Tensor]:
        return {name: value.clone() for name, value in self.built.model.state_dict().items()}


def _train(
    name: str,
    folder: Path,
    data: Path,
    killed_at: int | None = None,
    provenance: str = "this data",
    scores: list[float] | None = None,
    **settings: Any,
) -> _Ended:
    """scores: what each epoch is validated to, whatever the model does."""
    case = next(case for case in CASES if case.name == name)
    # RaCT's stage here is the pre-training, which has epochs of its own.
    epochs = {"epochs": EPOCHS, **({"pretrain_epochs": EPOCHS} if "pretrain_epochs" in case.settings else {})}
    built = build(case, data, folder, **epochs, **settings)
    trainer = build_trainer(built.config, built.model, folder / "model.pth", folder / "tensorboard")
    trainer.provenance = {"data": provenance}
    progress = Progress(folder / "resume", 1, trainer, built.train, built.valid)
    trained, now = trainer._train_epoch, [0]

    def train_epoch(train: Any, epoch: int, *args: Any, **options: Any) -> Any:
        if epoch == killed_at:
            raise _Killed
        now[0] = epoch
        return trained(train, epoch, *args, **options)

    trainer._train_epoch = train_epoch
    if scores is not None:
        trainer._valid_epoch = lambda *args, **options: (scores[now[0]], {trainer.valid_metric: scores[now[0]]})
    try:
        result = fit(trainer, built.train, built.valid, False, lambda epoch: None, progress)
    finally:
        close(trainer)
    generator = getattr(built.train, "generator", None)
    drawn = (
        random.getstate(),
        str(np.random.get_state()),
        torch.get_rng_state().tolist(),
        None if generator is None else generator.get_state().tolist(),
    )
    optimizers = [value.state_dict() for value in vars(trainer).values() if isinstance(value, torch.optim.Optimizer)]
    weights = {key: value.clone() for key, value in built.model.state_dict().items()}
    tested, _ = evaluate_test(trainer, built.train, built.test, False)
    # The test has loaded the best weights; what is compared are those at the end.
    built.model.load_state_dict(weights)
    left = (Path(trainer.saved_model_file).name, trainer.start_epoch, trainer.cur_step, trainer.train_loss_dict)
    return _Ended(built, result, progress, optimizers, drawn, tested, left)


def _kill(name: str, folder: Path, data: Path, at: int, **settings: Any) -> None:
    with pytest.raises(_Killed):
        _train(name, folder, data, killed_at=at, **settings)


def _same(left: _Ended, right: _Ended) -> None:
    assert left.facts() == right.facts()
    ours, theirs = left.weights(), right.weights()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    torch.testing.assert_close(left.optimizers, right.optimizers, rtol=0, atol=0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "datasets"
    write_tiny_dataset(folder)
    return folder


@pytest.fixture(autouse=True)
def _every_epoch_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing takes longer than an epoch of these models."""
    monkeypatch.setattr(resume, "SHARE", float("inf"))


@pytest.mark.parametrize("name", KEPT)
def test_a_resumed_training_ends_as_an_unbroken_one(name: str, data: Path, tmp_path: Path) -> None:
    unbroken = _train(name, tmp_path / "unbroken", data)
    one_epoch = len(unbroken.fit.epochs) == 1
    if not one_epoch:
        _kill(name, tmp_path / "killed", data, at=2)
        state = load_checkpoint(tmp_path / "killed" / "resume" / "training-1.pth")
        assert (state["epoch"], state["complete"]) == (2, False)
        assert KEPT[name] <= state["state"]["attributes"]["model."].keys()
        resumed = _train(name, tmp_path / "killed", data)
        assert (resumed.progress.epoch, resumed.progress.complete) == (2, False)
        _same(unbroken, resumed)
    again = _train(name, tmp_path / ("unbroken" if one_epoch else "killed"), data)
    assert again.progress.complete
    _same(unbroken, again)


def test_a_complete_training_is_put_back_without_an_epoch(data: Path, tmp_path: Path) -> None:
    first = _train("NeuMF", tmp_path, data)
    again = _train("NeuMF", tmp_path, data, killed_at=0)
    _same(first, again)


def test_early_stopping_counts_on(data: Path, tmp_path: Path) -> None:
    falling: dict[str, Any] = {"stopping_step": 1, "scores": [0.5, 0.4, 0.3, 0.2]}
    _kill("BPR", tmp_path, data, at=2, **falling)
    resumed = _train("BPR", tmp_path, data, **falling)
    # Epochs 1 and 2 are no better: one is borne with, the second stops. Of these only epoch 2 is trained here.
    assert [epoch.epoch for epoch in resumed.fit.epochs] == [0, 1, 2]
    assert (resumed.fit.best_score, resumed.fit.best_epoch) == (0.5, 0)


@pytest.mark.parametrize("learner", ["sgd", "adamw", "adagrad", "rmsprop"])
def test_every_optimizer_goes_on(learner: str, data: Path, tmp_path: Path) -> None:
    unbroken = _train("BPR", tmp_path / "unbroken", data, learner=learner)
    _kill("BPR", tmp_path / "killed", data, at=2, learner=learner)
    _same(unbroken, _train("BPR", tmp_path / "killed", data, learner=learner))


def test_loaders_with_workers_draw_on(data: Path, tmp_path: Path) -> None:
    unbroken = _train("BPR", tmp_path / "unbroken", data, worker=1)
    _kill("BPR", tmp_path / "killed", data, at=2, worker=1)
    _same(unbroken, _train("BPR", tmp_path / "killed", data, worker=1))


def test_sampled_validation_draws_on(data: Path, tmp_path: Path) -> None:
    mode: dict[str, Any] = {"eval_args": {"split": {"LS": "valid_and_test"}, "order": "RO", "mode": "uni10"}}
    unbroken = _train("BPR", tmp_path / "unbroken", data, **mode)
    _kill("BPR", tmp_path / "killed", data, at=3, **mode)
    _same(unbroken, _train("BPR", tmp_path / "killed", data, **mode))


def test_the_best_model_is_that_of_the_state_even_where_a_newer_one_was_written(data: Path, tmp_path: Path) -> None:
    unbroken = _train("BPR", tmp_path / "unbroken", data)
    _kill("BPR", tmp_path / "killed", data, at=2)
    # As a killed process on a GPU may leave it: a best model that the resumed one would not find again.
    (tmp_path / "killed" / "model.pth").unlink()
    (tmp_path / "killed" / "model.pth").write_bytes(b"of another course of events")
    _same(unbroken, _train("BPR", tmp_path / "killed", data))


def test_where_writing_is_dear_epochs_are_left_out_and_trained_again(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unbroken = _train("BPR", tmp_path / "unbroken", data)
    monkeypatch.setattr(resume, "SHARE", 0.0)
    _kill("BPR", tmp_path / "killed", data, at=3)
    resumed = _train("BPR", tmp_path / "killed", data)
    # The first write is free, as nothing is known of its cost.
    assert resumed.progress.epoch == 1
    _same(unbroken, resumed)


def test_a_full_disk_costs_the_state_and_not_the_training(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    unbroken = _train("BPR", tmp_path / "unbroken", data)

    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(resume, "save_checkpoint", full)
    _same(unbroken, _train("BPR", tmp_path / "full", data))
    assert "training-1.pth could not be written, a resumed run would train more again: [Errno 28]" in caplog.text


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:1000]), "is not a torch file"),
        (lambda path: path.write_bytes(b""), "is not a torch file"),
        (lambda path: torch.save({"state_dict": {}}, path), "was not written by this version of RecBridge"),
        (lambda path: path.with_name("training-1-best.pth").unlink(), "the best model of that training, is missing"),
    ],
    ids=["cut off", "empty", "foreign", "without its best model"],
)
def test_a_state_that_cannot_be_used_is_named_and_the_training_starts_anew(
    spoil: Any, why: str, data: Path, tmp_path: Path
) -> None:
    unbroken = _train("BPR", tmp_path / "unbroken", data)
    _kill("BPR", tmp_path / "killed", data, at=2)
    spoil(tmp_path / "killed" / "resume" / "training-1.pth")
    anew = _train("BPR", tmp_path / "killed", data)
    assert anew.progress.epoch is None
    assert why in (anew.progress.unusable or "")
    _same(unbroken, anew)


def test_a_state_of_other_data_or_another_model_is_not_used(data: Path, tmp_path: Path) -> None:
    _kill("BPR", tmp_path, data, at=2)
    other = _train("BPR", tmp_path, data, provenance="that data")
    assert "is of other data or another split" in (other.progress.unusable or "")
    _kill("BPR", tmp_path / "two", data, at=2)
    wider = _train("BPR", tmp_path / "two", data, embedding_size=16)
    assert "'item_embedding.weight' is [41, 8] there and [41, 16] here" in (wider.progress.unusable or "")
