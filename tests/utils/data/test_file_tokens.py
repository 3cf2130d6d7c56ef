"""The tokens of the dataset's own files, whatever RecBole leaves of them."""

from __future__ import annotations

from pathlib import Path

from tests.workspace import Workspace
from utils.data.file_tokens import FileTokens, read_file_tokens
from utils.recbole_port.train_part import file_tokens


def _write(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_interactions_and_descriptions_are_told_apart(tmp_path: Path) -> None:
    parts = [_write(tmp_path / f"x.{part}.inter", "user_id:token\titem_id:token", f"1\t{part}") for part in ("7", "9")]
    side = _write(tmp_path / "x.item", "item_id:token\ttitle:token", "7\ta", "\tb", "12\tc")
    assert read_file_tokens(parts, side, "item_id") == FileTokens(frozenset({"7", "9"}), frozenset({"7", "12"}))


def test_a_side_file_may_be_missing_or_about_something_else(tmp_path: Path) -> None:
    inter = _write(tmp_path / "x.inter", "user_id:token\titem_id:token", "1\t2")
    other = _write(tmp_path / "x.user", "person:token\tage:token", "1\t2")
    for side in (tmp_path / "none.user", other):
        assert read_file_tokens([inter], side, "user_id") == FileTokens(frozenset({"1"}))


def test_filters_and_columns_that_are_not_loaded_make_no_difference(tiny: Workspace) -> None:
    side = tiny.folder / "datasets" / "tiny" / "tiny.item"
    side.write_text(side.read_text() + "i99\tnobody saw it\t1999\tWar\n")
    ctx = tiny.context(item_inter_num_interval="[16,inf)")
    tokens = file_tokens(ctx.recbole_config(), "items")
    assert ctx.data.dataset.item_num - 1 < 40
    assert tokens.interacting == {f"i{number}" for number in range(1, 41)}
    assert tokens.described - tokens.interacting == {"i99"}
