"""Vector files are read whole and safely, and reach RecBole's rows by token."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from utils.data.embeddings import Aligned, VectorFile, VectorFileError, align, read_vectors, write_vectors
from utils.data.ids import IdMap

NUMBERED = IdMap(("[PAD]", "2", "3", "1"))
NAMED = IdMap(("[PAD]", "u2", "u1"))


def _write(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def _refused(path: Path) -> str:
    with pytest.raises(VectorFileError) as caught:
        read_vectors(path)
    return str(caught.value).replace(f"{path.parent}/", "")


def test_a_file_comes_back_with_tokens_and_meta(tmp_path: Path) -> None:
    path = tmp_path / "new" / "u.pt"
    write_vectors(path, VectorFile(torch.tensor([[1.0, 2], [3, 4]]), ("a", "b"), {"encoder": "x"}))
    back = read_vectors(path)
    assert back.vectors.tolist() == [[1, 2], [3, 4]]
    assert (back.tokens, back.meta) == (("a", "b"), {"encoder": "x"})


def test_a_bare_matrix_has_no_tokens_and_becomes_float32(tmp_path: Path) -> None:
    back = read_vectors(_write(tmp_path / "u.pt", torch.tensor([[1, 2]], dtype=torch.int64)))
    assert (back.tokens, back.vectors.dtype) == (None, torch.float32)


@pytest.mark.parametrize("tokens", [[1, 2], torch.tensor([1, 2]), ("1", "2")])
def test_tokens_may_be_numbers(tokens: Any, tmp_path: Path) -> None:
    path = _write(tmp_path / "u.pt", {"vectors": torch.ones(2, 1), "tokens": tokens})
    assert read_vectors(path).tokens == ("1", "2")


def test_a_missing_file_suggests_a_near_one(tmp_path: Path) -> None:
    _write(tmp_path / "user384.pt", torch.ones(1, 1))
    path = tmp_path / "user284.pt"
    with pytest.raises(VectorFileError, match=re.escape(f"no file {path}; did you mean 'user384.pt'?")):
        read_vectors(path)


def test_a_file_that_holds_code_is_refused_and_the_code_not_run(tmp_path: Path) -> None:
    class Touch:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "was_run",)

    path = _write(tmp_path / "u.pt", {"vectors": torch.ones(1, 1), "meta": Touch()})
    said = _refused(path)
    assert said.startswith("u.pt cannot be read: it holds a pickled ")
    assert said.endswith(", which may run code")
    assert not (tmp_path / "was_run").exists()


@pytest.mark.parametrize("content", [b"", b"just text\n" * 9, b'[{"id": 1}]', bytes(range(256))])
def test_what_torch_did_not_write_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "u.pt"
    path.write_bytes(content)
    assert _refused(path) == "u.pt cannot be read: it is no whole torch file"


def test_half_a_file_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "u.pt", torch.ones(100, 8))
    path.write_bytes(path.read_bytes()[:1000])
    assert _refused(path) == "u.pt cannot be read: it is no whole torch file"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([1], "u.pt holds list, neither a matrix nor vectors with tokens"),
        ({"tokens": ["a"]}, "u.pt holds dict, neither a matrix nor vectors with tokens"),
        (torch.ones(2, 3, 4), "u.pt is [2, 3, 4]; vectors are [rows, dim]"),
        ({"vectors": torch.ones(2, 1), "tokens": ["a"]}, "u.pt has 2 rows and 1 tokens"),
        ({"vectors": torch.ones(3, 1), "tokens": ["a", "b", "b"]}, "u.pt has the token 'b' twice"),
        ({"vectors": torch.ones(1, 1), "tokens": "a"}, "u.pt: its tokens are str, not a list"),
        (
            torch.ones(1, 1, dtype=torch.complex64),
            "u.pt holds a torch.complex64 torch.strided tensor; vectors are plain numbers",
        ),
        (
            {"vectors": torch.tensor([[0.0], [float("nan")], [float("inf")]]), "tokens": ["a", "b", "c"]},
            "u.pt has 2 rows with NaN or infinity, the first is row 1 (token 'b')",
        ),
        (torch.tensor([[float("inf")]]), "u.pt has 1 rows with NaN or infinity, the first is row 0"),
    ],
)
def test_what_is_wrong_with_the_content_is_said(content: Any, said: str, tmp_path: Path) -> None:
    assert _refused(_write(tmp_path / "u.pt", content)) == said


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "u.pt"
    write_vectors(path, VectorFile(torch.ones(1, 1), ("a",)))

    def half(content: Any, where: Path) -> None:
        Path(where).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(KeyboardInterrupt):
        write_vectors(path, VectorFile(torch.zeros(1, 1), ("a",)))
    assert read_vectors(path).vectors.tolist() == [[1]]
    assert [file.name for file in tmp_path.iterdir()] == ["u.pt"]


def _align(file: VectorFile, ids: IdMap, starts_with_1: bool = True, filtered: bool = False) -> Aligned:
    return align(Path("u.pt"), file, ids, "users", starts_with_1, filtered)


def test_vectors_are_aligned_by_token_and_missing_rows_are_zero() -> None:
    aligned = _align(VectorFile(torch.tensor([[1.0], [2], [9]]), ("u1", "x", "y")), NAMED)
    # Rows are [PAD], u2 (no vector), u1.
    assert aligned.vectors.tolist() == [[0], [0], [1]]
    assert aligned.present.tolist() == [False, False, True]
    assert aligned.coverage("users") == "1 of 2 users"


def test_a_bare_matrix_is_numbered_from_1() -> None:
    aligned = _align(VectorFile(torch.tensor([[1.0], [2], [3]]), None), NUMBERED)
    assert aligned.vectors.tolist() == [[0], [2], [3], [1]]


def test_a_bare_matrix_may_be_numbered_from_0() -> None:
    # Row 0 belongs to token '0', which this dataset does not have.
    aligned = _align(VectorFile(torch.tensor([[0.5], [1], [2], [3]]), None), NUMBERED, starts_with_1=False)
    assert aligned.vectors.tolist() == [[0], [2], [3], [1]]


def test_filters_may_leave_a_bare_matrix_longer_than_the_dataset() -> None:
    filtered = IdMap(("[PAD]", "3", "1"))
    matrix = VectorFile(torch.tensor([[1.0], [2], [3], [4]]), None)
    assert _align(matrix, filtered, filtered=True).vectors.tolist() == [[0], [3], [1]]
    with pytest.raises(VectorFileError) as caught:
        _align(matrix, filtered, filtered=False)
    assert str(caught.value) == "u.pt has 4 rows, for users '1' to '4'; the last of the dataset's users is '3'"


def test_a_bare_matrix_may_not_be_shorter_than_the_dataset() -> None:
    with pytest.raises(VectorFileError, match=r"u\.pt has 2 rows, for users '1' to '2'"):
        _align(VectorFile(torch.ones(2, 1), None), NUMBERED, filtered=True)


def test_a_bare_matrix_fits_no_named_tokens() -> None:
    with pytest.raises(VectorFileError) as caught:
        _align(VectorFile(torch.ones(2, 1), None), NAMED)
    assert str(caught.value) == "u.pt is a matrix without tokens, but users are not numbered (e.g. 'u2')"


def test_tokens_that_match_nothing_are_shown_beside_the_datasets() -> None:
    with pytest.raises(VectorFileError) as caught:
        _align(VectorFile(torch.ones(1, 1), ("1m_7",)), NAMED)
    assert str(caught.value) == "u.pt: none of its tokens (1m_7, ...) is one of the 2 users (u2, u1, ...)"
