"""The train part is what the split says, and nothing else reaches a user's text."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch

from tests.workspace import SASREC, Workspace
from utils.commands.encode_profiles import EncodeProfiles
from utils.data.atomic import read_atomic
from utils.data.profile_texts import user_texts
from utils.recbole_port.train_part import (
    held_out_pairs,
    split_interactions,
    train_counts,
    train_fingerprint,
    train_interactions,
    train_pairs,
)

MODELS: dict[str, dict[str, Any]] = {"BPR": {"model": "BPR"}, "SASRec": SASREC}


def _all_but_the_last_two(folder: Path) -> pd.DataFrame:
    """Leave-one-out by hand: a user's last item is for test, the one before it for validation."""
    rows = read_atomic(folder / "datasets" / "tiny" / "tiny.inter")
    rows["timestamp"] = rows["timestamp"].astype(float)
    rows = rows.sort_values("timestamp", kind="stable")
    return rows[rows.groupby("user_id").cumcount(ascending=False) >= 2]


def _pairs(rows: pd.DataFrame) -> set[tuple[str, str]]:
    return set(zip(rows["user_id"], rows["item_id"], strict=True))


@pytest.mark.parametrize("model", ["BPR", "SASRec"])
def test_the_pairs_are_what_the_split_says(model: str, workspace: Workspace) -> None:
    ctx = workspace.context(**MODELS[model])
    pairs = train_pairs(ctx.recbole_config(), ctx.data)
    expected = _pairs(_all_but_the_last_two(workspace.folder))
    # 30 users with 20 interactions each, of which 18 are for training.
    assert len(pairs) == len(expected) == 540
    assert _pairs(pairs) == expected


@pytest.mark.parametrize("model", ["BPR", "SASRec"])
def test_users_and_items_are_counted_in_the_same_pairs(model: str, workspace: Workspace) -> None:
    ctx = workspace.context(**MODELS[model])
    of_users, of_items = train_counts(ctx.recbole_config(), ctx.data)
    # Row 0 is RecBole's padding.
    assert list(of_users) == [0, *[18] * 30]
    expected = _all_but_the_last_two(workspace.folder)["item_id"].value_counts()
    tokens = ctx.data.dataset.field2id_token["item_id"]
    assert {token: count for token, count in zip(tokens, of_items, strict=True) if count} == dict(expected)


def test_rows_have_the_files_own_numbers(workspace: Workspace) -> None:
    ctx = workspace.context(model="BPR")
    rows = train_interactions(ctx.recbole_config(), ctx.data)
    expected = _all_but_the_last_two(workspace.folder)
    assert sorted(rows["timestamp"].astype(float)) == sorted(expected["timestamp"])
    assert rows["rating"].iloc[0] in {"1", "2", "3", "4", "5"}


@pytest.mark.parametrize("model", ["BPR", "SASRec"])
def test_the_last_two_items_of_a_user_are_held_out(model: str, workspace: Workspace) -> None:
    ctx = workspace.context(**MODELS[model])
    rows = read_atomic(workspace.folder / "datasets" / "tiny" / "tiny.inter")
    rows = rows.sort_values("timestamp", key=lambda column: column.astype(float), kind="stable")
    from_the_end = rows.groupby("user_id").cumcount(ascending=False)
    parts = split_interactions(ctx.recbole_config(), ctx.data)
    for part, place in (("valid", 1), ("test", 0)):
        expected = rows[from_the_end == place]
        pairs = held_out_pairs(ctx.recbole_config(), ctx.data, part)  # type: ignore[arg-type]
        assert len(pairs) == 30
        assert _pairs(pairs) == _pairs(expected)
        # With their own ratings and times, as the file has them.
        columns = ["user_id", "item_id", "rating", "timestamp"]
        assert set(parts[part][columns].itertuples(index=False, name=None)) == set(  # type: ignore[index]
            expected[columns].itertuples(index=False, name=None)
        )
    pd.testing.assert_frame_equal(parts["train"], train_interactions(ctx.recbole_config(), ctx.data))


