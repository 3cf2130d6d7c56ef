"""`wrap_model`, `set_outputs`, `remove_outputs`, and what goes wrong with them in the middle of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.workspace import ITEMS, USERS, Run, Workspace, standing_in, transferred
from utils.scenario import plan, source
from utils.scenario.errors import ScenarioError

WRAP: dict[str, Any] = {"wrap_model": {"distil_loss": "mse", "users_emb_file": "u.pt"}}
END = ["init_trainer", "train", "test_eval"]


def _wrapped(workspace: Workspace, taps: Any, name: str = "wrapped", wrap: Any = WRAP, **settings: Any) -> Run:
    return workspace.run(["init_model", wrap, {"set_outputs": taps}, *END], name, **settings)


def _error(run: Run) -> tuple[str, str]:
    """The message, and the line of the file that it points at."""
    error = run.record.error or {}
    line = (run.folder / error["file"]).read_text().splitlines()[error["line"] - 1]
    return error["message"], line[error["column"] - 1 :]


@pytest.fixture(autouse=True)
def _vectors(workspace: Workspace) -> None:
    workspace.save_vectors("u.pt", USERS)
    workspace.save_vectors("u4.pt", USERS, width=4)
    workspace.save_vectors("u9.pt", USERS, width=9)
    workspace.save_vectors("i.pt", ITEMS)


def test_a_transfer_has_two_losses_and_its_names_in_the_record(workspace: Workspace) -> None:
    run = _wrapped(workspace, ["user_embedding"])
    stage = run.record.stages["0"]
    assert [len(epoch["losses"]) for epoch in stage["epochs"]] == [2, 2]
    names = ("loss_name", "users_emb", "items_emb", "particular", "transferred", "set_outputs")
    assert [stage[name] for name in names] == ["mse", "u.pt", None, False, True, ["user_embedding"]]
    assert transferred(run.record)
    assert "        mse, vectors for 30 of 30 users" in run.console.lines
    assert "        layer 2, user_embedding" in run.console.lines


def test_both_sides_each_have_their_taps(workspace: Workspace) -> None:
    wrap = {"wrap_model": {"distil_loss": "mse", "users_emb_file": "u.pt", "items_emb_file": "i.pt"}}
    run = _wrapped(workspace, {"users": ["user_embedding"], "items": ["item_embedding#1"]}, wrap=wrap)
    assert run.record.status == "done", run.console.text
    assert run.facts("wrap_model")["coverage"] == {"users": "30 of 30 users", "items": "40 of 40 items"}


def test_vectors_of_some_users_are_enough(workspace: Workspace) -> None:
    workspace.save_vectors("few.pt", [*USERS[:10], "stranger"])
    run = _wrapped(
        workspace, ["user_embedding"], wrap={"wrap_model": {**WRAP["wrap_model"], "users_emb_file": "few.pt"}}
    )
    assert run.record.status == "done", run.console.text
    assert "        mse, vectors for 10 of 30 users" in run.console.lines


def test_removed_outputs_leave_the_plain_loss(workspace: Workspace) -> None:
    run = workspace.run(["init_model", WRAP, {"set_outputs": ["user_embedding"]}, "remove_outputs", *END], "removed")
    assert run.facts("remove_outputs") == {"removed": 1}
    assert not transferred(run.record)
    assert [len(epoch["losses"]) for epoch in run.record.stages["0"]["epochs"]] == [1, 1]


def test_a_model_is_wrapped_once_at_a_time(workspace: Workspace) -> None:
    tap = {"set_outputs": ["user_embedding"]}
    twice = workspace.run(["init_model", WRAP, tap, WRAP, tap, *END], "twice")
    assert _error(twice)[0] == (
        "wrap_model: the model still has outputs of an earlier wrap_model; put remove_outputs before it"
    )
    again = workspace.run(["init_model", WRAP, tap, "remove_outputs", WRAP, tap, *END], "again")
    assert [len(epoch["losses"]) for epoch in again.record.stages["0"]["epochs"]] == [2, 2]


def test_a_failed_run_leaves_no_hook_on_the_model(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from utils.recbole_port import session

    built: list[torch.nn.Module] = []
    build = session.build_model
    monkeypatch.setattr(session, "build_model", lambda *args: built.append(build(*args)) or built[-1])
    assert _wrapped(
        workspace, ["user_embedding"], wrap={"wrap_model": {**WRAP["wrap_model"], "users_emb_file": "u9.pt"}}
    )
    assert "calculate_loss" not in vars(built[0])
    assert not any(module._forward_hooks for module in built[0].modules())


@pytest.mark.parametrize(
    ("file", "taps", "message", "at"),
    [
        (
            "u4.pt",
            ["user_embedding"],
            "set_outputs: the tap 'user_embedding' (layer 2, user_embedding) is 8 wide, u4.pt has 4; "
            "particular: True compares its first 4, or declare an adapter",
            "- user_embedding",
        ),
        (
            "u9.pt",
            ["user_embedding"],
            "set_outputs: the tap 'user_embedding' (layer 2, user_embedding) is 8 wide, u9.pt has 9; "
            "reduce the vectors to 8 (reduce_dim), or declare an adapter",
            "- user_embedding",
        ),
        (
            "u.pt",
            ["predict"],
            "set_outputs: the tap 'predict' (BPR.predict()) did not fire: the loss does not call it",
            "- predict",
        ),
        (
            "u.pt",
            ["item_embedding"],
            "set_outputs: the tap 'item_embedding' (layer 3, item_embedding) fired 2 times; "
            "say which: 'item_embedding#1' or 'item_embedding#2'",
            "- item_embedding",
        ),
        (
            "u.pt",
            [9],
            "set_outputs.layers: no layer 9: layers of BPR start at 1 (the model) and end at 4",
            "- 9",
        ),
        (
            "u.pt",
            ["user_embeding"],
            "set_outputs.layers: BPR has no layer or method 'user_embeding'; did you mean 'user_embedding'?",
            "- user_embeding",
        ),
    ],
)
def test_a_tap_that_cannot_be_compared_is_blamed_on_set_outputs(
    file: str, taps: list[Any], message: str, at: str, workspace: Workspace
) -> None:
    run = _wrapped(workspace, taps, "tap", wrap={"wrap_model": {"distil_loss": "mse", "users_emb_file": file}})
    assert run.record.status == "failed"
    assert _error(run) == (message, at)


def test_a_wider_layer_is_fine_with_particular(workspace: Workspace) -> None:
    wrap = {"wrap_model": {"distil_loss": "mse", "users_emb_file": "u4.pt", "particular": True}}
    assert _wrapped(workspace, ["user_embedding"], wrap=wrap).record.status == "done"


def test_a_tap_on_frozen_layers_only_is_refused(workspace: Workspace) -> None:
    steps = [
        "init_model",
        WRAP,
        {"set_outputs": ["user_embedding"]},
        {"set_trainable": [["user_embedding"], False]},
        *END,
    ]
    message, _ = _error(workspace.run(steps, "frozen"))
    assert message == (
        "set_outputs: the tap 'user_embedding' (layer 2, user_embedding) has no gradient: "
        "everything it depends on is frozen"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (torch.ones(30, 8), "is a matrix without tokens, but users are not numbered (e.g. '"),
        ({"vectors": torch.ones(1, 8), "tokens": ["x"]}, "none of its tokens (x, ...) is one of the 30 users ("),
    ],
)
def test_a_vector_file_that_does_not_fit_is_blamed_on_its_parameter(
    content: Any, message: str, workspace: Workspace
) -> None:
    torch.save(content, workspace.vectors / "bad.pt")
    run = workspace.run(["init_model", {"wrap_model": {"distil_loss": "mse", "users_emb_file": "bad.pt"}}], "bad")
    said, at = _error(run)
    assert said.startswith("wrap_model.users_emb_file: datasets/llm_embeddings/tiny/bad.pt")
    assert message in said
    assert at == "bad.pt"


def test_a_vector_file_that_cannot_be_used_anywhere_is_found_before_anything_runs(workspace: Workspace) -> None:
    content = {"vectors": torch.full((1, 8), torch.nan), "tokens": ["u1"]}
    torch.save(content, workspace.vectors / "nan.pt")
    path = workspace.write(["init_model", {"wrap_model": {"distil_loss": "mse", "users_emb_file": "nan.pt"}}], "nan")
    with standing_in(workspace.folder), pytest.raises(ScenarioError) as caught:
        plan.build(source.read(Path(path.name)))
    (problem,) = caught.value.problems
    assert problem.source_line.strip() == "users_emb_file: nan.pt"
    assert "nan.pt has 1 row with NaN or infinity, the first is row 0 (token 'u1')" in problem.message


def test_vectors_that_do_not_say_what_they_were_written_from_are_noted(workspace: Workspace) -> None:
    workspace.save_vectors("told.pt", USERS, source="random")
    workspace.save_vectors("untold.pt", USERS)
    notes = {}
    for name in ("told.pt", "untold.pt"):
        run = workspace.run(["init_model", {"wrap_model": {"distil_loss": "mse", "users_emb_file": name}}], "origin")
        notes[name] = [line.strip() for line in run.console.lines if "note:" in line]
    assert notes == {
        "told.pt": [],
        "untold.pt": ["note: untold.pt does not say what it was written from; test items may be in it"],
    }


@pytest.mark.parametrize(
    ("meta", "said"),
    [
        ({"side": "items"}, "v.pt holds vectors of items, not of users"),
        ({"dataset": "ml-1m"}, "v.pt holds vectors of ml-1m, not of tiny"),
    ],
)
def test_vectors_of_another_side_or_dataset_are_refused(meta: dict[str, str], said: str, workspace: Workspace) -> None:
    # Tokens are often just numbers, so those of the items would fit the users.
    workspace.save_vectors("v.pt", USERS, **meta)
    run = workspace.run(["init_model", {"wrap_model": {"distil_loss": "mse", "users_emb_file": "v.pt"}}], "foreign")
    assert (run.record.error or {})["message"] == f"wrap_model.users_emb_file: {said}"
