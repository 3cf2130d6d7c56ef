"""RecBole's trainers: what each epoch was, which one was best, and files that are closed again."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.workspace import Workspace
from utils.recbole_port import session
from utils.recbole_port.training import (
    Epoch,
    TrainingError,
    best_model_file,
    build_trainer,
    close,
    fit,
    message_of,
)
from utils.recbole_port.training import (
    test as evaluate_test,
)


def _trainer(workspace: Workspace, folder: Path, **settings: Any) -> tuple[Any, Any]:
    ctx = workspace.context(**settings)
    model = session.build_model(ctx.recbole_config(), ctx.data)
    return build_trainer(ctx.recbole_config(), model, folder / "model.pth", folder / "tensorboard"), ctx.data


def _with_scores(trainer: Any, scores: list[float]) -> None:
    """Validate to these scores, whatever the model does."""
    given = iter(scores)
    trainer._valid_epoch = lambda *args, **options: (score := next(given), {trainer.valid_metric: score})


def _fit(trainer: Any, data: Any) -> tuple[Any, list[Epoch]]:
    told: list[Epoch] = []
    return fit(trainer, data.full_train, data.valid, False, told.append), told


def test_each_epoch_is_told_once_with_its_losses_and_metrics(workspace: Workspace, tmp_path: Path) -> None:
    trainer, data = _trainer(workspace, tmp_path, epochs=3)
    result, told = _fit(trainer, data)
    assert [epoch.epoch for epoch in told] == [0, 1, 2]
    assert told == result.epochs
    assert all(len(epoch.losses) == 1 and set(epoch.valid) == {"recall@5", "ndcg@5"} for epoch in told)
    assert trainer.train_loss_dict == {epoch.epoch: epoch.losses[0] for epoch in told}


def test_with_eval_step_2_every_second_epoch_has_metrics_and_one_of_them_is_best(
    workspace: Workspace, tmp_path: Path
) -> None:
    trainer, data = _trainer(workspace, tmp_path, epochs=5, eval_step=2)
    _with_scores(trainer, [0.3, 0.2])
    result, told = _fit(trainer, data)
    assert [bool(epoch.valid) for epoch in told] == [False, True, False, True, False]
    assert (result.best_score, result.best_epoch) == (0.3, 1)


def test_of_equally_good_epochs_the_last_one_is_kept(workspace: Workspace, tmp_path: Path) -> None:
    trainer, data = _trainer(workspace, tmp_path, epochs=3)
    _with_scores(trainer, [0.3, 0.3, 0.1])
    assert _fit(trainer, data)[0].best_epoch == 1


def test_early_stopping_ends_the_training(workspace: Workspace, tmp_path: Path) -> None:
    trainer, data = _trainer(workspace, tmp_path, epochs=9, stopping_step=1)
    _with_scores(trainer, [0.1, 0.5, 0.4, 0.3])
    result, told = _fit(trainer, data)
    # Two epochs that are no better: one is borne with, the next one stops.
    assert len(told) == 4
    assert (result.best_score, result.best_epoch) == (0.5, 1)


def test_a_metric_of_which_less_is_better_is_followed_downwards(workspace: Workspace, tmp_path: Path) -> None:
    settings = {"metrics": ["RMSE"], "valid_metric": "RMSE", "threshold": {"rating": 4}, "model": "DeepFM"}
    protocol = {"split": {"RS": [0.8, 0.1, 0.1]}, "order": "RO", "mode": "labeled"}
    trainer, data = _trainer(workspace, tmp_path, epochs=3, eval_args=protocol, **settings)
    _with_scores(trainer, [0.9, 0.4, 0.6])
    result, _ = _fit(trainer, data)
    assert (result.best_score, result.best_epoch) == (0.4, 1)


def test_without_epochs_the_model_is_saved_as_it_is(workspace: Workspace, tmp_path: Path) -> None:
    trainer, data = _trainer(workspace, tmp_path, epochs=0)
    result, told = _fit(trainer, data)
    assert (result.best_score, result.best_epoch, told) == (None, None, [])
    assert best_model_file(trainer) == tmp_path / "model.pth"
    assert set(evaluate_test(trainer, data.full_train, data.test, False)[0]) == {"recall@5", "ndcg@5"}


def test_the_test_is_of_the_best_epoch(workspace: Workspace, tmp_path: Path) -> None:
    trainer, data = _trainer(workspace, tmp_path, epochs=4, learning_rate=0.5)
    _with_scores(trainer, [0.5, 0.4, 0.3, 0.2])
    result, _ = _fit(trainer, data)
    best, _ = evaluate_test(trainer, data.full_train, data.test, False)
    single, data = _trainer(workspace, tmp_path / "single", epochs=1, learning_rate=0.5)
    _fit(single, data)
    assert result.best_epoch == 0
    assert best == evaluate_test(single, data.full_train, data.test, False)[0]


def test_recboles_methods_are_given_back(workspace: Workspace, tmp_path: Path) -> None:
    trainer, data = _trainer(workspace, tmp_path, epochs=1)
    before = set(vars(trainer))
    _fit(trainer, data)
    assert set(vars(trainer)) == before


def test_pretraining_saves_where_recbole_names_it(workspace: Workspace, tmp_path: Path) -> None:
    race = {"model": "RaCT", "train_neg_sample_args": None, "pretrain_epochs": 2, "critic_layers": [8]}
    trainer, data = _trainer(workspace, tmp_path, save_step=2, mlp_hidden_size=[8], latent_dimension=8, **race)
    trainer.checkpoint_dir = str(tmp_path)
    result, told = _fit(trainer, data)
    assert (len(told), result.best_score) == (2, None)
    assert best_model_file(trainer) == tmp_path / "RaCT-tiny-2.pth"


def test_a_loss_that_is_no_number_is_said_with_its_epoch(workspace: Workspace, tmp_path: Path) -> None:
    trainer, data = _trainer(workspace, tmp_path, epochs=3, learning_rate=1e30)
    with pytest.raises(TrainingError, match=r"the training loss became NaN in epoch \d; a smaller learning_rate"):
        _fit(trainer, data)


def test_other_value_errors_are_not_called_nan(workspace: Workspace, tmp_path: Path) -> None:
    trainer, data = _trainer(workspace, tmp_path)

    def broken(*args: Any, **options: Any) -> None:
        raise ValueError("something else")

    trainer._train_epoch = broken
    with pytest.raises(ValueError, match=r"^something else$") as caught:
        _fit(trainer, data)
    assert not isinstance(caught.value, TrainingError)


def test_a_closed_trainer_leaves_no_thread_behind(workspace: Workspace, tmp_path: Path) -> None:
    before = set(threading.enumerate())
    trainer, data = _trainer(workspace, tmp_path, epochs=1)
    _fit(trainer, data)
    assert len(set(threading.enumerate()) - before) == 1, "TensorBoard writes from a thread"
    close(trainer)
    assert set(threading.enumerate()) == before


def test_messages_have_no_colours_and_are_never_empty() -> None:
    assert message_of(ValueError("\x1b[31mbad\x1b[0m")) == "bad"
    assert message_of(ValueError()) == "ValueError"
