"""LLM-KT's preprocess sections run before the first step."""

from __future__ import annotations

import json

from tests.workspace import ITEMS, USERS, Workspace
from utils.data.embeddings import read_vectors

LLM = {"embeddings_path": "datasets/llm_embeddings", "default_users_emb_file": "user4.pt"}
WRAP = [
    "init_model",
    {"wrap_model": {"distil_loss": "mse", "particular": True}},
    {"set_outputs": ["user_embedding"]},
    "init_trainer",
    "train",
]


def _llm(**sections: object) -> dict[str, object]:
    return {"llm_config": {**LLM, **sections}, "epochs": 1}


def test_profiles_are_aligned_by_token_under_either_old_name(tiny: Workspace) -> None:
    tiny.vectors.mkdir(parents=True)
    profiles = [{"id": user, "embedding": [float(number)] * 4} for number, user in enumerate(reversed(USERS))]
    (tiny.vectors / "user.json").write_text(json.dumps(profiles))
    for by in ("exp_2024_04_11", "exp_2024_05_18_AVC_users"):
        section = {"from": "user.json", "to": "user4.pt", "by": by}
        run = tiny.run(WRAP, "json", **_llm(preprocess_from_json=section))
        assert run.record.status == "done", run.console.text
        assert run.console.lines[0] == "    preprocess_from_json: user4.pt: 30 vectors of user.json, 4 wide"
    file = read_vectors(tiny.vectors / "user4.pt")
    assert file.vectors[(file.tokens or ()).index("u30")].tolist() == [0] * 4


def test_without_the_json_the_vectors_are_used_as_they_are(tiny: Workspace) -> None:
    tiny.save_vectors("user4.pt", USERS, width=4)
    run = tiny.run(WRAP, "jsonless", **_llm(preprocess_from_json={"from": "user.json", "to": "user4.pt"}))
    assert run.record.status == "done", run.console.text
    assert run.console.lines[0] == (
        "    preprocess_from_json: no file datasets/llm_embeddings/tiny/user.json; user4.pt is used as it is"
    )


def test_a_json_that_is_wrong_is_said_at_its_section(tiny: Workspace) -> None:
    tiny.vectors.mkdir(parents=True)
    (tiny.vectors / "user.json").write_text("[]")
    run = tiny.run(WRAP, "wrong", **_llm(preprocess_from_json={"from": "user.json", "to": "user4.pt"}))
    error = run.record.error or {}
    assert error["message"] == (
        "preprocess_from_json: datasets/llm_embeddings/tiny/user.json is not a list of profiles"
    )
    lines = (tiny.folder / "wrong.yaml").read_text().splitlines()
    assert lines[error["line"] - 2 : error["line"]] == ["  preprocess_from_json:", "    from: user.json"]


def test_random_vectors_have_the_tokens_of_the_dataset(tiny: Workspace) -> None:
    section = {"random": True, "embedding_size": 4, "random_users_emb_file": "user4.pt"}
    run = tiny.run(WRAP, "random", **_llm(preprocess_random=section))
    assert run.record.status == "done", run.console.text
    assert run.console.lines[:2] == [
        "    preprocess_random: user4.pt, 30 random vectors",
        "    preprocess_random: item_random.pt, 40 random vectors",
    ]
    assert set(read_vectors(tiny.vectors / "item_random.pt").tokens or ()) == set(ITEMS)


def test_a_dataset_that_cannot_be_loaded_there_is_a_failed_run(tiny: Workspace) -> None:
    section = {"random": True, "embedding_size": 4, "random_users_emb_file": "user4.pt"}
    run = tiny.run(WRAP, "empty", **_llm(preprocess_random=section), user_inter_num_interval="[999,inf)")
    assert run.record.status == "failed"
    assert (run.record.error or {})["message"].startswith("preprocess_random: the dataset 'tiny' cannot be loaded: no ")


def test_random_false_writes_nothing(tiny: Workspace) -> None:
    tiny.save_vectors("user4.pt", USERS, width=4)
    before = (tiny.vectors / "user4.pt").read_bytes()
    tiny.run(WRAP, "off", **_llm(preprocess_random={"random": False, "random_users_emb_file": "user4.pt"}))
    assert (tiny.vectors / "user4.pt").read_bytes() == before
