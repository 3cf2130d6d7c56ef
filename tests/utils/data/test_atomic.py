"""Atomic files are read as they are: quotes are letters, nothing is a missing value."""

from __future__ import annotations

from pathlib import Path

import pytest

from utils.data.atomic import find_malformed, read_atomic


def test_quotes_in_titles_and_words_for_nothing_are_text(tmp_path: Path) -> None:
    path = tmp_path / "x.item"
    path.write_text('item_id:token\ttitle:token_seq\n1\t"Hello", he said\n2\tthe "last\n3\tNA\n4\t\n', encoding="utf-8")
    rows = read_atomic(path)
    assert list(rows.columns) == ["item_id", "title"]
    assert rows["title"].tolist() == ['"Hello", he said', 'the "last', "NA", ""]


def test_separator_and_encoding_are_the_datasets(tmp_path: Path) -> None:
    path = tmp_path / "x.item"
    path.write_bytes("item_id:token|title:token\n007|Amélie\n".encode("latin-1"))
    rows = read_atomic(path, "|", "latin-1")
    assert rows.loc[0].tolist() == ["007", "Amélie"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("u\t1", None),
        ("u\t", None),
        ("", None),
        ('"a\tb"\t1', None),
        ("u", "line 3: 1 fields, the header has 2"),
        ("u\t1\t2", "line 3: 3 fields, the header has 2"),
        ("u\tx", "line 3: rating is 'x', not a number"),
    ],
)
def test_the_first_malformed_line_is_found(row: str, said: str | None, tmp_path: Path) -> None:
    path = tmp_path / "x.inter"
    path.write_text(f"user_id:token\trating:float\nu\t1.5\n{row}\n")
    assert find_malformed(path) == (said and f"{path}, {said}")
