"""LLM-KT's profile JSON becomes a vector file by token."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from utils.data.embeddings import VectorFileError, read_vectors
from utils.data.preprocess import random_vectors, vectors_from_json, write_from_json


def _json(folder: Path, content: Any) -> Path:
    path = folder / "profiles.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_rows_keep_the_order_of_the_file_and_their_ids(tmp_path: Path) -> None:
    path = _json(tmp_path, [{"id": 10, "embedding": [1, 2]}, {"id": "2", "embedding": "[3.5, 4]", "prompt": "x"}])
    file = vectors_from_json(path)
    assert file.tokens == ("10", "2")
    assert file.vectors.tolist() == [[1, 2], [3.5, 4]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[{", "profiles.json cannot be read: "),
        ([], "profiles.json is not a list of profiles"),
        ({"id": 1}, "profiles.json is not a list of profiles"),
        ([{"id": 1}], "profiles.json: entry 0 is not an object with 'id' and 'embedding'"),
        ([{"id": 1, "embedding": "none"}], "profiles.json: the embedding of entry 0 is not a list of numbers"),
        ([{"id": 1, "embedding": [1, None]}], "profiles.json: the embedding of entry 0 is not a list of numbers"),
        ([{"id": 1, "embedding": [True]}], "profiles.json: the embedding of entry 0 is not a list of numbers"),
        (
            [{"id": 1, "embedding": [1]}, {"id": 2, "embedding": [1, 2]}],
            "profiles.json has embeddings of several widths: 1, 2",
        ),
        ([{"id": 1, "embedding": [1]}, {"id": "1", "embedding": [2]}], "profiles.json has the id '1' twice"),
        ([{"id": 1, "embedding": []}], "profiles.json: the embedding of entry 0 is not a list of numbers"),
    ],
)
def test_what_is_wrong_is_said(content: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(VectorFileError) as caught:
        vectors_from_json(_json(tmp_path, content))
    assert str(caught.value).removeprefix(f"{tmp_path}/").startswith(said)


def test_the_vector_file_is_written_beside_the_json(tmp_path: Path) -> None:
    path = _json(tmp_path, [{"id": "u1", "embedding": [1, 2, 3]}])
    assert write_from_json(tmp_path, path.name, "u3.pt") == "u3.pt: 1 vectors of profiles.json, 3 wide"
    assert read_vectors(tmp_path / "u3.pt").tokens == ("u1",)


def test_random_vectors_are_the_same_for_the_same_seed() -> None:
    first, second, other = (random_vectors(("a", "b"), 5, seed).vectors for seed in (1, 1, 2))
    assert first.shape == (2, 5)
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
