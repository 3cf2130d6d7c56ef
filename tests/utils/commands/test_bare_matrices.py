"""LLM-KT's matrices without tokens, from the file to the loss, on a dataset whose users are numbered."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

from tests.workspace import Run, Workspace

WRAP: dict[str, Any] = {"wrap_model": {"distil_loss": "mse", "users_emb_file": "bare.pt"}}
FILTER = {"val_interval": {"rating": "[4,inf)"}, "user_inter_num_interval": "[8,inf)"}


def _number_users(workspace: Workspace, first: int) -> None:
    """Users u1..u30 become `first`.. in all files."""
    for suffix in ("inter", "user"):
        path = workspace.folder / "datasets" / "tiny" / f"tiny.{suffix}"
        text = re.sub(r"^u(\d+)", lambda match: str(int(match[1]) - 1 + first), path.read_text(), flags=re.MULTILINE)
        path.write_text(text)


def _wrap(workspace: Workspace, rows: int, **settings: Any) -> Run:
    workspace.vectors.mkdir(parents=True, exist_ok=True)
    torch.save(torch.randn(rows, 8), workspace.vectors / "bare.pt")
    return workspace.run(["init_model", WRAP], "bare", **settings)


@pytest.mark.parametrize("settings", [{}, FILTER], ids=["all", "filtered"])
def test_users_numbered_from_0_are_refused_with_a_matrix_that_starts_with_1(
    settings: dict[str, Any], tiny: Workspace
) -> None:
    _number_users(tiny, first=0)
    refused = _wrap(tiny, 30, **settings)
    assert (
        "numbered from '1', but the dataset's users start with '0'; set llm_config.users_start_with_1: False"
        in ((refused.record.error or {})["message"])
    )
    fine = _wrap(tiny, 30, **settings, llm_config={"users_start_with_1": False})
    assert fine.record.status == "done", fine.console.text


@pytest.mark.parametrize("settings", [{}, FILTER], ids=["all", "filtered"])
def test_a_matrix_has_a_row_for_every_user_of_the_files(settings: dict[str, Any], tiny: Workspace) -> None:
    _number_users(tiny, first=1)
    fine = _wrap(tiny, 30, **settings)
    assert fine.record.status == "done", fine.console.text
    for rows in (29, 31):
        refused = (_wrap(tiny, rows, **settings).record.error or {})["message"]
        assert refused.endswith(f"has {rows} rows, for users '1' to '{rows}'; the last of the dataset's users is '30'")
