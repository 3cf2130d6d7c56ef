"""Time is exact: on ml-100k RecBole's float32 changes the order of 908 of 943 users and 149 test items."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from tests.workspace import SASREC, Workspace, standing_in
from utils.recbole_port import session
from utils.recbole_port.known_models import shipped_dataset

SETTINGS: dict[str, Any] = {
    **SASREC,
    "dataset": "ml-100k",
    "train_rows": "prefix",
    "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user", "mode": "full"},
}


@pytest.fixture(scope="module")
def file() -> pd.DataFrame:
    """The interactions as they stand in the file, by user and integer second, ties in the order of the file."""
    rows = pd.read_csv(shipped_dataset("ml-100k") / "ml-100k.inter", sep="\t", dtype=str)
    rows.columns = ["user", "item", "rating", "time"]
    rows["time"] = rows["time"].astype(np.int64)
    return rows.sort_values(["user", "time"], kind="stable")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> session.Data:
    folder: Path = tmp_path_factory.mktemp("exact")
    with standing_in(folder):
        session.ship_dataset(SETTINGS)
        return session.load_data(session.build_config(SETTINGS, folder), None, False)


def _items(data: session.Data, part: Any) -> dict[str, str]:
    tokens = data.dataset.field2id_token
    feat = part._dataset.inter_feat
    users, items = tokens["user_id"][feat["user_id"].numpy()], tokens["item_id"][feat["item_id"].numpy()]
    return dict(zip(users, items, strict=True))


def test_the_last_item_of_every_user_is_the_test_item(file: pd.DataFrame, data: session.Data) -> None:
    by_user = file.groupby("user")["item"]
    assert _items(data, data.test) == by_user.last().to_dict()
    assert _items(data, data.valid) == by_user.nth(-2).set_axis(by_user.last().index).to_dict()


def test_float32_would_change_149_test_items_and_254_valid_items(file: pd.DataFrame) -> None:
    rounded = file.sort_index().assign(time=lambda rows: rows["time"].astype(np.float32))
    rounded = rounded.sort_values(["user", "time"], kind="stable")
    exact, coarse = file.groupby("user")["item"], rounded.groupby("user")["item"]
    assert (exact.last() != coarse.last()).sum() == 149
    assert (exact.nth(-2).to_numpy() != coarse.nth(-2).to_numpy()).sum() == 254
    changed = sum(list(exact.get_group(user)) != list(coarse.get_group(user)) for user in exact.groups)
    assert (changed, len(exact.groups)) == (908, 943)


def test_repeated_pairs_are_removed_without_changing_the_order(file: pd.DataFrame, tmp_path: Path) -> None:
    settings = {**SETTINGS, "rm_dup_inter": "first"}
    with standing_in(tmp_path):
        session.ship_dataset(settings)
        found = session.load_data(session.build_config(settings, tmp_path), None, False)
    # ml-100k has no repeated pair, so that nothing may change.
    assert _items(found, found.test) == file.groupby("user")["item"].last().to_dict()


def test_batches_hold_float32_as_models_expect(data: session.Data) -> None:
    assert data.test._dataset.inter_feat["timestamp"].dtype == torch.float64
    batch = next(iter(data.full_train))
    assert batch["timestamp"].dtype == batch["timestamp_list"].dtype == torch.float32


def test_a_model_may_ask_for_exact_time_in_its_batches(workspace: Workspace) -> None:
    ctx = workspace.context(**SASREC, train_rows="windows")
    ctx.recbole_config()["exact_time"] = True
    batch = next(iter(ctx.data.full_train))
    assert batch["timestamp"].dtype == batch["timestamp_list"].dtype == torch.float64
