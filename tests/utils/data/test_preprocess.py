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
            [{"id": 1, "embedding": [1, 2]}, {"id": 2, "embedding": [1]}, {"id": 3, "embedding": [3, 4]}],
            "profiles.json has embeddings of several widths: 1 (as '2'), 2 (as '1'); encode all with one encoder",
        ),
        (
            [{"id": 1, "embedding": [1]}, {"id": "1", "embedding": [2]}],
            "profiles.json has the id '1' twice; keep one entry of each user or item",
        ),
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
    first, second, other = (random_vectors(("a", "b"), 5, seed, "users").vectors for seed in (1, 1, 2))
    assert (first.shape, first.dtype) == ((2, 5), torch.float32)
    assert torch.equal(first, second)
    assert not torch.isin(first, other).any()


def test_users_and_items_have_no_random_number_in_common() -> None:
    users, items = (random_vectors(("1", "2"), 64, 1, side).vectors for side in ("users", "items"))
    assert not torch.isin(users, items).any()


def test_a_random_vector_depends_on_its_own_token_and_no_other() -> None:
    every, some = (random_vectors(tokens, 4, 1, "users").vectors for tokens in (("a", "b", "c"), ("c", "a")))
    assert torch.equal(every[[2, 0]], some)
    assert len(torch.unique(every)) == every.numel()


def test_random_vectors_are_not_what_the_training_draws_from_the_same_seed() -> None:
    drawn = torch.randn(2, 64, generator=torch.Generator().manual_seed(1))
    assert not torch.isin(random_vectors(("1", "2"), 64, 1, "users").vectors, drawn).any()


def test_random_vectors_are_standard_normal() -> None:
    vectors = random_vectors([str(number) for number in range(1000)], 64, 1, "users").vectors
    # The standard error of a mean of 64,000 is 0.004.
    assert abs(float(vectors.mean())) < 0.02
    assert abs(float(vectors.std()) - 1) < 0.02