@pytest.mark.parametrize("model", ["BPR", "SASRec"])
def test_a_ratio_split_is_followed_too(model: str, workspace: Workspace) -> None:
    split = {"split": {"RS": [0.7, 0.1, 0.2]}, "order": "TO", "group_by": "user", "mode": "full"}
    ctx = workspace.context(**MODELS[model], eval_args=split)
    held_out = pd.concat(
        pd.DataFrame(
            {
                "user_id": ctx.data.dataset.field2id_token["user_id"][loader._dataset.inter_feat["user_id"]],
                "item_id": ctx.data.dataset.field2id_token["item_id"][loader._dataset.inter_feat["item_id"]],
            }
        )
        for loader in (ctx.data.valid, ctx.data.test)
    )
    pairs = _pairs(train_pairs(ctx.recbole_config(), ctx.data))
    assert not pairs & _pairs(held_out)
    rows = read_atomic(workspace.folder / "datasets" / "tiny" / "tiny.inter")
    assert pairs | _pairs(held_out) == _pairs(rows)


def test_general_and_sequential_models_of_one_split_may_share_profiles(workspace: Workspace) -> None:
    prints = []
    for model in ("BPR", "SASRec"):
        ctx = workspace.context(**MODELS[model])
        prints.append(train_fingerprint(ctx.recbole_config(), ctx.data))
    assert prints[0] == prints[1]


def test_another_split_has_another_fingerprint(workspace: Workspace) -> None:
    split = {"split": {"RS": [0.8, 0.1, 0.1]}, "order": "RO", "group_by": "user", "mode": "full"}
    prints = []
    for seed in (1, 1, 2):
        ctx = workspace.context(model="BPR", eval_args=split, seed=seed)
        prints.append(train_fingerprint(ctx.recbole_config(), ctx.data))
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.parametrize("model", ["BPR", "SASRec"])
def test_a_title_that_occurs_only_in_the_test_part_reaches_no_text(model: str, tiny: Workspace) -> None:
    folder = tiny.folder / "datasets" / "tiny"
    items, inter = (folder / f"tiny.{suffix}" for suffix in ("item", "inter"))
    items.write_text(items.read_text() + "i99\tMARKER\t1999\tWar\n")
    # The latest interaction of u1, with the best rating: its test item.
    inter.write_text(inter.read_text() + "u1\ti99\t5\t99999999\n")
    ctx = tiny.context(**MODELS[model])
    command = EncodeProfiles(users_file="u.pt")
    facts = command._item_facts(ctx)
    texts = user_texts(command._liked(ctx), facts, most=1000)
    assert "i99" in ctx.data.dataset.field2id_token["item_id"]
    assert facts["i99"].title == "MARKER"
    assert not [text for text in texts.values() if "MARKER" in text]
    # u1's own train titles are there, so the text is not empty for another reason.
    assert texts["u1"].startswith("This user liked ")


def test_a_million_interactions_are_fingerprinted_in_one_go() -> None:
    draw = torch.Generator().manual_seed(0)
    tokens = {
        "user_id": pd.Series(range(6041)).astype(str).to_numpy(dtype=object),
        "item_id": pd.Series(range(3707)).astype(str).to_numpy(dtype=object),
    }
    rows = {
        "user_id": torch.randint(1, 6041, (1_000_000,), generator=draw),
        "item_id": torch.randint(1, 3707, (1_000_000,), generator=draw),
    }
    config = {"USER_ID_FIELD": "user_id", "ITEM_ID_FIELD": "item_id", "LIST_SUFFIX": "_list"}
    data = SimpleNamespace(
        full_train=SimpleNamespace(_dataset=SimpleNamespace(inter_feat=rows)),
        dataset=SimpleNamespace(field2id_token=tokens, num=lambda field: len(tokens[field])),
    )
    started = time.process_time()
    assert len(train_fingerprint(config, data)) == 16  # type: ignore[arg-type]
    # A fraction of a second here. A comparison of all with all would take hours.
    assert time.process_time() - started < 60
