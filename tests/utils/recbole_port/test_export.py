"""The split as tables: tokens and the file's own numbers."""

from __future__ import annotations

from tests.workspace import SASREC, Workspace
from utils.data.atomic import read_atomic
from utils.recbole_port.export import split_frames


def test_the_three_parts_are_the_dataset(workspace: Workspace) -> None:
    ctx = workspace.context()
    frames = split_frames(ctx.recbole_config(), ctx.data)
    assert {part: len(frame) for part, frame in frames.items()} == {"train": 540, "valid": 30, "test": 30}
    columns = ["user_id", "item_id", "rating", "timestamp"]
    rows = {tuple(row) for frame in frames.values() for row in frame[columns].astype(str).to_numpy()}
    file = read_atomic(workspace.folder / "datasets" / "tiny" / "tiny.inter")
    assert rows == {tuple(row) for row in file[columns].to_numpy()}


def test_a_timestamp_that_float32_cannot_hold_is_written_as_it_is(tiny: Workspace) -> None:
    inter = tiny.folder / "datasets" / "tiny" / "tiny.inter"
    # 874965758 becomes 874965760 as float32.
    inter.write_text(inter.read_text().replace("u1\ti1\t5\t1000\n", "u1\ti1\t5\t874965758\n"))
    ctx = tiny.context()
    test = split_frames(ctx.recbole_config(), ctx.data)["test"]
    assert test[test["user_id"] == "u1"][["item_id", "timestamp"]].to_numpy().tolist() == [["i1", "874965758"]]


def test_pairs_that_occur_twice_keep_their_rows(tiny: Workspace) -> None:
    inter = tiny.folder / "datasets" / "tiny" / "tiny.inter"
    inter.write_text(inter.read_text() + "u1\ti1\t3\t99999\n")
    ctx = tiny.context()
    frames = split_frames(ctx.recbole_config(), ctx.data)
    assert sum(map(len, frames.values())) == 601
    last = frames["test"][frames["test"]["user_id"] == "u1"]
    assert last[["item_id", "rating", "timestamp"]].to_numpy().tolist() == [["i1", 3.0, 99999.0]]


def test_a_sequential_models_train_rows_are_targets(workspace: Workspace) -> None:
    ctx = workspace.context(**SASREC)
    frames = split_frames(ctx.recbole_config(), ctx.data)
    # The first item of each of the 30 users is nobody's target.
    assert {part: len(frame) for part, frame in frames.items()} == {"train": 510, "valid": 30, "test": 30}
    assert "item_id_list" not in frames["train"]
