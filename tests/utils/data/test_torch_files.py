"""Plain torch files: whole or absent, and an error of the reader's own kind. What is unsafe, test_embeddings tries."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from utils.data.torch_files import load_plain, save_plain


class NoGoodError(ValueError):
    """The error of a kind of file."""


def test_plain_values_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "new" / "f.pt"
    save_plain(path, {"a": torch.tensor([1, 2]), "b": [("x", 1.5, None)]})
    back = load_plain(path, NoGoodError)
    assert back["a"].tolist() == [1, 2]
    assert back["b"] == [("x", 1.5, None)]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "f.pt"
    save_plain(path, 1)
    with pytest.raises(Exception, match="pickle"):
        save_plain(path, lambda: 2)
    assert load_plain(path, NoGoodError) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_file_suggests_a_near_one(tmp_path: Path) -> None:
    save_plain(tmp_path / "subgraphs.pt", 1)
    path = tmp_path / "subgraph.pt"
    with pytest.raises(NoGoodError, match=re.escape(f"no file {path}; did you mean 'subgraphs.pt'?")):
        load_plain(path, NoGoodError)
