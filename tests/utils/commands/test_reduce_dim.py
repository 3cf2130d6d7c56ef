"""`reduce_dim`: what is written, what is kept, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workspace import USERS, Run, Workspace
from utils.data.embeddings import read_vectors


def _reduce(workspace: Workspace, **params: Any) -> Run:
    step = {"reduce_dim": {"file_in": "u.pt", "file_out": "u2.pt", "dimension": 2, **params}}
    return workspace.run([step], "reduce")


def test_tokens_and_meta_go_along(tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS, train_fingerprint="abc")
    run = _reduce(tiny, method="pca")
    file = read_vectors(tiny.vectors / "u2.pt")
    assert file.vectors.shape == (30, 2)
    assert file.tokens == tuple(USERS)
    assert file.meta == {"train_fingerprint": "abc", "reduced_from": "u.pt", "method": "pca", "seed": 7}
    assert run.facts("reduce_dim")["rows"] == 30


def test_the_default_method_is_said(tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS)
    line = _reduce(tiny).console.lines[1]
    assert line.startswith("        u2.pt: (30, 8) -> (30, 2), ")
    assert "% of the variance (method pca; LLM-KT's default was umap)" in line
    assert "LLM-KT" not in _reduce(tiny, method="pca", overwrite=True).console.text


def test_an_existing_file_is_kept_or_replaced(tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS)
    tiny.save_vectors("u2.pt", ["only"], width=2)
    kept = _reduce(tiny)
    assert kept.console.lines[1] == "        u2.pt exists and is kept (overwrite: False)"
    assert len(read_vectors(tiny.vectors / "u2.pt").vectors) == 1
    assert _reduce(tiny, overwrite=True).record.status == "done"
    assert len(read_vectors(tiny.vectors / "u2.pt").vectors) == 30


@pytest.mark.parametrize(
    ("existing", "params", "parameter", "said"),
    [
        ({"width": 3}, {}, "overwrite", "u2.pt exists and is 3 wide, not 2; set overwrite: True"),
        (
            {"width": 2, "content": "old"},
            {},
            "overwrite",
            "u2.pt was reduced from other vectors than u.pt; set overwrite: True",
        ),
        (
            None,
            {"dimension": 9},
            "dimension",
            "u.pt: the vectors are (30, 8); pca gives at most 8 axes",
        ),
        (
            None,
            {"dimension": 29, "method": "umap"},
            "dimension",
            "u.pt: the vectors have 30 rows; umap gives at most 28 axes",
        ),
    ],
)
def test_what_cannot_be_is_refused(
    existing: dict[str, Any] | None, params: dict[str, Any], parameter: str, said: str, tiny: Workspace
) -> None:
    tiny.save_vectors("u.pt", USERS, content="new")
    if existing:
        tiny.save_vectors("u2.pt", USERS, **existing)
    error = _reduce(tiny, **params).record.error or {}
    assert error["message"] == f"reduce_dim.{parameter}: {said}"
