"""`encode_profiles` with the real encoder: what is encoded, what is kept, and what may not leak."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from models.llm.encoder_spec import EncoderSpec, locate
from models.llm.text_encoder import encode
from tests.models.llm.tiny_encoder import write_tiny_encoder
from tests.workspace import ITEMS, TRAIN, USERS, Run, Workspace, metrics
from utils.data.atomic import read_atomic
from utils.data.embeddings import read_vectors
from utils.scenario.errors import ScenarioError

ENCODE: dict[str, Any] = {"encode_profiles": {"users_file": "u384.pt", "items_file": "i384.pt"}}
RANDOM_SPLIT = {"split": {"RS": [0.8, 0.1, 0.1]}, "order": "RO", "group_by": "user", "mode": "full"}


@pytest.fixture(scope="module")
def encoded(workspace: Workspace) -> Run:
    return workspace.run([ENCODE], "encoded", eval_args=RANDOM_SPLIT)


def test_all_users_and_items_get_a_vector_under_their_token(encoded: Run, workspace: Workspace) -> None:
    assert encoded.record.status == "done", encoded.console.text
    items, users = (read_vectors(workspace.vectors / name) for name in ("i384.pt", "u384.pt"))
    assert items.vectors.shape == (40, 384)
    assert set(items.tokens or ()) == set(ITEMS)
    assert set(users.tokens or ()) == set(USERS)
    summary = "        i384.pt: 40 of 40 items have a text, 384 wide; u384.pt: 30 of 30 users have a text, 384 wide"
    assert [line.rpartition(", ")[0] for line in encoded.console.lines][-1] == summary
    assert encoded.facts("encode_profiles")["items"]["encoded"] is True


def test_a_row_is_the_vector_of_its_own_text(encoded: Run, workspace: Workspace) -> None:
    file = read_vectors(workspace.vectors / "i384.pt")
    rows = read_atomic(workspace.folder / "datasets" / "tiny" / "tiny.item")
    item = rows.loc[rows["item_id"] == "i17"].iloc[0]
    genres = ", ".join(item["class"].split())
    text = f"{item['title']} ({item['release_year']}). {genres}."
    expected = encode([text], EncoderSpec(locate("all-MiniLM-L6-v2")), 1, torch.device("cpu"))[0]
    torch.testing.assert_close(file.vectors[(file.tokens or ()).index("i17")], expected, atol=1e-5, rtol=0)


def test_the_same_texts_are_not_encoded_again(encoded: Run, workspace: Workspace) -> None:
    before = (workspace.vectors / "u384.pt").stat().st_mtime_ns
    run = workspace.run([ENCODE], "again", eval_args=RANDOM_SPLIT)
    assert [run.facts("encode_profiles")[side]["encoded"] for side in ("items", "users")] == [False, False]
    assert "40 of 40 items have a text (encoded before)" in run.console.text
    assert (workspace.vectors / "u384.pt").stat().st_mtime_ns == before


def test_vectors_of_other_texts_are_replaced_only_when_asked(encoded: Run, tiny: Workspace) -> None:
    tiny.save_vectors("i384.pt", ITEMS)
    step = {"encode_profiles": {"items_file": "i384.pt"}}
    kept = tiny.run([step], "kept")
    assert (kept.record.error or {})["message"] == (
        "encode_profiles.items_file: datasets/llm_embeddings/tiny/i384.pt holds vectors of other texts; "
        "set overwrite: True, or name another file"
    )
    assert read_vectors(tiny.vectors / "i384.pt").vectors.shape[1] == 8
    step["encode_profiles"]["overwrite"] = True
    assert tiny.run([step], "replaced").record.status == "done"
    assert read_vectors(tiny.vectors / "i384.pt").vectors.shape[1] == 384


def test_reduced_vectors_are_not_taken_for_encoded_ones(encoded: Run, tiny: Workspace) -> None:
    step = {"encode_profiles": {"items_file": "i384.pt"}}
    reduce = {"reduce_dim": {"file_in": "i384.pt", "file_out": "i8.pt", "dimension": 8}}
    assert tiny.run([step, reduce], "reduced").record.status == "done"
    run = tiny.run([{"encode_profiles": {"items_file": "i8.pt"}}], "taken")
    assert (run.record.error or {})["message"].endswith(
        "i8.pt holds vectors of other texts; set overwrite: True, or name another file"
    )


@pytest.mark.parametrize("file", ["u384.pt", "u8.pt"])
def test_profiles_from_another_train_part_are_refused(encoded: Run, file: str, workspace: Workspace) -> None:
    reduce = {"reduce_dim": {"file_in": "u384.pt", "file_out": "u8.pt", "dimension": 8, "method": "pca"}}
    wrap = {"wrap_model": {"distil_loss": "rmse", "users_emb_file": file}}
    same = workspace.run([reduce, "init_model", wrap], "same", eval_args=RANDOM_SPLIT)
    assert same.record.status == "done", same.console.text
    other = workspace.run(["init_model", wrap], "other", eval_args=RANDOM_SPLIT, seed=8)
    error = other.record.error or {}
    assert error["message"] == (
        f"wrap_model.users_emb_file: {file} was written from another train part than this run's, so it may hold test "
        "items; encode it again (and reduce it again) under this scenario's split and seed"
    )
    assert (workspace.folder / "other.yaml").read_text().splitlines()[error["line"] - 1].endswith(f": {file}")


def test_encoding_changes_no_result(encoded: Run, workspace: Workspace) -> None:
    plain = workspace.run(TRAIN, "plain", eval_args=RANDOM_SPLIT)
    after = workspace.run([ENCODE, *TRAIN], "after", eval_args=RANDOM_SPLIT)
    assert after.record.stages["0"]["best_val_res"] == plain.record.stages["0"]["best_val_res"]
    assert metrics(after.record) == metrics(plain.record)


def test_only_items_that_were_liked_are_in_a_users_text(workspace: Workspace) -> None:
    ctx = workspace.context(eval_args=RANDOM_SPLIT)
    from utils.commands.encode_profiles import EncodeProfiles

    rows = read_atomic(workspace.folder / "datasets" / "tiny" / "tiny.inter")
    rated = {(user, item): float(rating) for user, item, rating, _ in rows.to_numpy()}
    liked = EncodeProfiles(users_file="u.pt", liked_rating=5)._liked(ctx)
    assert {rated[user, item] for user, items in liked.items() for item in items} == {5.0}


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("item_id:token\tyear:token", " has no title (movie_title, title, name); columns: item_id, year"),
        ("movie:token\ttitle:token", ": there is no column 'item_id'; columns: movie, title"),
    ],
)
def test_an_item_file_without_what_is_needed_is_refused(header: str, said: str, tiny: Workspace) -> None:
    (tiny.folder / "datasets" / "tiny" / "tiny.item").write_text(f"{header}\ni1\t1990\n")
    run = tiny.run([ENCODE], "untitled")
    assert (run.record.error or {})["message"] == f"encode_profiles: datasets/tiny/tiny.item{said}"


def test_without_an_item_file_it_is_named(tiny: Workspace) -> None:
    (tiny.folder / "datasets" / "tiny" / "tiny.item").unlink()
    run = tiny.run([ENCODE], "itemless")
    assert (run.record.error or {})["message"] == (
        "encode_profiles: item texts need the file datasets/tiny/tiny.item, which is not there"
    )


def test_an_encoder_that_is_not_there_is_refused(tiny: Workspace) -> None:
    run = tiny.run([{"encode_profiles": {"items_file": "i.pt", "encoder": "./bert"}}], "encoderless")
    assert (run.record.error or {})["message"] == (
        "encode_profiles.encoder: no encoder './bert': there is no such folder; "
        "accepted: all-MiniLM-L6-v2, a folder with a model, or a hub's name"
    )
    assert not (tiny.vectors / "i.pt").exists()


def test_what_an_encoder_cannot_do_is_the_fault_of_who_asked_for_it(tiny: Workspace) -> None:
    run = tiny.run([{"encode_profiles": {"items_file": "i.pt", "max_length": 1000}}], "long")
    assert (run.record.error or {})["message"] == (
        "encode_profiles.max_length: got 1000; this encoder takes at least 3 tokens and at most 512"
    )


def test_a_file_that_cannot_be_read_is_replaced_when_asked(tiny: Workspace) -> None:
    tiny.vectors.mkdir(parents=True)
    (tiny.vectors / "i.pt").write_text("not torch's")
    step: dict[str, Any] = {"encode_profiles": {"items_file": "i.pt", "encoder": str(_tiny_encoder(tiny))}}
    assert (tiny.run([step], "kept").record.error or {})["message"].endswith(
        "cannot be read: it is no whole torch file; set overwrite: True, or name another file"
    )
    step["encode_profiles"]["overwrite"] = True
    assert tiny.run([step], "replaced").record.status == "done"


def _tiny_encoder(workspace: Workspace) -> Path:
    return write_tiny_encoder(workspace.folder / "encoder")


def test_only_texts_that_are_new_are_encoded_when_a_file_is_replaced(
    tiny: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    import models.llm.text_encoder as text_encoder

    asked: list[list[str]] = []
    real = text_encoder.encode

    def listening(texts: list[str], *rest: Any) -> torch.Tensor:
        asked.append(list(texts))
        return real(texts, *rest)

    monkeypatch.setattr(text_encoder, "encode", listening)
    step = {"encode_profiles": {"items_file": "i.pt", "encoder": str(_tiny_encoder(tiny)), "overwrite": True}}
    tiny.run([step], "first")
    before = read_vectors(tiny.vectors / "i.pt")
    items = tiny.folder / "datasets" / "tiny" / "tiny.item"
    lines = items.read_text().splitlines()
    at = next(row for row, line in enumerate(lines) if line.startswith("i17\t"))
    lines[at] = "i17\tAnother film\t1999\tWar"
    items.write_text("\n".join(lines) + "\n")
    run = tiny.run([step], "second")
    assert [len(texts) for texts in asked] == [40, 1]
    assert asked[1] == ["Another film (1999). War."]
    assert "40 of 40 items have a text, 8 wide, 1 of them encoded anew" in run.console.text
    after = read_vectors(tiny.vectors / "i.pt")
    same = [token != "i17" for token in after.tokens or ()]
    assert after.tokens == before.tokens
    assert torch.equal(after.vectors[same], before.vectors[same])
    assert not torch.equal(after.vectors, before.vectors)


def test_another_encoder_encodes_all_anew(tiny: Workspace) -> None:
    step: dict[str, Any] = {"encode_profiles": {"items_file": "i.pt", "encoder": str(_tiny_encoder(tiny))}}
    tiny.run([step], "first")
    step["encode_profiles"] |= {"pooling": "cls", "overwrite": True}
    assert tiny.run([step], "second").facts("encode_profiles")["items"]["texts_encoded"] == 40


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"items_file": "i.pt", "most_items": 3}, "most_items: nothing reads it without users_file"),
        ({"items_file": "i.pt", "users_profiles": "u.jsonl"}, "users_profiles: nothing reads it without users_file"),
        (
            {"users_file": "u.pt", "users_profiles": "u.jsonl", "liked_rating": 3},
            "liked_rating: nothing reads it without our own texts, which users_profiles replaces",
        ),
    ],
)
def test_a_parameter_that_nobody_reads_is_refused(params: dict[str, Any], said: str, tiny: Workspace) -> None:
    tiny.vectors.mkdir(parents=True)
    (tiny.vectors / "u.jsonl").write_text('{"id": "u1", "description": "likes films"}\n')
    with pytest.raises(ScenarioError) as caught:
        tiny.run([{"encode_profiles": params}])
    assert [problem.message for problem in caught.value.problems] == [f"encode_profiles.{said}"]
