"""`reduce_dim`: what is written, what is kept, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.workspace import USERS, Run, Workspace
from utils.data.embeddings import read_vectors


def _reduce(workspace: Workspace, **params: Any) -> Run:
    step = {"reduce_dim": {"file_in": "u.pt", "file_out": "u2.pt", "dimension": 2, **params}}
    return workspace.run([step], "reduce")


def test_tokens_and_origin_go_along_and_the_hash_of_the_texts_does_not(tiny: Workspace) -> None:
    # By `content`, encode_profiles would take these for vectors that it has encoded.
    tiny.save_vectors("u.pt", USERS, train_fingerprint="abc", content="texts", seed=3)
    run = _reduce(tiny, method="pca")
    file = read_vectors(tiny.vectors / "u2.pt")
    assert file.vectors.shape == (30, 2)
    assert file.tokens == tuple(USERS)
    assert file.meta == {
        "train_fingerprint": "abc",
        "made_from": read_vectors(tiny.vectors / "u.pt").content_hash(),
        "reduced_from": "u.pt",
        "method": "pca",
        "dimension": 2,
    }
    assert run.facts("reduce_dim")["rows"] == 30


def test_the_default_method_is_said(tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS)
    line = _reduce(tiny).console.lines[1]
    assert line.startswith("        u2.pt: (30, 8) -> (30, 2), ")
    assert "% of the variance (method pca; LLM-KT's default was umap)" in line
    assert "LLM-KT" not in _reduce(tiny, method="pca", overwrite=True).console.text


SOMETHING_ELSE = "reduce_dim.overwrite: u2.pt holds something else; set overwrite: True, or name another file"


def _refusal(run: Run) -> str:
    return str((run.record.error or {})["message"])


@pytest.mark.parametrize("method", ["pca", "umap"])
def test_a_file_made_from_the_same_vectors_is_kept(method: str, tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS, train_fingerprint="abc")
    _reduce(tiny, method=method)
    before = (tiny.vectors / "u2.pt").read_bytes()
    kept = _reduce(tiny, method=method)
    assert kept.console.lines[1] == "        u2.pt is kept: made from the same vectors"
    assert kept.facts("reduce_dim") == {"kept": True}
    assert (tiny.vectors / "u2.pt").read_bytes() == before
    # The same vectors under another name.
    (tiny.vectors / "u.pt").rename(tiny.vectors / "v.pt")
    assert _reduce(tiny, method=method, file_in="v.pt").facts("reduce_dim") == {"kept": True}


def test_a_file_of_other_vectors_or_tokens_is_not_kept(tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS)
    _reduce(tiny)
    tiny.save_vectors("u.pt", list(reversed(USERS)))
    assert _refusal(_reduce(tiny)) == SOMETHING_ELSE
    assert read_vectors(tiny.vectors / "u2.pt").tokens == tuple(USERS)
    assert _reduce(tiny, overwrite=True).record.status == "done"
    assert read_vectors(tiny.vectors / "u2.pt").tokens == tuple(reversed(USERS))


def test_a_file_of_texts_of_another_train_part_is_not_kept(tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS, train_fingerprint="abc")
    _reduce(tiny)
    tiny.save_vectors("u.pt", USERS, train_fingerprint="def")
    assert _refusal(_reduce(tiny)) == SOMETHING_ELSE


@pytest.mark.parametrize("params", [{"dimension": 3}, {"method": "umap"}])
def test_a_file_made_in_another_way_is_not_kept(params: dict[str, Any], tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS)
    _reduce(tiny)
    assert _refusal(_reduce(tiny, **params)) == SOMETHING_ELSE


@pytest.mark.parametrize(("method", "kept"), [("pca", True), ("umap", False)])
def test_another_seed_matters_where_the_method_draws(method: str, kept: bool, tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS)
    step = {"reduce_dim": {"file_in": "u.pt", "file_out": "u2.pt", "dimension": 2, "method": method}}
    tiny.run([step], "seed_7", seed=7)
    assert (tiny.run([step], "seed_8", seed=8).record.status == "done") is kept


@pytest.mark.parametrize("content", [torch.ones(30, 2), {"vectors": torch.ones(30, 2), "tokens": USERS}])
def test_a_file_that_was_not_reduced_here_is_not_kept(content: Any, tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS)
    torch.save(content, tiny.vectors / "u2.pt")
    assert _refusal(_reduce(tiny)) == SOMETHING_ELSE
    assert _reduce(tiny, overwrite=True).record.status == "done"


def test_a_file_that_cannot_be_read_is_replaced_when_asked(tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS)
    (tiny.vectors / "u2.pt").write_text("not torch's")
    assert _refusal(_reduce(tiny)) == (
        "reduce_dim.file_out: datasets/llm_embeddings/tiny/u2.pt cannot be read: it is no whole torch file; "
        "set overwrite: True, or name another file"
    )
    assert _reduce(tiny, overwrite=True).record.status == "done"


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"dimension": 9}, "u.pt: the vectors are (30, 8); pca gives at most 8 axes"),
        ({"dimension": 29, "method": "umap"}, "u.pt: the vectors have 30 rows; umap gives at most 28 axes"),
    ],
)
def test_more_axes_than_there_can_be_are_refused(params: dict[str, Any], said: str, tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS)
    assert _refusal(_reduce(tiny, **params)) == f"reduce_dim.dimension: {said}"
