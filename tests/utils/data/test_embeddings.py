"""Vector files are read whole and safely, and reach RecBole's rows by token."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from utils.data.embeddings import Aligned, Projection, VectorFile, VectorFileError, align, read_vectors, write_vectors
from utils.data.file_tokens import FileTokens
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


def test_a_projection_comes_back_and_maps_new_rows(tmp_path: Path) -> None:
    projection = Projection(torch.tensor([1.0, 1]), torch.tensor([[2.0], [3]]))
    write_vectors(tmp_path / "u.pt", VectorFile(torch.ones(1, 1), ("a",), {}, projection))
    back = read_vectors(tmp_path / "u.pt").projection
    assert back is not None
    # (4 - 1) * 2 + (6 - 1) * 3
    assert back(torch.tensor([[4.0, 6]])).tolist() == [[21]]


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
        (
            {"vectors": torch.ones(3, 1), "tokens": ["a", "b", "b"]},
            "u.pt has the token 'b' twice; keep one row of each user or item",
        ),
        (
            {"vectors": torch.ones(2, 3), "tokens": ["a", "b"], "projection": {"mean": torch.ones(5)}},
            "u.pt: its projection is not a mean and a matrix",
        ),
        (
            {"vectors": torch.ones(1, 3), "projection": {"mean": torch.ones(5), "matrix": torch.ones(5, 2)}},
            "u.pt: its projection, a mean [5] and a matrix [5, 2], does not lead to its vectors, 3 wide",
        ),
        ({"vectors": torch.ones(1, 1), "tokens": "a"}, "u.pt: its tokens are str, not a list"),
        (
            torch.ones(1, 1, dtype=torch.complex64),
            "u.pt holds a torch.complex64 torch.strided tensor; vectors are plain numbers",
        ),
        (
            {"vectors": torch.tensor([[0.0], [float("nan")], [float("inf")]]), "tokens": ["a", "b", "c"]},
            "u.pt has 2 rows with NaN or infinity, the first is row 1 (token 'b')",
        ),
        (torch.tensor([[float("inf")]]), "u.pt has 1 row with NaN or infinity, the first is row 0"),
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


def test_what_is_read_learns_nothing_and_lies_in_one_piece(tmp_path: Path) -> None:
    parameter = torch.nn.Parameter(torch.tensor([[1.0, 2], [3, 4]]).T)
    back = read_vectors(_write(tmp_path / "u.pt", {"vectors": parameter, "tokens": ["a", "b"]}))
    assert back.vectors.tolist() == [[1, 3], [2, 4]]
    assert not back.vectors.requires_grad
    assert back.vectors.is_contiguous()
    write_vectors(tmp_path / "u.pt", VectorFile(parameter, ("a", "b")))
    assert not torch.load(tmp_path / "u.pt", weights_only=True)["vectors"].requires_grad


@pytest.mark.parametrize(
    ("meta", "known"),
    [
        ({"train_fingerprint": "abc"}, True),
        ({"source": "random", "seed": 1}, True),
        ({"source": "user.json"}, False),
        ({"train_fingerprint": "abc", "origin": "unknown"}, False),
        ({}, False),
    ],
)
def test_a_file_says_whether_its_origin_is_known(meta: dict[str, Any], known: bool) -> None:
    assert VectorFile(torch.ones(1, 1), ("a",), meta).origin_known is known


def test_the_hash_of_a_file_tells_vectors_tokens_and_shapes_apart() -> None:
    vectors = torch.tensor([[1.0, 2], [3, 4]])
    files = [
        VectorFile(vectors, ("a", "b")),
        VectorFile(vectors, ("b", "a")),
        VectorFile(vectors, None),
        VectorFile(vectors + 1e-6, ("a", "b")),
        VectorFile(vectors.reshape(1, 4), None),
        VectorFile(vectors.T, ("a", "b")),
    ]
    assert len({file.content_hash() for file in files}) == len(files)
    again = VectorFile(vectors.clone(), ("a", "b"), {"seed": 1})
    assert again.content_hash() == files[0].content_hash()


def _align(file: VectorFile, ids: IdMap, starts_with_1: bool = True, files: FileTokens | None = None) -> Aligned:
    """Aligned where the dataset's files have the tokens of `ids`, or those of `files`."""
    tokens = files or FileTokens(frozenset(ids.real_tokens))
    return align(Path("u.pt"), file, ids, "users", starts_with_1, lambda: tokens)


def _numbers(first: int, last: int) -> frozenset[str]:
    return frozenset(map(str, range(first, last + 1)))


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


