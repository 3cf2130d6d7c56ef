"""`init_embeddings`: tables that start from vectors, and stay so or learn."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.workspace import ITEMS, SASREC, TRAIN, USERS, Run, Workspace, metrics
from utils.journal.outcome import outcome_of

END = TRAIN[1:]


@pytest.fixture(scope="module", autouse=True)
def _vectors(workspace: Workspace) -> None:
    workspace.save_vectors("u8.pt", USERS[:25])
    workspace.save_vectors("u20.pt", USERS, width=20)
    workspace.save_vectors("u4.pt", USERS, width=4)
    workspace.save_vectors("i8.pt", ITEMS)


def _start(workspace: Workspace, name: str = "started", steps: Any = END, settings: Any = None, **given: Any) -> Run:
    return workspace.run(["init_model", {"init_embeddings": given}, *steps], name, **(settings or {}))


def _file(run: Run) -> dict[str, torch.Tensor]:
    return torch.load(run.dir / "model.pth", weights_only=True)["state_dict"]


def _error(run: Run) -> str:
    return (run.record.error or {})["message"]


def _vectors_of(workspace: Workspace, name: str) -> dict[str, torch.Tensor]:
    file = torch.load(workspace.vectors / name, weights_only=True)
    return dict(zip(file["tokens"], file["vectors"], strict=True))


def _rows(workspace: Workspace, field: str) -> dict[str, int]:
    from tests.workspace import standing_in
    from utils.recbole_port import session

    with standing_in(workspace.folder):
        tokens = session.id_map(workspace.context().data, field).tokens
    return {token: row for row, token in enumerate(tokens)}


def test_a_frozen_table_is_the_vectors_to_the_end_and_the_rest_learns(workspace: Workspace) -> None:
    plain, run = workspace.run(TRAIN, "plain"), _start(workspace, users_emb_file="u8.pt", scale="none", trainable=False)
    assert run.record.status == "done", run.console.text
    weights, rows = _file(run)["user_embedding.weight"], _rows(workspace, "user_id")
    for token, vector in _vectors_of(workspace, "u8.pt").items():
        assert torch.equal(weights[rows[token]], vector)
    assert not torch.equal(_file(run)["item_embedding.weight"], _file(plain)["item_embedding.weight"])


def test_a_table_that_learns_only_starts_there(workspace: Workspace) -> None:
    run = _start(workspace, users_emb_file="u8.pt", scale="none")
    weights, rows = _file(run)["user_embedding.weight"], _rows(workspace, "user_id")
    u1 = _vectors_of(workspace, "u8.pt")["u1"]
    assert not torch.equal(weights[rows["u1"]], u1)
    # Adam's steps are about the learning rate each, .001, and there are a few dozen of them.
    torch.testing.assert_close(weights[rows["u1"]], u1, atol=0.1, rtol=0)


def test_the_record_and_the_console_tell_what_was_carried(workspace: Workspace) -> None:
    run = _start(workspace, users_emb_file="u20.pt", items_emb_file="i8.pt", trainable=False, steps=["init_trainer"])
    facts = run.facts("init_embeddings")
    assert {side: (told["table"], told["coverage"]) for side, told in facts.items()} == {
        "users": ("user_embedding", "30 of 30 users"),
        "items": ("item_embedding", "40 of 40 items"),
    }
    (line,) = [line for line in run.console.lines if "user_embedding from" in line]
    assert line.strip() == (
        f"user_embedding from u20.pt (20 -> 8 by pca), 30 of 30 users, times {facts['users']['factor']:.3g}; "
        f"item_embedding from i8.pt, 40 of 40 items, times {facts['items']['factor']:.3g}, frozen"
    )


def test_the_stage_says_how_knowledge_came_in(workspace: Workspace) -> None:
    stage = _start(workspace, users_emb_file="u8.pt", trainable=False).record.stages["0"]
    given = {"users_emb_file": "u8.pt", "trainable": False}
    assert (stage["transferred"], stage["knowledge"]) == (True, ["init_embeddings"])
    assert stage["carried"] == {"init_embeddings": given}
    # It is frozen as a part of the transfer, so that its plain twin is a fair one.
    assert stage["vectors"] == [{"side": "users", "file": "u8.pt", "control": "none"}]
    assert stage["frozen"] == []


def test_users_in_one_step_and_items_in_another_are_both_told(workspace: Workspace) -> None:
    second = {"init_embeddings": {"items_emb_file": "i8.pt", "control": "none"}}
    run = _start(workspace, users_emb_file="u8.pt", control="random", steps=[second, *END])
    stage = run.record.stages["0"]
    told = {"users_emb_file": "u8.pt", "items_emb_file": "i8.pt", "control": "none"}
    assert stage["carried"] == {"init_embeddings": told}
    assert [(each["file"], each["control"]) for each in stage["vectors"]] == [("u8.pt", "random"), ("i8.pt", "none")]
    assert outcome_of(run.record).control == "partly"


def test_a_second_start_of_one_table_is_the_one_that_counts(workspace: Workspace) -> None:
    second = {"init_embeddings": {"users_emb_file": "u8.pt"}}
    run = _start(workspace, users_emb_file="u8.pt", control="random", steps=[second, *END])
    assert [each["control"] for each in run.record.stages["0"]["vectors"]] == ["none"]
    assert outcome_of(run.record).control == ""


def test_vectors_said_to_be_no_control_are_none(workspace: Workspace) -> None:
    assert outcome_of(_start(workspace, users_emb_file="u8.pt", control="none").record).control == ""


def test_rows_are_as_long_as_those_that_they_replace(workspace: Workspace) -> None:
    run = _start(workspace, users_emb_file="u8.pt", trainable=False)
    rows, weights = _rows(workspace, "user_id"), _file(run)["user_embedding.weight"]
    lengths = [float(vector.norm()) for vector in _vectors_of(workspace, "u8.pt").values()]
    mean = sum(lengths) / len(lengths) * run.facts("init_embeddings")["users"]["factor"]
    known = [rows[token] for token in USERS[:25]]
    assert float(weights[known].norm(dim=1).mean()) == pytest.approx(mean)
    # RecBole's xavier_normal_ has variance 2 / (31 + 8), which is a length of about sqrt(8 * 2 / 39) = .64.
    assert mean == pytest.approx((8 * 2 / 39) ** 0.5, rel=0.2)


@pytest.mark.parametrize("frozen", [{}, {"trainable": False}], ids=["trained", "frozen"])
def test_the_plain_twin_is_the_scenario_without_it(frozen: dict[str, Any], workspace: Workspace) -> None:
    twin = _start(workspace, "twin", settings={"control": "plain"}, users_emb_file="u8.pt", **frozen)
    plain = workspace.run(TRAIN, "plain")
    assert all(torch.equal(value, _file(plain)[name]) for name, value in _file(twin).items())
    assert metrics(twin.record) == metrics(plain.record)
    assert (twin.record.stages["0"]["transferred"], twin.record.stages["0"]["carried"]) == (False, {})


@pytest.mark.parametrize("control", ["random", "shuffled"])
def test_a_control_starts_elsewhere_and_says_so(control: str, workspace: Workspace) -> None:
    knowledge = _start(workspace, users_emb_file="u8.pt", trainable=False)
    made = _start(workspace, control, settings={"control": control}, users_emb_file="u8.pt", trainable=False)
    assert outcome_of(made.record).control == control
    ours, theirs = (_file(one)["user_embedding.weight"] for one in (made, knowledge))
    rows = _rows(workspace, "user_id")
    assert not any(torch.equal(ours[rows[token]], theirs[rows[token]]) for token in USERS[:25])


def test_random_vectors_are_as_long_as_the_reduced_ones_that_they_stand_for(workspace: Workspace) -> None:
    files = [
        _file(
            _start(
                workspace, f"wide_{control}", users_emb_file="u20.pt", scale="none", trainable=False, control=control
            )
        )
        for control in ("none", "random")
    ]
    lengths = [file["user_embedding.weight"][1:].norm(dim=1) for file in files]
    torch.testing.assert_close(lengths[0], lengths[1])
    assert not torch.allclose(files[0]["user_embedding.weight"][1:], files[1]["user_embedding.weight"][1:])


def test_a_frozen_table_is_not_thawed_by_its_start(workspace: Workspace) -> None:
    freeze = {"set_trainable": [["user_embedding"], False]}
    run = workspace.run(["init_model", freeze, {"init_embeddings": {"users_emb_file": "u8.pt"}}, *END], "frozen_before")
    assert run.record.stages["0"]["frozen"] == ["user_embedding.weight"]


def test_a_loss_and_a_start_are_both_told(workspace: Workspace) -> None:
    loss = [{"wrap_model": {"distil_loss": "mse", "users_emb_file": "u8.pt"}}, {"set_outputs": ["user_embedding"]}]
    stage = _start(workspace, items_emb_file="i8.pt", steps=[*loss, *END]).record.stages["0"]
    assert stage["knowledge"] == ["mse", "init_embeddings"]


def test_a_new_model_starts_from_nothing(workspace: Workspace) -> None:
    stage = _start(workspace, users_emb_file="u8.pt", steps=["init_model", *END]).record.stages["0"]
    assert (stage["transferred"], stage["carried"]) == (False, {})


def test_a_sequential_model_has_its_items(workspace: Workspace) -> None:
    run = _start(workspace, "sasrec", settings=SASREC, items_emb_file="i8.pt", trainable=False)
    assert run.record.status == "done", run.console.text
    assert run.facts("init_embeddings")["items"]["table"] == "item_embedding"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"users_emb_file": "u4.pt"},
            "init_embeddings.users_emb_file: u4.pt is 4 wide, user_embedding 8; encode wider vectors",
        ),
        (
            {"users_emb_file": "u8.pt", "users_table": "item_embedding"},
            "init_embeddings.users_table: 'item_embedding' has 41 rows, a table of the other side, it seems, "
            "and not of the 31 users",
        ),
        (
            {"users_emb_file": "u8.pt", "users_table": "user_embeding"},
            "init_embeddings.users_table: BPR has no layer 'user_embeding'; did you mean 'user_embedding'?",
        ),
    ],
)
def test_what_does_not_fit_is_blamed_on_its_parameter(given: Any, message: str, workspace: Workspace) -> None:
    assert _error(_start(workspace, "wrong", **given)) == message


def test_of_several_tables_one_has_to_be_named(workspace: Workspace) -> None:
    sizes = {"mf_embedding_size": 8, "mlp_embedding_size": 8, "mlp_hidden_size": [8]}
    settings = {"model": "NeuMF", **sizes}
    said = _error(_start(workspace, "which", settings=settings, users_emb_file="u8.pt"))
    assert said == (
        "init_embeddings: NeuMF has 2 tables of users and their padding (user_mf_embedding, user_mlp_embedding); "
        "say which (here: users_table: NAME)"
    )
    named = {"users_emb_file": "u8.pt", "users_table": "user_mf_embedding"}
    assert _start(workspace, "this", settings=settings, **named).record.status == "done"
