"""`init_model`, `init_trainer`, `train`, `test_eval`, `set_trainable`, `set_train_dataset`, `set_config`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.workspace import SASREC, TRAIN, USERS, Run, Workspace, metrics, standing_in, transferred
from utils.scenario import plan, source
from utils.scenario.errors import ScenarioError


def _weights(run: Run, name: str = "model.pth") -> dict[str, torch.Tensor]:
    return torch.load(run.dir / name, weights_only=True)["state_dict"]


def _losses(run: Run, stage: str = "0") -> list[list[float]]:
    return [epoch["losses"] for epoch in run.record.stages[stage]["epochs"]]


@pytest.fixture(scope="module")
def plain(workspace: Workspace) -> Run:
    return workspace.run(TRAIN, "plain")


def test_a_plain_run_says_what_it_does(plain: Run) -> None:
    lines = [re.sub(r"(0\.\d{4}|\d\.\d{4}|\d+\.\d s)", "N", line) for line in plain.console.lines]
    lines = [line.removesuffix(", N") for line in lines]
    assert lines == [
        "    1/4 init_model",
        "        BPR, 576 parameters",
        "    2/4 init_trainer",
        "        Trainer, epochs 2, learning rate 0.001",
        "    3/4 train",
        "        epoch   0: loss N, valid ndcg@5 N",
        "        epoch   1: loss N, valid ndcg@5 N",
        "        2 epochs, best valid ndcg@5 N in epoch 1",
        "    4/4 test_eval",
        "        recall@5 N, ndcg@5 N (seen items left out); cold items (2 rows) N, cold users (30 rows) N ndcg@5",
    ]


def test_its_stage_has_the_numbers_as_numbers(plain: Run) -> None:
    stage = plain.record.stages["0"]
    assert stage["best_test_res"] == plain.facts("test_eval")
    assert stage["best_val_score"] == stage["best_val_res"]["ndcg@5"] == stage["epochs"][1]["valid"]["ndcg@5"]
    assert (stage["best_epoch"], stage["train_ds_ind"], stage["transferred"]) == (1, 0, False)
    assert stage["bestmodel_file"] == f"saved/{plain.record.run_id}/model.pth"


def test_the_same_seed_gives_the_same_run_whatever_stands_between(plain: Run, workspace: Workspace) -> None:
    workspace.save_vectors("u.pt", USERS)
    steps = [
        {"reduce_dim": {"file_in": "u.pt", "file_out": "u4.pt", "dimension": 4, "overwrite": True}},
        "init_model",
        {"wrap_model": {"distil_loss": "rmse", "users_emb_file": "u.pt"}},
        {"set_outputs": ["user_embedding"]},
        {"info": 1},
        "remove_outputs",
        "init_trainer",
        {"debug_model": 1},
        "train",
        "test_eval",
    ]
    other = workspace.run(steps, "between")
    assert _losses(other) == _losses(plain)
    assert metrics(other.record) == metrics(plain.record)
    for name, weight in _weights(plain).items():
        assert torch.equal(weight, _weights(other)[name])


@pytest.mark.parametrize("learner", ["adam", "adamw", "sgd", "rmsprop"])
def test_frozen_layers_do_not_move_even_with_weight_decay(learner: str, workspace: Workspace) -> None:
    steps = ["init_model", {"set_trainable": [["user_embedding"], False]}, *TRAIN[1:]]
    settings = {"learner": learner, "weight_decay": 0.1, "learning_rate": 0.1}
    frozen = _weights(workspace.run(steps, "frozen", **settings))
    fresh = _weights(workspace.run(TRAIN, "fresh", epochs=0))
    assert torch.equal(frozen["user_embedding.weight"], fresh["user_embedding.weight"])
    assert not torch.equal(frozen["item_embedding.weight"], fresh["item_embedding.weight"])


def test_layers_frozen_after_a_training_stay_where_they_are(workspace: Workspace) -> None:
    steps = [*TRAIN[:3], {"set_trainable": [["item_embedding"], False]}, "init_trainer", "train"]
    run = workspace.run(steps, "frozen_later", weight_decay=0.1, epochs=1)
    first, second = _weights(run, "model.pth"), _weights(run, "model-2.pth")
    assert torch.equal(first["item_embedding.weight"], second["item_embedding.weight"])
    assert not torch.equal(first["user_embedding.weight"], second["user_embedding.weight"])
    assert run.record.stages["0-2"]["set_trainable"] == [[["item_embedding"], False]]


def test_set_config_takes_effect_before_init_trainer(workspace: Workspace) -> None:
    steps = ["init_model", {"set_config": {"epochs": 3, "eval_step": 3}}, *TRAIN[1:]]
    run = workspace.run(steps, "config")
    assert len(_losses(run)) == 3
    assert [bool(epoch["valid"]) for epoch in run.record.stages["0"]["epochs"]] == [False, False, True]
    assert run.record.stages["0"]["config"] == {"epochs": 3, "eval_step": 3}
    assert "        epochs = 3, eval_step = 3" in run.console.lines


def test_set_config_before_the_data_is_what_the_record_says(workspace: Workspace) -> None:
    run = workspace.run([{"set_config": {"seed": 99}}, *TRAIN], "seeded", epochs=1)
    other = workspace.run(TRAIN, "seeded_at_once", epochs=1, seed=99)
    assert run.record.settings["seed"] == other.record.settings["seed"] == 99
    assert metrics(run.record) == metrics(other.record)
    assert _losses(run) == _losses(other)


def test_the_protocol_is_that_of_the_trainer(workspace: Workspace) -> None:
    steps = ["init_model", {"set_config": {"topk": [3], "valid_metric": "Recall@3"}}, *TRAIN[1:]]
    run = workspace.run(steps, "protocol", epochs=1)
    assert (run.record.protocol["topk"], run.record.protocol["valid_metric"]) == ([3], "Recall@3")
    assert list(metrics(run.record)) == ["recall@3", "ndcg@3"]


def test_the_loss_weight_can_change_while_it_runs(workspace: Workspace) -> None:
    workspace.save_vectors("u.pt", USERS)
    wrap = [
        "init_model",
        {"wrap_model": {"distil_loss": "mse", "users_emb_file": "u.pt"}},
        {"set_outputs": ["user_embedding"]},
        "init_trainer",
    ]
    late = workspace.run([*wrap, {"set_config": {"distil_loss_weight": 1.0}}, "train"], "weight", epochs=1)
    early = workspace.run([*wrap, "train"], "weight_early", epochs=1, distil_loss_weight=1.0)
    half = workspace.run([*wrap, "train"], "weight_half", epochs=1)
    # (1-a) * model loss + a * transfer loss: at a = 1 nothing is left of the model's.
    assert _losses(late)[0][0] == 0
    assert _losses(late) == _losses(early)
    assert _losses(half)[0][0] > 0
    weights = [run.record.stages["0"]["distil_loss_weight"] for run in (late, early, half)]
    assert weights == [1.0, 1.0, 0.5]
    assert [workspace.journal()[row]["dist_loss_w"] for row in (-3, -2, -1)] == ["1.0", "1.0", "0.5"]


def test_stages_keep_their_own_results(workspace: Workspace) -> None:
    workspace.save_vectors("u.pt", USERS)
    steps = [
        {"set": {"train_part": 0}},
        "init_model",
        {"wrap_model": {"distil_loss": "mse", "users_emb_file": "u.pt"}},
        {"set_outputs": ["user_embedding"]},
        {"set_train_dataset": 0},
        "init_trainer",
        "train",
        {"set": {"train_part": 1}},
        "remove_outputs",
        {"set_train_dataset": 2},
        {"set_config": {"epochs": 1}},
        "init_trainer",
        "train",
        "test_eval",
    ]
    run = workspace.run(steps, "stages", add_train_split=[0.5, 0.5])
    first, second = run.record.stages["0"], run.record.stages["1"]
    assert (len(first["epochs"]), len(second["epochs"])) == (2, 1)
    assert (len(first["epochs"][0]["losses"]), len(second["epochs"][0]["losses"])) == (2, 1)
    assert (first["train_ds_ind"], second["train_ds_ind"]) == (0, 2)
    assert (first["loss_name"], second["loss_name"]) == ("mse", None)
    assert first["best_test_res"] is None
    assert [stage["bestmodel_file"].rsplit("/")[-1] for stage in (first, second)] == ["model.pth", "model-2.pth"]
    row = workspace.journal()[-1]
    assert (row["train_0:loss_name"], row["train_0:set_outputs"]) == ("mse", '["user_embedding"]')
    assert (row["train_1:loss_name"], row["train_1:config"]) == ("", '{"epochs": 1}')
    assert row["train_split"] == "[0.5, 0.5]"


def test_a_part_is_smaller_than_the_whole(workspace: Workspace) -> None:
    run = workspace.run([{"set_train_dataset": 0}, *TRAIN], "part", add_train_split=[0.5, 0.5], epochs=1)
    whole = workspace.run([{"set_train_dataset": 2}, *TRAIN], "whole", add_train_split=[0.5, 0.5], epochs=1)
    # Batches of 256: 270 interactions make two, 540 make three; the loss is a sum over batches near log 2 each.
    assert _losses(run)[0][0] == pytest.approx(2 * 0.693, abs=0.1)
    assert _losses(whole)[0][0] == pytest.approx(3 * 0.693, abs=0.1)


def test_a_second_training_opens_a_stage_of_its_own(workspace: Workspace) -> None:
    run = workspace.run([*TRAIN, "init_trainer", "train"], "again", epochs=1)
    first, second = run.record.stages["0"], run.record.stages["0-2"]
    assert first["best_test_res"] == metrics(run.record)
    assert second["best_test_res"] is None
    assert (first["lineage"], second["lineage"]) == (["0"], ["0", "0-2"])
    # test_eval has put the best epoch's weights into the model, and the second training goes on from them.
    assert (first["starts_from"], second["starts_from"]) == ("fresh", "best")


def test_a_trainer_trains_once(workspace: Workspace) -> None:
    path = workspace.write([*TRAIN, "train"], "twice")
    with standing_in(workspace.folder), pytest.raises(ScenarioError) as caught:
        plan.build(source.read(Path(path.name)))
    message = "train needs a trainer that has not trained yet; put 'init_trainer' before it"
    assert [problem.message for problem in caught.value.problems] == [message]


def test_a_weight_of_zero_is_no_transfer(workspace: Workspace) -> None:
    workspace.save_vectors("u.pt", USERS)
    wrap = [{"wrap_model": {"distil_loss": "mse", "users_emb_file": "u.pt"}}, {"set_outputs": ["user_embedding"]}]
    run = workspace.run([TRAIN[0], *wrap, *TRAIN[1:]], "weightless", epochs=1, distil_loss_weight=0)
    assert run.record.stages["0"]["transferred"] is False
    assert not transferred(run.record)


def test_a_loss_without_outputs_is_said_to_be_unused(workspace: Workspace) -> None:
    workspace.save_vectors("u.pt", USERS)
    wrap = {"wrap_model": {"distil_loss": "mse", "users_emb_file": "u.pt"}}
    run = workspace.run([TRAIN[0], wrap, *TRAIN[1:]], "unused", epochs=1)
    assert "wrap_model's loss was not used: no set_outputs" in run.console.text


def test_save_false_keeps_numbers_and_no_models(workspace: Workspace) -> None:
    run = workspace.run(TRAIN, "unsaved", save=False, epochs=1)
    assert sorted(file.name for file in run.dir.iterdir()) == ["per_user_0.parquet", "record.json", "resolved.yaml"]
    assert run.record.stages["0"]["bestmodel_file"] is None
    assert set(metrics(run.record)) == {"recall@5", "ndcg@5"}


@pytest.mark.parametrize(
    "settings",
    [
        {"eval_args": {"split": {"LS": "test_only"}, "order": "TO", "mode": "full"}},
        {"epochs": 0},
        {"eval_step": 0},
    ],
)
def test_without_validation_there_is_a_test_all_the_same(settings: dict[str, Any], workspace: Workspace) -> None:
    run = workspace.run(TRAIN, "unvalidated", **settings)
    assert run.record.status == "done"
    assert run.record.stages["0"]["best_val_score"] is None
    assert set(metrics(run.record)) == {"recall@5", "ndcg@5"}
    assert "epochs, not validated" in run.console.text


def test_a_pretraining_counts_as_a_training(workspace: Workspace) -> None:
    settings = {
        "model": "S3Rec", "MAX_ITEM_LIST_LENGTH": 5, "hidden_size": 8, "inner_size": 8, "train_stage": "pretrain",
        "pretrain_epochs": 2, "save_step": 1, "train_neg_sample_args": None, "item_attribute": "class",
        "load_col": {"inter": ["user_id", "item_id", "timestamp"], "item": ["item_id", "class"]},
    }  # fmt: skip
    run = workspace.run(TRAIN[:3], "pretrain", **settings)
    assert run.record.status == "done", run.console.text
    assert len(run.record.stages["0"]["epochs"]) == 2
    assert run.record.stages["0"]["bestmodel_file"].endswith("/S3Rec-tiny-2.pth")


@pytest.mark.parametrize(
    "settings",
    [
        SASREC,
        {
            "model": "CKE", "embedding_size": 8, "kg_embedding_size": 8,
            "load_col": {"inter": ["user_id", "item_id", "timestamp"], "kg": ["head_id", "relation_id", "tail_id"],
                         "link": ["item_id", "entity_id"]},
        },
        {"model": "MultiVAE", "mlp_hidden_size": [8], "latent_dimension": 8, "train_neg_sample_args": None},
        {"model": "Pop"},
    ],
    ids=lambda settings: settings["model"],
)  # fmt: skip
def test_every_kind_of_model_trains(settings: dict[str, Any], workspace: Workspace) -> None:
    run = workspace.run(TRAIN, "kinds", **settings)
    assert run.record.status == "done", run.console.text
    assert set(metrics(run.record)) == {"recall@5", "ndcg@5"}


WRAPPED: list[Any] = [
    TRAIN[0],
    {"wrap_model": {"distil_loss": "mse", "users_emb_file": "u.pt"}},
    {"set_outputs": ["user_embedding"]},
    *TRAIN[1:3],
]


def test_a_test_belongs_to_the_stage_that_trained_the_model(workspace: Workspace) -> None:
    workspace.save_vectors("u.pt", USERS)
    run = workspace.run([*WRAPPED, {"set": {"train_part": 1}}, "test_eval"], "late_test", epochs=1)
    assert run.record.stages["0"]["best_test_res"] == metrics(run.record) != {}
    assert "best_test_res" not in run.record.stages["1"]
    assert transferred(run.record)


def test_going_back_to_an_earlier_part_changes_nothing_of_its_numbers(workspace: Workspace) -> None:
    workspace.save_vectors("u.pt", USERS)
    steps = [*TRAIN, {"set": {"train_part": 1}}, *WRAPPED[1:], {"set": {"train_part": 0}}, "test_eval"]
    run = workspace.run(steps, "back", epochs=1)
    plain = workspace.run(TRAIN, "back_plain", epochs=1)
    assert run.record.stages["0"]["best_test_res"] == metrics(plain.record)
    assert run.record.stages["1"]["best_test_res"] == metrics(run.record)
    assert transferred(run.record)


def test_a_model_loaded_after_a_training_is_tested_in_a_stage_of_its_own(workspace: Workspace) -> None:
    workspace.save_vectors("u.pt", USERS)
    other = workspace.run(TRAIN, "other", epochs=5, learning_rate=0.05)
    (workspace.folder / "other.pth").write_bytes((other.dir / "model.pth").read_bytes())
    steps = [*WRAPPED, "test_eval", "init_trainer", {"load_from_file": "other.pth"}, "test_eval"]
    run = workspace.run(steps, "load_after", epochs=1)
    assert run.record.stages["0-2"]["best_test_res"] == metrics(run.record) == metrics(other.record)
    assert run.record.stages["0"]["best_test_res"] != metrics(other.record)
    # What is shown is the loaded model, and nothing was transferred into that.
    assert not transferred(run.record)


def test_a_part_may_have_a_dash_in_its_name(workspace: Workspace) -> None:
    steps = [{"set": {"train_part": "pre-train"}}, *TRAIN, "init_trainer", "train"]
    run = workspace.run(steps, "dashed", epochs=1)
    assert list(run.record.stages) == ["pre-train", "pre-train-2"]
