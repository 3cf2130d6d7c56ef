"""Windows hold every target of the train part once, and leave valid and test rows as they are."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from tests.workspace import SASREC, TRAIN, Workspace
from utils.recbole_port import train_part
from utils.recbole_port.windows import targets_of, window_rows

SPLITS = ["valid_and_test", "valid_only", "test_only"]


def _data(workspace: Workspace, rows: str, longest: int = 5, split: str = "valid_and_test") -> Any:
    given = {"eval_args": {"split": {"LS": split}, "order": "TO", "group_by": "user", "mode": "full"}}
    return workspace.context(**SASREC | {"MAX_ITEM_LIST_LENGTH": longest}, train_rows=rows, **given)


def _pairs(feat: Any) -> Counter[tuple[int, int]]:
    return Counter(zip(feat["user_id"].tolist(), feat["item_id"].tolist(), strict=True))


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("longest", [1, 4, 5, 50])
def test_the_targets_are_those_of_the_prefix_rows(workspace: Workspace, longest: int, split: str) -> None:
    prefixes = _data(workspace, "prefix", longest, split).data
    windows = _data(workspace, "windows", longest, split).data
    assert _pairs(targets_of(windows.full_train._dataset)) == _pairs(prefixes.full_train._dataset.inter_feat)
    assert len(windows.full_train._dataset) < len(prefixes.full_train._dataset) or longest == 1
    for part in ("valid", "test"):
        theirs, ours = (getattr(data, part)._dataset.inter_feat for data in (prefixes, windows))
        assert set(theirs) == set(ours)
        for field in theirs:
            assert torch.equal(theirs[field], ours[field]), (part, field)


def test_ml_100k_keeps_its_97171_targets_in_2412_windows(tmp_path: Any) -> None:
    # 943 users; a user with n items has n - 1 targets, of which the last two are left out.
    sizes = np.random.default_rng(0).integers(3, 300, size=200)
    users = np.repeat(np.arange(1, 201), sizes)
    starts, targets = window_rows(users, 50, held_out=2, last_only=False)
    rows = sum(-(-(size - 3) // 50) + 2 for size in sizes.tolist())
    assert len(starts) == len(targets) == rows


@pytest.mark.parametrize(
    ("size", "held_out", "expected"),
    [
        # Positions 0..6, the last two left out: targets 1..4, in windows of 3 from the last one backwards.
        (7, 2, [(0, 1), (1, 4), (2, 5), (3, 6)]),
        (7, 1, [(0, 2), (2, 5), (3, 6)]),
        # One target must remain: of three items only one is left out.
        (3, 2, [(0, 1), (0, 2)]),
        (2, 2, [(0, 1)]),
        (1, 2, []),
    ],
)
def test_a_user_is_divided_from_the_last_train_target_backwards(
    size: int, held_out: int, expected: list[tuple[int, int]]
) -> None:
    starts, targets = window_rows(np.ones(size, dtype=np.int64), 3, held_out, last_only=False)
    assert list(zip(starts.tolist(), targets.tolist(), strict=True)) == expected


def test_the_last_window_alone_is_one_row_per_user_beside_the_left_out_ones() -> None:
    starts, targets = window_rows(np.repeat([1, 2], [7, 4]), 3, 2, last_only=True)
    # User 1: targets 2..4 of 1..4; user 2 begins at position 7 and has the one train target 8.
    assert list(zip(starts.tolist(), targets.tolist(), strict=True)) == [
        (1, 4),
        (2, 5),
        (3, 6),
        (7, 8),
        (7, 9),
        (7, 10),
    ]


def test_a_batch_holds_as_many_targets_as_recboles_would(workspace: Workspace) -> None:
    data = _data(workspace, "windows").data
    batch = next(iter(data.full_train))
    # 30 users with 17 targets each in windows of 5, 5, 5 and 2: 4.25 in the mean, 256 / 4.25 = 60 rows.
    assert len(batch) == round(256 / (17 / 4))
    assert 200 < int(batch["item_length"].sum()) <= 300


def test_items_are_counted_by_targets(workspace: Workspace) -> None:
    prefixes, windows = (_data(workspace, rows).data.full_train._dataset for rows in ("prefix", "windows"))
    assert windows.item_counter == prefixes.item_counter


@pytest.mark.parametrize("rows", ["windows", "last_window"])
def test_popular_negatives_are_drawn_as_with_prefixes(workspace: Workspace, rows: str) -> None:
    mode = {"eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user", "mode": "pop10"}}
    of_prefixes, of_windows = (
        workspace.context(**SASREC, train_rows=kind, **mode).data.test._sampler for kind in ("prefix", rows)
    )
    assert list(of_windows.prob.items()) == list(of_prefixes.prob.items())
    assert of_windows.alias == of_prefixes.alias


def test_profiles_may_be_written_from_the_same_pairs(workspace: Workspace) -> None:
    fingerprints = {_data(workspace, rows).train_fingerprint for rows in ("prefix", "windows", "last_window")}
    assert len(fingerprints) == 1
    ctx = _data(workspace, "last_window")
    assert len(train_part.train_pairs(ctx.recbole_config(), ctx.data)) == 30 * (20 - 2)


def test_the_datasets_that_are_saved_have_one_target_per_line(tiny: Workspace) -> None:
    lines = {}
    for rows in ("prefix", "windows"):
        run = tiny.run([*TRAIN, "save_datasets"], rows, **SASREC, train_rows=rows)
        assert run.record.status == "done", run.console.text
        (train,) = [file for file in tiny.folder.rglob("*train*.tsv") if rows in str(file) or True][-1:]
        columns = [line.split("\t") for line in train.read_text().splitlines()]
        places = [columns[0].index(name) for name in ("user_id", "item_id", "timestamp")]
        lines[rows] = sorted(tuple(row[place] for place in places) for row in columns)
    assert lines["prefix"] == lines["windows"]


@pytest.mark.parametrize(
    ("settings", "rows"),
    [
        ({}, "windows"),
        ({"train_rows": "last_window"}, "last_window"),
        ({"train_rows": "prefix"}, "prefix"),
        ({"eval_args": {"split": {"RS": [8, 1, 1]}, "order": "TO"}}, "prefix"),
        ({"model": "GRU4Rec", "hidden_size": 8, "inner_size": None}, "prefix"),
        ({"loss_type": "BPR", "train_neg_sample_args": {"distribution": "uniform"}}, "prefix"),
    ],
)
def test_windows_are_taken_wherever_they_fit_and_the_record_says_so(
    workspace: Workspace, settings: dict[str, Any], rows: str
) -> None:
    given = {key: value for key, value in {**SASREC, **settings}.items() if value is not None or "neg" in key}
    ctx = workspace.context(**given)
    ctx.data  # noqa: B018
    assert ctx.record.protocol["train_rows"] == rows
