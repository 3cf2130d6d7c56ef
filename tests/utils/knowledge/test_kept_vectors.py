"""Vector files of an earlier step: kept, refused with what is different, or not there."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workspace import USERS, Workspace
from utils.knowledge.kept_vectors import kept_vectors
from utils.scenario.errors import StepError

TOLD: dict[str, Any] = {"side": "users", "dataset": "tiny", "checkpoint": "c1"}
OTHER = {"side": "the other side", "checkpoint": "another training"}


def kept(tiny: Workspace, **changes: Any) -> Any:
    context = tiny.context(llm_config={"embeddings_path": str(tiny.vectors.parent)})
    return kept_vectors(context, "users_emb_file", "u.pt", {**TOLD, **changes}, OTHER)


def test_what_was_made_from_the_same_is_kept(tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS, **TOLD)
    assert kept(tiny).tokens == tuple(USERS)


def test_where_there_is_no_file_there_is_nothing_to_keep(tiny: Workspace) -> None:
    assert kept(tiny) is None


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"checkpoint": "c2"}, "of another training"),
        # The first that is told counts.
        ({"checkpoint": "c2", "side": "items"}, "of the other side"),
        ({"dataset": "huge"}, "of something else"),
        ({"prompt": "mine"}, "of something else"),
    ],
)
def test_what_was_made_from_anything_else_is_refused(tiny: Workspace, changes: dict[str, Any], what: str) -> None:
    tiny.save_vectors("u.pt", USERS, **TOLD)
    with pytest.raises(StepError) as caught:
        kept(tiny, **changes)
    assert caught.value.parameter == "users_emb_file"
    path = tiny.vectors / "u.pt"
    assert caught.value.message == f"{path} holds vectors {what}; set overwrite: True, or name another file"


def test_a_file_that_cannot_be_read_is_refused(tiny: Workspace) -> None:
    tiny.vectors.mkdir(parents=True)
    (tiny.vectors / "u.pt").write_bytes(b"half")
    with pytest.raises(StepError, match="is no whole torch file; set overwrite: True, or name another file"):
        kept(tiny)
