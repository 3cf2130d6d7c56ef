"""Several losses from a scenario to its record, its console, its model file and its twins."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from tests.workspace import ITEMS, TRAIN, USERS, Run, Workspace, metrics, transferred
from utils.journal.outcome import outcome_of

BOTH = {"users": ["user_embedding"], "items": ["item_embedding#1"]}
LOSSES: dict[str, Any] = {
    "contrast": {
        "loss": "infonce",
        "users_emb_file": "u6.pt",
        "options": {"temperature": 0.3},
        "adapter": {"teacher": "mlp"},
        "outputs": ["user_embedding"],
        "weight": {"schedule": "warmup", "value": 0.5, "epochs": 2},
    },
    "told": {
        "loss": "masked_reconstruction",
        "users_emb_file": "u6.pt",
        "items_emb_file": "i6.pt",
        "adapter": {"student": "linear"},
        "mask": {"users": "user_embedding", "items": ["item_embedding"], "ratio": 0.3},
        # Not the tables: their rows are hidden, and a method's taps are what the model makes of them.
        "outputs": {"users": ["get_user_embedding"], "items": ["get_item_embedding#1"]},
    },
    "ranks": {
        "loss": "ranking_distillation",
        "users_emb_file": "u6.pt",
        "items_emb_file": "i6.pt",
        "options": {"k": 3},
        "outputs": BOTH,
    },
}
NAMES = list(LOSSES)


def _steps(losses: dict[str, Any] = LOSSES) -> list[Any]:
    return ["init_model", {"wrap_model": {"losses": copy.deepcopy(losses)}}, *TRAIN[1:]]


def _losses(run: Run) -> list[list[float]]:
    return [epoch["losses"] for epoch in run.record.stages["0"]["epochs"]]


def _kinds(run: Run) -> set[str]:
    """What the vectors of the training were."""
    return {each["control"] for each in run.record.stages["0"]["vectors"]}


def _error(run: Run) -> tuple[str, str]:
    """The message, and the line of the file that it points at."""
    error = run.record.error or {}
    return error["message"], (run.folder / error["file"]).read_text().splitlines()[error["line"] - 1].strip()


@pytest.fixture(scope="module", autouse=True)
def _vectors(workspace: Workspace) -> None:
    workspace.save_vectors("u6.pt", USERS[:25], width=6)
    workspace.save_vectors("i6.pt", ITEMS, width=6)
    workspace.save_vectors("u8.pt", USERS)


@pytest.fixture(scope="module")
def run(workspace: Workspace, _vectors: None) -> Run:
    return workspace.run(_steps(), "several", epochs=3)


def test_the_record_has_every_loss_and_its_part(run: Run) -> None:
    assert run.record.status == "done", run.console.text
    stage = run.record.stages["0"]
    names = "infonce + masked_reconstruction + ranking_distillation"
    assert (stage["loss_name"], stage["users_emb"], stage["items_emb"]) == (names, "u6.pt", "i6.pt")
    assert stage["losses"] == LOSSES
    assert stage["loss_parts"] == ["model", *NAMES]
    assert {len(parts) for parts in _losses(run)} == {len(stage["loss_parts"])}
    assert stage["set_outputs"]["contrast"] == {"layers": ["user_embedding"]}
    assert stage["set_outputs"]["told"] == LOSSES["told"]["outputs"]
    assert stage["set_outputs"]["ranks"] == BOTH
    assert (stage["transferred"], stage["knowledge"], stage["carried"]) == (True, [names], {})
    assert [(each["side"], each["file"]) for each in stage["vectors"]] == [
        ("users", "u6.pt"), ("users", "u6.pt"), ("items", "i6.pt"), ("users", "u6.pt"), ("items", "i6.pt"),
    ]  # fmt: skip
    assert (_kinds(run), stage["frozen"]) == ({"none"}, [])


def test_the_console_names_each_part_and_each_file_once(run: Run) -> None:
    epochs = [line for line in run.console.lines if line.strip().startswith("epoch ")]
    parts = [[word for word in line.split() if word in NAMES] for line in epochs]
    assert parts == [NAMES] * 3
    numbers = [f"{part:.4f}" for part in _losses(run)[0]]
    assert (
        f"loss {numbers[0]} + " + " + ".join(f"{n} {v}" for n, v in zip(NAMES, numbers[1:], strict=True)) in epochs[0]
    )
    assert run.console.text.count("note: u6.pt does not say") == 1
    names = "infonce, masked_reconstruction, ranking_distillation"
    assert f"        {names}, vectors for 25 of 30 users and 40 of 40 items" in run.console.lines


def test_the_saved_recommender_has_no_adapter_and_no_mask(run: Run, workspace: Workspace) -> None:
    plain = workspace.run(TRAIN, "plain_file")
    ours, theirs = (torch.load(one.dir / "model.pth", weights_only=True) for one in (run, plain))
    assert list(ours["state_dict"]) == list(theirs["state_dict"])
    groups = [[len(group["params"]) for group in one["optimizer"]["param_groups"]] for one in (ours, theirs)]
    assert groups[0] == groups[1]
    assert ours["optimizer"]["state"].keys() == theirs["optimizer"]["state"].keys()


def test_the_saved_recommender_loads_into_a_plain_scenario(run: Run, workspace: Workspace) -> None:
    load = ["init_model", "init_trainer", {"load_from_file": str(run.dir / "model.pth")}]
    tested = workspace.run([*load, "test_eval"], "tested")
    assert metrics(tested.record) == metrics(run.record)
    again = workspace.run([*load, "train", "test_eval"], "further", epochs=5)
    assert again.record.status == "done", again.console.text
    assert {len(parts) for parts in _losses(again)} == {1}


def test_a_loaded_recommender_is_trained_further_with_adapters(run: Run, workspace: Workspace) -> None:
    load = {"load_from_file": str(run.dir / "model.pth")}
    steps = [*_steps()[:2], "init_trainer", load, "train", "test_eval"]
    again = workspace.run(steps, "adapters_further", epochs=5)
    assert again.record.status == "done", again.console.text
    assert {len(parts) for parts in _losses(again)} == {4}


def test_weights_follow_the_epochs(workspace: Workspace) -> None:
    stop = {**LOSSES["contrast"], "weight": {"schedule": "stop", "value": 0.5, "epochs": 2}}
    run = workspace.run(_steps({"contrast": stop}), "stop", epochs=3)
    assert [parts[1] > 0 for parts in _losses(run)] == [True, True, False]


def test_the_plain_twin_gives_the_numbers_of_a_scenario_that_wraps_nothing(workspace: Workspace) -> None:
    twin = workspace.run(_steps(), "twin", epochs=3, control="plain")
    plain = workspace.run(TRAIN, "plain", epochs=3)
    assert "        the plain twin: nothing is transferred" in twin.console.lines
    assert _losses(twin) == _losses(plain)
    assert metrics(twin.record) == metrics(plain.record)
    assert not transferred(twin.record)
    assert _kinds(twin) == set()


def test_the_plain_twin_of_one_loss_gives_them_too(workspace: Workspace) -> None:
    wrap = {"wrap_model": {"distil_loss": "rmse", "users_emb_file": "u8.pt"}}
    steps = ["init_model", wrap, {"set_outputs": ["user_embedding"]}, "remove_outputs", *TRAIN[1:]]
    twin = workspace.run(steps, "one_twin", control="plain")
    assert _losses(twin) == _losses(workspace.run(TRAIN, "one_plain"))


@pytest.mark.parametrize("control", ["random", "shuffled"])
def test_a_control_is_recorded_as_one_and_has_other_numbers(control: str, run: Run, workspace: Workspace) -> None:
    made = workspace.run(_steps(), control, epochs=3, control=control)
    assert _kinds(made) == {control}
    assert transferred(made.record)
    assert _losses(made) != _losses(run)


def test_one_loss_of_several_may_be_a_control(workspace: Workspace) -> None:
    losses = {"known": LOSSES["contrast"], "wrong": {**LOSSES["contrast"], "control": "shuffled"}}
    run = workspace.run(_steps(losses), "one_control")
    assert _kinds(run) == {"none", "shuffled"}
    assert outcome_of(run.record).control == "partly"


def test_adapters_leave_what_the_model_draws_alone(workspace: Workspace) -> None:
    # The loss has no weight in the first epoch: nothing but random numbers could tell the two trainings apart.
    silent = {**LOSSES["contrast"], "weight": {"schedule": "linear", "start": 0, "end": 1, "epochs": 9}}
    with_adapter = workspace.run(_steps({"contrast": silent}), "silent", epochs=1, distil_loss_weight=0.5)
    without = workspace.run(
        _steps({"contrast": {**silent, "adapter": None, "users_emb_file": "u8.pt"}}),
        "silent_without",
        epochs=1,
        distil_loss_weight=0.5,
    )
    assert _losses(with_adapter) == _losses(without)
    assert metrics(with_adapter.record) == metrics(without.record)


def test_a_single_loss_takes_an_adapter_and_a_schedule_too(workspace: Workspace) -> None:
    wrap = {
        "distil_loss": "cosine",
        **{key: LOSSES["contrast"][key] for key in ("users_emb_file", "adapter", "weight")},
    }
    run = workspace.run(["init_model", {"wrap_model": wrap}, {"set_outputs": ["user_embedding"]}, *TRAIN[1:]], "single")
    assert run.record.status == "done", run.console.text
    assert {len(parts) for parts in _losses(run)} == {2}


def test_removed_outputs_leave_the_models_own_loss(workspace: Workspace) -> None:
    steps = _steps()
    run = workspace.run([*steps[:2], "remove_outputs", *steps[2:]], "removed")
    # One of the user, two each of the masked and the ranking loss.
    assert run.facts("remove_outputs") == {"removed": 1 + 2 + 2}
    assert {len(parts) for parts in _losses(run)} == {1}
    assert not any(name in line for line in run.console.lines if " epoch " in line for name in NAMES)
    assert (run.record.stages["0"]["transferred"], run.record.stages["0"]["losses"]) == (False, None)


def test_parts_of_a_models_own_loss_have_no_name_of_ours(workspace: Workspace) -> None:
    settings = {"model": "NCL", "embedding_size": 8, "num_clusters": 5, "warm_up_step": 0, "epochs": 1}
    losses = {"contrast": {**LOSSES["contrast"], "outputs": {"users": ["forward[0]#1"]}}}
    steps = _steps(losses)
    wrapped = workspace.run(steps, "ncl", **settings)
    removed = workspace.run([*steps[:2], "remove_outputs", *steps[2:]], "ncl_removed", **settings)
    # NCL's loss has three parts; ours stands after the first.
    assert [len(_losses(one)[0]) for one in (wrapped, removed)] == [4, 3]
    lines = [next(line for line in one.console.lines if "epoch   0" in line) for one in (wrapped, removed)]
    assert lines[0].split(" + ")[1].startswith("contrast ")
    assert "contrast" not in lines[1]


def test_a_second_training_goes_on_with_the_same_adapters(workspace: Workspace) -> None:
    steps = _steps({"contrast": LOSSES["contrast"]})
    run = workspace.run([*steps, "init_trainer", "train", "test_eval"], "twice")
    assert run.record.status == "done", run.console.text
    assert [len(epoch["losses"]) for stage in run.record.stages.values() for epoch in stage["epochs"]] == [2] * 4


@pytest.mark.parametrize(
    ("losses", "message", "at"),
    [
        (
            {"a": {**LOSSES["contrast"], "outputs": ["user_embeding"]}},
            "wrap_model.losses.a.outputs: BPR has no layer or method 'user_embeding'; did you mean 'user_embedding'?",
            "- user_embeding",
        ),
        (
            {"a": {"loss": "rmse", "users_emb_file": "u6.pt", "outputs": ["user_embedding"]}},
            "wrap_model: loss 'a': the tap 'user_embedding' (layer 2, user_embedding) is 8 wide, u6.pt has 6; "
            "particular: True compares its first 6, or declare an adapter",
            "losses:",
        ),
        (
            {"a": {**LOSSES["told"], "mask": {"users": "item_embedding", "items": "item_embedding"}}},
            "wrap_model.losses: 'item_embedding' has 41 rows, a table of the other side, it seems, "
            "and not of the 31 users",
            "a:",
        ),
        (
            {"a": {**LOSSES["contrast"], "missing": "error"}},
            "wrap_model.losses.a.users_emb_file: 5 of 30 users have no vector in u6.pt; missing: skip leaves them out",
            "users_emb_file: u6.pt",
        ),
    ],
)
def test_what_goes_wrong_in_a_run_is_blamed_on_its_place(
    losses: dict[str, Any], message: str, at: str, workspace: Workspace
) -> None:
    run = workspace.run(_steps(losses), "wrong")
    assert run.record.status == "failed"
    said, line = _error(run)
    assert said == message
    assert at in line


def test_an_optimizer_of_several_is_refused_with_advice(workspace: Workspace) -> None:
    settings = {"model": "RecVAE", "hidden_dimension": 8, "latent_dimension": 8, "train_neg_sample_args": None}
    run = workspace.run(_steps({"a": {**LOSSES["contrast"], "outputs": ["encoder#1"]}}), "recvae", **settings)
    said, _ = _error(run)
    assert said == (
        "wrap_model: an adapter or a mask is trained with the model's optimizer, but RecVAETrainer has 3 of them; "
        "leave adapters and masks out"
    )
