"""`init_model` gives a model that takes vectors those of the files in its settings, or says why it cannot."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tests.contracts.recbole_models import CONTEXT_MLP
from tests.workspace import ITEMS, TRAIN, USERS, Run, Workspace
from utils.scenario.errors import ScenarioError

SETTINGS: dict[str, Any] = {
    **CONTEXT_MLP,
    "model": "DCNKAR",
    "kar_hidden_size": 4,
    "epochs": 1,
    "eval_args": {"split": {"RS": [0.8, 0.1, 0.1]}, "order": "RO", "group_by": "user", "mode": "full"},
}


def _run(tiny: Workspace, steps: list[Any], **settings: Any) -> Run:
    return tiny.run(steps, **copy.deepcopy({**SETTINGS, **settings}))


def _complaint(tiny: Workspace, steps: list[Any], **settings: Any) -> str:
    with pytest.raises(ScenarioError) as caught:
        _run(tiny, steps, **settings)
    (problem,) = caught.value.problems
    return problem.message


def test_a_file_that_is_not_there_is_found_before_anything_runs(tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS)
    found = _complaint(tiny, TRAIN, users_emb_file="v.pt", item_profile_json="i.json")
    assert found.startswith("init_model: users_emb_file: no file ")
    assert "v.pt, and no earlier step writes it; item_profile_json: no file " in found
    assert found.endswith("i.json")


def _reduced_to(name: str) -> dict[str, Any]:
    return {"reduce_dim": {"file_in": "u8.pt", "file_out": name, "dimension": 4, "method": "pca"}}


def test_a_file_of_an_earlier_step_is_there_by_then(tiny: Workspace) -> None:
    tiny.save_vectors("u8.pt", USERS, 8)
    run = _run(tiny, [_reduced_to("u4.pt"), "init_model"], users_emb_file="u4.pt", user_kar_emb=4)
    assert run.record.status == "done", run.console.text
    assert "vectors for 30 of 30 users" in run.console.text


def test_a_file_of_a_later_step_comes_too_late(tiny: Workspace) -> None:
    tiny.save_vectors("u8.pt", USERS, 8)
    found = _complaint(tiny, ["init_model", _reduced_to("u4.pt")], users_emb_file="u4.pt")
    assert found.endswith("u4.pt, and no earlier step writes it")


def test_a_stated_width_is_that_of_the_file(tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS, 8)
    found = _complaint(tiny, TRAIN, users_emb_file="u.pt", user_kar_emb=64)
    assert found.startswith("init_model: user_kar_emb: got 64; the vectors of ")
    assert found.endswith("u.pt are 8 wide")


def test_shared_experts_need_one_width(tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS, 8)
    tiny.save_vectors("i.pt", ITEMS, 6)
    files = {"users_emb_file": "u.pt", "items_emb_file": "i.pt"}
    assert "those of users are 8 and those of items are 6 wide" in _complaint(tiny, TRAIN, **files)
    run = _run(tiny, ["init_model"], **files, shared_kar_experts_n=0)
    assert run.record.status == "done", run.console.text


def test_a_profile_json_stands_in_for_a_vector_file(tiny: Workspace) -> None:
    profiles = [
        {"id": user, "description": "likes films", "embedding": [1.0, float(row)]} for row, user in enumerate(USERS)
    ]
    tiny.vectors.mkdir(parents=True)
    (tiny.vectors / "user.json").write_text(json.dumps(profiles), encoding="utf-8")
    run = _run(tiny, TRAIN, user_profile_json="user.json", user_kar_emb=2)
    assert run.record.status == "done", run.console.text
    assert run.facts("init_model")["users_emb"] == "user.json"
    assert run.facts("init_model")["coverage"] == {"users": "30 of 30 users"}


def test_vectors_of_other_ids_are_refused(tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", ["1", "2", "3"])
    run = _run(tiny, TRAIN, users_emb_file="u.pt")
    assert run.record.status == "failed"
    assert "init_model: users_emb_file: " in run.console.text
    assert "none of its tokens (1, 2, 3, ...) is one of the 30 users (u1, u2, u3, ...)" in run.console.text


def test_vectors_of_the_other_side_are_refused(tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS, side="items")
    run = _run(tiny, TRAIN, users_emb_file="u.pt")
    assert "init_model: users_emb_file: u.pt holds vectors of items, not of users" in run.console.text


def test_a_model_without_them_tells_nothing_of_vectors(tiny: Workspace) -> None:
    run = tiny.run(["init_model"])
    assert set(run.facts("init_model")) == {"parameters"}
