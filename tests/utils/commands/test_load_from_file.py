"""`load_from_file`: training goes on, on the right model only, and no pickled code is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.workspace import TRAIN, Run, Workspace, metrics, transferred

RESUME = ["init_model", "init_trainer", {"load_from_file": "first.pth"}]


@pytest.fixture(scope="module")
def first(workspace: Workspace) -> Run:
    """Two epochs, of which the second is the best; its checkpoint lies in `first.pth`."""
    run = workspace.run(TRAIN, "first", epochs=2)
    (workspace.folder / "first.pth").write_bytes((run.dir / "model.pth").read_bytes())
    return run


def test_training_goes_on_at_the_next_epoch(first: Run, workspace: Workspace) -> None:
    run = workspace.run([*RESUME, "train", "test_eval"], "resumed", epochs=4)
    assert run.facts("load_from_file")["start_epoch"] == 2
    assert "        first.pth, goes on at epoch 2" in run.console.lines
    assert [epoch["epoch"] for epoch in run.record.stages["0"]["epochs"]] == [2, 3]


def test_the_file_that_was_read_is_not_written(first: Run, workspace: Workspace) -> None:
    before = (workspace.folder / "first.pth").read_bytes()
    run = workspace.run([*RESUME, "train"], "unwritten", epochs=4)
    assert (workspace.folder / "first.pth").read_bytes() == before
    assert run.record.stages["0"]["bestmodel_file"].endswith(f"{run.record.run_id}/model.pth")


def test_a_loaded_model_can_be_tested_at_once(first: Run, workspace: Workspace) -> None:
    run = workspace.run([*RESUME, "test_eval"], "tested")
    assert metrics(run.record) == metrics(first.record)


def test_where_nothing_got_better_the_loaded_model_is_the_best(first: Run, workspace: Workspace) -> None:
    # So large a step ruins the model; a score of zero would count as no worse than zero.
    assert first.record.stages["0"]["best_val_score"] > 0
    state = torch.load(workspace.folder / "first.pth", weights_only=True)
    state["best_valid_score"] = 1.0
    torch.save(state, workspace.folder / "perfect.pth")
    steps = [*RESUME[:2], {"load_from_file": "perfect.pth"}, "train", "test_eval"]
    run = workspace.run(steps, "worse", epochs=4)
    stage = run.record.stages["0"]
    assert (stage["best_val_score"], stage["best_epoch"], len(stage["epochs"])) == (1.0, 1, 2)
    assert metrics(run.record) == metrics(first.record)


def test_with_no_epoch_left_the_loaded_model_is_kept_as_it_is(first: Run, workspace: Workspace) -> None:
    run = workspace.run([*RESUME, "train", "test_eval"], "finished", epochs=2)
    stage = run.record.stages["0"]
    assert (stage["epochs"], stage["best_epoch"]) == ([], 1)
    assert stage["best_val_score"] == first.record.stages["0"]["best_val_score"]
    assert metrics(run.record) == metrics(first.record)
    assert torch.load(run.dir / "model.pth", weights_only=True)["epoch"] == 1


def _refused(workspace: Workspace, path: str, **settings: Any) -> str:
    run = workspace.run([*RESUME[:2], {"load_from_file": path}, "train"], "refused", **settings)
    assert run.record.status == "failed"
    error = run.record.error or {}
    assert error["command"] == "load_from_file"
    line = (workspace.folder / "refused.yaml").read_text().splitlines()[error["line"] - 1]
    assert line == f"- load_from_file: {path}"
    return error["message"].removeprefix("load_from_file.path: ")


def test_a_checkpoint_of_another_model_is_refused(first: Run, workspace: Workspace) -> None:
    said = _refused(workspace, "first.pth", model="NeuMF")
    assert said == "first.pth is a checkpoint of BPR, not of NeuMF; nothing was loaded"


def test_a_checkpoint_of_other_sizes_is_refused(first: Run, workspace: Workspace) -> None:
    said = _refused(workspace, "first.pth", embedding_size=4)
    assert said == "first.pth: embedding_size is 8 there and 4 here; nothing was loaded"


def test_weights_that_do_not_fit_are_refused(first: Run, workspace: Workspace) -> None:
    state = torch.load(workspace.folder / "first.pth", weights_only=True)
    state["state_dict"]["item_embedding.weight"] = state["state_dict"]["item_embedding.weight"][:, :4]
    torch.save(state, workspace.folder / "narrow.pth")
    said = _refused(workspace, "narrow.pth")
    what = "'item_embedding.weight' is [41, 4] there and [41, 8] here"
    assert said == f"narrow.pth does not fit this BPR: {what}; nothing was loaded"


def test_a_checkpoint_with_code_is_refused_and_the_code_not_run(first: Run, workspace: Workspace) -> None:
    class Touch:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (workspace.folder / "was_run",)

    torch.save({"state_dict": {}, "config": Touch()}, workspace.folder / "evil.pth")
    assert _refused(workspace, "evil.pth").startswith("evil.pth contains pickled objects, which may run code")
    assert not (workspace.folder / "was_run").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half a file"])
def test_what_is_no_checkpoint_is_refused(content: bytes, workspace: Workspace) -> None:
    (workspace.folder / "broken.pth").write_bytes(content)
    assert _refused(workspace, "broken.pth") == "broken.pth is not a torch file"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        # The weights fit and the users and items are the same: only the record of the split tells.
        (
            {"eval_args": {"split": {"RS": [0.8, 0.1, 0.1]}, "order": "RO", "group_by": "user", "mode": "full"}},
            "first.pth: it was trained on another train part than this run's, which may hold this run's test items; "
            "nothing was loaded",
        ),
        (
            {"item_inter_num_interval": "[11,inf)"},
            "first.pth: its rows stand for other users and items than this run's; nothing was loaded",
        ),
    ],
)
def test_a_checkpoint_from_other_data_is_refused(
    settings: dict[str, Any], said: str, first: Run, workspace: Workspace
) -> None:
    assert _refused(workspace, "first.pth", **settings) == said


def test_a_checkpoint_of_another_shape_that_fits_is_refused(workspace: Workspace) -> None:
    lightgcn = {"model": "LightGCN", "embedding_size": 8, "epochs": 1}
    run = workspace.run(TRAIN, "two_layers", **lightgcn)
    (workspace.folder / "two.pth").write_bytes((run.dir / "model.pth").read_bytes())
    said = _refused(workspace, "two.pth", n_layers=3, **lightgcn)
    assert said == "two.pth: n_layers is 2 there and 3 here; nothing was loaded"


def test_the_scenarios_learning_rate_holds_after_loading(first: Run, workspace: Workspace) -> None:
    # A step of (nearly) nothing leaves the weights where they were.
    run = workspace.run([*RESUME, "train"], "still", epochs=3, learning_rate=1e-12)
    before = torch.load(workspace.folder / "first.pth", weights_only=True)["state_dict"]
    after = torch.load(run.dir / "model.pth", weights_only=True)["state_dict"]
    torch.testing.assert_close(after["user_embedding.weight"], before["user_embedding.weight"], rtol=0, atol=1e-9)


def test_a_best_score_by_another_metric_does_not_count(first: Run, workspace: Workspace) -> None:
    run = workspace.run([*RESUME, "train"], "other_metric", epochs=3, valid_metric="Recall@5")
    stage = run.record.stages["0"]
    assert stage["best_val_score"] == stage["epochs"][0]["valid"]["recall@5"]


def test_a_loaded_transfer_is_not_taken_for_a_plain_run(workspace: Workspace) -> None:
    workspace.save_vectors("u.pt", [f"u{number}" for number in range(1, 31)])
    wrap = [{"wrap_model": {"distil_loss": "mse", "users_emb_file": "u.pt"}}, {"set_outputs": ["user_embedding"]}]
    run = workspace.run([TRAIN[0], *wrap, *TRAIN[1:]], "knowing", epochs=1)
    (workspace.folder / "knowing.pth").write_bytes((run.dir / "model.pth").read_bytes())
    loaded = workspace.run([*RESUME[:2], {"load_from_file": "knowing.pth"}, "test_eval"], "loaded")
    assert loaded.record.stages["0"]["loaded_from"]["path"] == "knowing.pth"
    assert transferred(loaded.record)


def test_a_best_score_under_another_protocol_does_not_count(first: Run, workspace: Workspace) -> None:
    sampled = {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user", "mode": "uni20"}
    run = workspace.run([*RESUME, "train"], "sampled", epochs=3, eval_args=sampled)
    assert "        first.pth, goes on at epoch 2; its best score was measured in another way and does not count" in (
        run.console.lines
    )
    stage = run.record.stages["0"]
    assert stage["best_val_score"] == stage["epochs"][0]["valid"]["ndcg@5"]


def test_another_optimizer_is_refused(first: Run, workspace: Workspace) -> None:
    said = _refused(workspace, "first.pth", learner="sgd")
    assert said == "first.pth: its optimizer is 'adam' and this one's 'sgd'; nothing was loaded"


def test_a_fine_tuning_may_regularise_otherwise(workspace: Workspace) -> None:
    lightgcn = {"model": "LightGCN", "embedding_size": 8, "epochs": 1}
    run = workspace.run(TRAIN, "regularised", **lightgcn)
    (workspace.folder / "regularised.pth").write_bytes((run.dir / "model.pth").read_bytes())
    steps = [*RESUME[:2], {"load_from_file": "regularised.pth"}, "test_eval"]
    again = workspace.run(steps, "otherwise", reg_weight=0.5, **lightgcn)
    assert metrics(again.record) == metrics(run.record)