def test_the_files_of_the_dataset_are_not_read_for_vectors_with_tokens() -> None:
    def unfiltered() -> FileTokens:
        raise AssertionError("read")

    file = VectorFile(torch.ones(1, 1), ("u1",))
    assert align(Path("u.pt"), file, NAMED, "users", True, unfiltered).present.tolist() == [False, False, True]


FILTERED = IdMap(("[PAD]", "3", "1"))


def _matrix(first: int, last: int) -> VectorFile:
    """A bare matrix whose vectors name their owners."""
    return VectorFile(torch.arange(first, last + 1, dtype=torch.float32).unsqueeze(1), None)


def test_a_bare_matrix_has_a_row_for_each_token_before_any_filter() -> None:
    files = FileTokens(_numbers(1, 4))
    assert _align(_matrix(1, 4), FILTERED, files=files).vectors.tolist() == [[0], [3], [1]]
    with pytest.raises(VectorFileError) as caught:
        _align(_matrix(1, 3), FILTERED, files=files)
    assert str(caught.value) == "u.pt has 3 rows, for users '1' to '3'; the last of the dataset's users is '4'"
    with pytest.raises(VectorFileError, match=r"u\.pt has 5 rows, for users '1' to '5'; the last of the dataset's"):
        _align(_matrix(1, 5), FILTERED, files=files)


def test_users_numbered_from_0_do_not_get_their_neighbours_vectors_whatever_is_filtered() -> None:
    # Five users '0' to '4', of whom a filter leaves two; the matrix has a row for each of the five.
    files = FileTokens(_numbers(0, 4))
    with pytest.raises(VectorFileError) as caught:
        _align(_matrix(0, 4), FILTERED, files=files)
    assert str(caught.value) == (
        "u.pt is a matrix without tokens, numbered from '1', but the dataset's users start with '0'; "
        "set llm_config.users_start_with_1: False if its first row is theirs"
    )
    aligned = _align(_matrix(0, 4), FILTERED, starts_with_1=False, files=files)
    assert aligned.vectors.tolist() == [[0], [3], [1]]


def test_users_numbered_from_1_do_not_get_their_neighbours_vectors_of_a_matrix_said_to_start_with_0() -> None:
    with pytest.raises(VectorFileError, match=r"u\.pt has 4 rows, for users '0' to '3'; .* is '4'$"):
        _align(_matrix(1, 4), FILTERED, starts_with_1=False, files=FileTokens(_numbers(1, 4)))


def test_a_dataset_may_lack_the_first_numbers_where_the_matrix_reaches_the_last() -> None:
    files = FileTokens(_numbers(3, 5))
    ids = IdMap(("[PAD]", "4"))
    assert _align(_matrix(1, 5), ids, files=files).vectors.tolist() == [[0], [4]]
    # One row for each of three users, or one for each number?
    with pytest.raises(VectorFileError, match="has 3 rows, for users '1' to '3'; the last of the dataset's users is"):
        _align(_matrix(3, 5), ids, files=files)


def test_a_matrix_may_end_with_the_last_interacting_or_with_the_last_described() -> None:
    files = FileTokens(_numbers(1, 3), _numbers(1, 6))
    for last in (3, 6):
        assert _align(_matrix(1, last), FILTERED, files=files).vectors.tolist() == [[0], [3], [1]]
    with pytest.raises(VectorFileError, match=r"the last of the dataset's users is '3' or '6'$"):
        _align(_matrix(1, 5), FILTERED, files=files)


def test_a_bare_matrix_may_not_be_shorter_than_the_dataset() -> None:
    with pytest.raises(VectorFileError, match=r"u\.pt has 2 rows, for users '1' to '2'"):
        _align(VectorFile(torch.ones(2, 1), None), NUMBERED)


@pytest.mark.parametrize("token", ["u2", "007", "-1", "1.5", "²", "٣"])
def test_a_bare_matrix_fits_no_named_tokens(token: str) -> None:
    ids = IdMap(("[PAD]", "1", "2"))
    with pytest.raises(VectorFileError) as caught:
        _align(VectorFile(torch.ones(2, 1), None), ids, files=FileTokens(frozenset({"1", "2", token})))
    assert str(caught.value) == f"u.pt is a matrix without tokens, but users are not numbered (e.g. '{token}')"


def test_tokens_that_match_nothing_are_shown_beside_the_datasets() -> None:
    with pytest.raises(VectorFileError) as caught:
        _align(VectorFile(torch.ones(1, 1), ("1m_7",)), NAMED)
    assert str(caught.value) == (
        "u.pt: none of its tokens (1m_7, ...) is one of the 2 users (u2, u1, ...); "
        "it was made for another dataset, or for the other side"
    )
