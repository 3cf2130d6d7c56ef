"""`encode_profiles` with descriptions from a profile file: which are encoded, and where they may not come from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from models.llm.encoder_spec import EncoderSpec
from models.llm.text_encoder import encode
from tests.models.llm.tiny_encoder import WORDS, write_tiny_encoder
from tests.workspace import ITEMS, USERS, Run, Workspace
from utils.data.embeddings import read_vectors
from utils.scenario.errors import ScenarioError


@pytest.fixture
def encoder(tiny: Workspace) -> Path:
    return write_tiny_encoder(tiny.folder / "encoder")


def _profiles(workspace: Workspace, name: str, descriptions: dict[str, str], **more: Any) -> None:
    workspace.vectors.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"id": token, "description": text, **more}) for token, text in descriptions.items()]
    (workspace.vectors / name).write_text("\n".join(lines) + "\n")


def _encode(workspace: Workspace, name: str = "case", **params: Any) -> Run:
    return workspace.run([{"encode_profiles": {"encoder": "encoder", **params}}], name)


def _refusal(run: Run) -> str:
    return str((run.record.error or {})["message"])


ITEM_PROFILES = {item: f"film about {WORDS[number % 5]}" for number, item in enumerate(ITEMS)}
BOTH = {"items_file": "i.pt", "items_profiles": "items.jsonl"}


def test_a_row_is_the_vector_of_its_own_description(tiny: Workspace, encoder: Path) -> None:
    _profiles(tiny, "items.jsonl", ITEM_PROFILES)
    run = _encode(tiny, **BOTH)
    assert "i.pt: 40 of 40 items have a text, 8 wide" in run.console.text
    file = read_vectors(tiny.vectors / "i.pt")
    expected = encode([ITEM_PROFILES["i17"]], EncoderSpec(encoder), 1, torch.device("cpu"))[0]
    torch.testing.assert_close(file.vectors[(file.tokens or ()).index("i17")], expected, atol=1e-5, rtol=0)
    # Five words make five texts: no text is encoded twice.
    assert run.facts("encode_profiles")["items"]["texts_encoded"] == 5


@pytest.mark.usefixtures("encoder")
def test_llm_kts_json_and_a_dataset_without_an_item_file_will_do(tiny: Workspace) -> None:
    (tiny.folder / "datasets" / "tiny" / "tiny.item").unlink()
    tiny.vectors.mkdir(parents=True)
    profiles = [{"id": token, "description": text, "prompt": "?"} for token, text in ITEM_PROFILES.items()]
    (tiny.vectors / "items.json").write_text(json.dumps(profiles))
    run = _encode(tiny, items_file="i.pt", items_profiles="items.json")
    assert run.record.status == "done", run.console.text


@pytest.mark.usefixtures("encoder")
def test_who_has_no_description_has_no_vector_and_strangers_are_counted(tiny: Workspace) -> None:
    _profiles(tiny, "items.jsonl", {"i1": "film a", "i2": "  ", "i3": "film b", "x1": "film c", "x2": "film d"})
    run = _encode(tiny, **BOTH)
    assert read_vectors(tiny.vectors / "i.pt").tokens is not None
    assert set(read_vectors(tiny.vectors / "i.pt").tokens or ()) == {"i1", "i3"}
    assert (
        "i.pt: 2 of 40 items have a text, 8 wide; 2 of the 5 ids in items.jsonl are no items of this dataset"
        in run.console.text
    )


@pytest.mark.usefixtures("encoder")
def test_profiles_of_another_dataset_are_refused_with_examples(tiny: Workspace) -> None:
    _profiles(tiny, "items.jsonl", dict.fromkeys(USERS, "film"))
    message = _refusal(_encode(tiny, **BOTH))
    assert message.startswith(
        "encode_profiles.items_profiles: datasets/llm_embeddings/tiny/items.jsonl: none of its ids (u1, u2, u3, ...) "
        "is one of the 40 items (i"
    )
    assert message.endswith("it was written for another dataset, or for the other side")


@pytest.mark.usefixtures("encoder")
def test_descriptions_that_are_all_empty_leave_nothing_to_encode(tiny: Workspace) -> None:
    _profiles(tiny, "items.jsonl", dict.fromkeys(ITEMS, ""))
    assert _refusal(_encode(tiny, **BOTH)) == "encode_profiles.items_file: none of the 40 items has any text"


USERS_BOTH = {"users_file": "u.pt", "users_profiles": "users.jsonl"}


@pytest.mark.usefixtures("encoder")
def test_profiles_of_this_train_part_mark_the_vectors_with_it(tiny: Workspace) -> None:
    here = tiny.context().train_fingerprint
    _profiles(tiny, "users.jsonl", dict.fromkeys(USERS, "film"), train_fingerprint=here)
    assert _encode(tiny, **USERS_BOTH).record.status == "done"
    file = read_vectors(tiny.vectors / "u.pt")
    assert (file.meta["train_fingerprint"], file.origin_known) == (here, True)


@pytest.mark.usefixtures("encoder")
def test_profiles_of_another_train_part_are_refused(tiny: Workspace) -> None:
    _profiles(tiny, "users.jsonl", dict.fromkeys(USERS, "film"), train_fingerprint="abc")
    assert _refusal(_encode(tiny, **USERS_BOTH)) == (
        "encode_profiles.users_profiles: users.jsonl was written from another train part than this run's, so it may "
        "hold test items; write it again under this scenario's split and seed"
    )


@pytest.mark.usefixtures("encoder")
def test_profiles_that_do_not_say_what_they_were_written_from_stay_of_unknown_origin(tiny: Workspace) -> None:
    _profiles(tiny, "users.jsonl", dict.fromkeys(USERS, "film"))
    _encode(tiny, **USERS_BOTH)
    file = read_vectors(tiny.vectors / "u.pt")
    assert "train_fingerprint" not in file.meta
    assert not file.origin_known
    # One that says so makes the others no more known.
    lines = (tiny.vectors / "users.jsonl").read_text().splitlines()
    lines[0] = json.dumps({**json.loads(lines[0]), "train_fingerprint": tiny.context().train_fingerprint})
    (tiny.vectors / "users.jsonl").write_text("\n".join(lines) + "\n")
    run = _encode(tiny, "mixed", **USERS_BOTH, overwrite=True)
    file = read_vectors(tiny.vectors / "u.pt")
    assert file.meta["train_fingerprint"] == tiny.context().train_fingerprint
    assert not file.origin_known
    assert run.facts("encode_profiles")["users"]["texts_encoded"] == 0


def _problems(workspace: Workspace, steps: list[Any]) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        workspace.run(steps)
    return [problem.message for problem in caught.value.problems]


def test_a_profile_file_that_is_not_there_is_named_before_anything_runs(tiny: Workspace) -> None:
    _profiles(tiny, "items.jsonl", ITEM_PROFILES)
    step = {"encode_profiles": {"items_file": "i.pt", "items_profiles": "item.jsonl"}}
    assert _problems(tiny, [step]) == [
        "encode_profiles.items_profiles: no file datasets/llm_embeddings/tiny/item.jsonl, and no earlier step writes "
        "it; did you mean 'items.jsonl'?"
    ]


def test_a_profile_file_that_is_wrong_is_said_before_anything_runs(tiny: Workspace) -> None:
    tiny.vectors.mkdir(parents=True)
    (tiny.vectors / "items.jsonl").write_text('{"id": "i1"}\n')
    (problem,) = _problems(tiny, [{"encode_profiles": BOTH}])
    assert problem.endswith("tiny/items.jsonl, line 1: there is no 'description'; keys: id")


@pytest.mark.usefixtures("encoder")
def test_what_an_earlier_step_writes_may_be_encoded(tiny: Workspace) -> None:
    write = {"write_profiles": {"items_file": "items.jsonl"}}
    run = tiny.run([write, {"encode_profiles": {**BOTH, "encoder": "encoder"}}], "both")
    assert run.record.status == "done", run.console.text
    assert read_vectors(tiny.vectors / "i.pt").vectors.shape == (40, 8)
