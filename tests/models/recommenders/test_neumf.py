"""Our NeuMF ranks all items by the scores of RecBole's `predict`."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from models.recommenders import neumf
from tests.workspace import Workspace
from utils.recbole_port import session

CASES: dict[str, dict[str, Any]] = {
    "both": {},
    "one layer": {"mlp_hidden_size": [8]},
    "matrix factorisation alone": {"mlp_train": False},
    "MLP alone": {"mf_train": False},
}


@pytest.mark.parametrize("block_numbers", [1, 2**18], ids=["a user at a time", "blocks"])
@pytest.mark.parametrize("settings", CASES.values(), ids=CASES)
def test_scores_of_all_items_are_those_of_each_pair(
    workspace: Workspace, settings: dict[str, Any], block_numbers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neumf, "_BLOCK_NUMBERS", block_numbers)
    given = {"mlp_hidden_size": [12, 6], "mf_embedding_size": 4, "mlp_embedding_size": 8, **settings}
    ctx = workspace.context(model="NeuMF", **given)
    model = session.build_model(ctx.recbole_config(), ctx.data).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    users = torch.tensor([1, 4, 4, 9])
    with torch.no_grad():
        scores = model.full_sort_predict({"user_id": users}).view(4, -1)
        items = torch.arange(model.n_items)
        for row, user in enumerate(users.tolist()):
            pairs = {"user_id": torch.full_like(items, user), "item_id": items}
            torch.testing.assert_close(scores[row], model.predict(pairs), rtol=1e-5, atol=1e-5)
