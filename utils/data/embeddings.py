"""Vector files keyed by token, LLM-KT's bare matrices, and aligning both with RecBole's rows.

A file is written by `torch.save` as plain types only: {"vectors": [n, dim], "tokens": [...], "meta": {...}}, and
"projection": {"mean": [d_in], "matrix": [d_in, dim]} where a linear reduction made the vectors.
It is read with `weights_only=True`, so a file that contains code is refused, not run.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from utils.data.file_tokens import FileTokens
from utils.data.ids import IdMap
from utils.data.torch_files import load_plain, save_plain

# `meta["source"]` of vectors that no text was encoded for.
RANDOM = "random"
# `meta["origin"]` of vectors that a train part went into, and other things that nobody knows the origin of.
UNKNOWN = "unknown"


class VectorFileError(ValueError):
    """A vector file that cannot be used; the message names the file and what is wrong."""


@dataclass(frozen=True)
class Projection:
    """The linear map that made a file's vectors: x becomes (x - mean) @ matrix.

    mean [d_in], matrix [d_in, dim]. Where the file's meta says `normalize`, rows were divided by their length then.
    """

    mean: torch.Tensor
    matrix: torch.Tensor

    def __call__(self, vectors: torch.Tensor) -> torch.Tensor:
        """[n, d_in] -> [n, dim], for the vectors that it was fitted to and for new ones alike."""
        return (vectors - self.mean) @ self.matrix


@dataclass(frozen=True)
class VectorFile:
    """Vectors [n, dim] float32; tokens of the rows, or None for a bare matrix.

    meta: how they were made (encoder, method, fingerprint of the train part that their text saw).
    """

    vectors: torch.Tensor
    tokens: tuple[str, ...] | None
    meta: dict[str, Any] = field(default_factory=dict)
    projection: Projection | None = None

    @property
    def origin_known(self) -> bool:
        """Whether the file says which train part its texts saw, or that it comes from none.

        LLM-KT's matrices and profile JSONs say neither, so they may hold test items.
        """
        if self.meta.get("origin") == UNKNOWN:
            return False
        return "train_fingerprint" in self.meta or self.meta.get("source") == RANDOM

    def content_hash(self) -> str:
        """A short hash of the vectors and their tokens."""
        digest = hashlib.sha256(repr((tuple(self.vectors.shape), self.tokens)).encode())
        digest.update(self.vectors.contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Aligned:
    """Vectors [n_rows, dim] in RecBole's row order, zero where `present` [n_rows] is False."""

    vectors: torch.Tensor
    present: torch.Tensor

    def coverage(self, noun: str) -> str:
        """`1,366 of 1,682 items`."""
        return f"{int(self.present.sum()):,} of {len(self.present) - 1:,} {noun}"


def write_vectors(path: Path, file: VectorFile) -> None:
    """Write atomically: a reader sees the old file or the new one."""
    content: Any = {
        "vectors": file.vectors.detach().contiguous(),
        "tokens": list(file.tokens or ()),
        "meta": file.meta,
    }
    if file.projection is not None:
        content["projection"] = {"mean": file.projection.mean, "matrix": file.projection.matrix}
    save_plain(path, content)


def read_vectors(path: Path) -> VectorFile:
    """Read either form; VectorFileError for a missing, unsafe, misshapen or non-finite one."""
    content = load_plain(path, VectorFileError)
    if isinstance(content, torch.Tensor):
        file = VectorFile(content, None)
    elif isinstance(content, dict) and isinstance(content.get("vectors"), torch.Tensor):
        tokens, meta = _tokens(path, content.get("tokens")), dict(content.get("meta") or {})
        file = VectorFile(content["vectors"], tokens, meta, _projection(path, content.get("projection")))
    else:
        raise VectorFileError(f"{path} holds {type(content).__name__}, neither a matrix nor vectors with tokens")
    return _checked(path, file)


def _tokens(path: Path, tokens: Any) -> tuple[str, ...] | None:
    """Tokens as text, whether the file has texts, numbers or a tensor of numbers."""
    values = tokens.tolist() if isinstance(tokens, torch.Tensor) else tokens or []
    if not isinstance(values, (list, tuple)):
        raise VectorFileError(f"{path}: its tokens are {type(tokens).__name__}, not a list")
    return tuple(map(str, values)) or None


def _projection(path: Path, stored: Any) -> Projection | None:
    if stored is None:
        return None
    parts = [stored.get(name) for name in ("mean", "matrix")] if isinstance(stored, dict) else [None]
    if not all(isinstance(part, torch.Tensor) for part in parts):
        raise VectorFileError(f"{path}: its projection is not a mean and a matrix")
    return Projection(*parts)


def _checked(path: Path, file: VectorFile) -> VectorFile:
    if file.vectors.dim() != 2:
        raise VectorFileError(f"{path} is {list(file.vectors.shape)}; vectors are [rows, dim]")
    if file.tokens is not None and len(file.tokens) != len(file.vectors):
        raise VectorFileError(f"{path} has {len(file.vectors)} rows and {len(file.tokens)} tokens")
    if file.tokens is not None and len(set(file.tokens)) != len(file.tokens):
        twice = Counter(file.tokens).most_common(1)[0][0]
        raise VectorFileError(f"{path} has the token '{twice}' twice; keep one row of each user or item")
    if file.vectors.is_complex() or file.vectors.layout is not torch.strided:
        raise VectorFileError(
            f"{path} holds a {file.vectors.dtype} {file.vectors.layout} tensor; vectors are plain numbers"
        )
    # Whoever wrote a Parameter: vectors are knowledge and learn nothing.
    vectors = file.vectors.detach().float().contiguous()
    bad = ~torch.isfinite(vectors).all(dim=1)
    if bool(bad.any()):
        first = int(bad.nonzero()[0])
        who = f"row {first}" + (f" (token '{file.tokens[first]}')" if file.tokens else "")
        count = int(bad.sum())
        raise VectorFileError(
            f"{path} has {count} row{'' if count == 1 else 's'} with NaN or infinity, the first is {who}"
        )
    shapes = file.projection and (file.projection.mean.shape, file.projection.matrix.shape)
    if shapes and shapes != (shapes[1][:1], (*shapes[1][:1], vectors.shape[1])):
        mean, matrix = map(list, shapes)
        raise VectorFileError(
            f"{path}: its projection, a mean {mean} and a matrix {matrix}, does not lead to its vectors, "
            f"{vectors.shape[1]} wide"
        )
    return VectorFile(vectors, file.tokens, file.meta, file.projection)


def align(
    path: Path, file: VectorFile, ids: IdMap, noun: str, starts_with_1: bool, unfiltered: Callable[[], FileTokens]
) -> Aligned:
    """Put a file's vectors into RecBole's row order, by token.

    noun: 'users' or 'items', for messages. starts_with_1: row 0 of a bare matrix is token '1', else '0'.
    unfiltered: the tokens before any filter; asked for a bare matrix only, whose rows count these.
    """
    tokens = row_tokens(path, file, noun, starts_with_1, unfiltered)
    positions = torch.from_numpy(ids.positions_in(tokens))
    present = positions >= 0
    if not bool(present.any()):
        raise VectorFileError(
            f"{path}: none of its tokens ({', '.join(tokens[:3])}, ...) is one of the {len(ids) - 1} {noun} "
            f"({', '.join(ids.real_tokens[:3])}, ...); it was made for another dataset, or for the other side"
        )
    vectors = torch.zeros(len(ids), file.vectors.shape[1])
    vectors[present] = file.vectors[positions[present]]
    return Aligned(vectors, present)


def row_tokens(
    path: Path, file: VectorFile, noun: str, starts_with_1: bool, unfiltered: Callable[[], FileTokens]
) -> tuple[str, ...]:
    """The token of each row of a file, those of a bare matrix by its numbering; see `align` for the parameters."""
    if file.tokens is not None:
        return file.tokens
    first = 1 if starts_with_1 else 0
    _check_bare_matrix(path, len(file.vectors), unfiltered(), noun, first)
    return tuple(str(number) for number in range(first, first + len(file.vectors)))


def _check_bare_matrix(path: Path, rows: int, tokens: FileTokens, noun: str, first: int) -> None:
    """A matrix without tokens is only right when the tokens are numbers and its rows end where these end.

    A row too many or too few is the sign of a matrix that starts elsewhere: every row would be a neighbour's.
    """
    # Not `007`: row 7 belongs to the token '7'.
    named = min((token for token in tokens.all() if not _is_number(token)), default=None)
    if named is not None:
        raise VectorFileError(f"{path} is a matrix without tokens, but {noun} are not numbered (e.g. '{named}')")
    smallest = min(map(int, tokens.all()))
    if smallest < first:
        raise VectorFileError(
            f"{path} is a matrix without tokens, numbered from '{first}', but the dataset's {noun} start "
            f"with '{smallest}'; set llm_config.{noun}_start_with_1: False if its first row is theirs"
        )
    ends = sorted({max(map(int, some)) for some in (tokens.interacting, tokens.described) if some})
    last = first + rows - 1
    if last not in ends:
        expected = " or ".join(f"'{end}'" for end in ends)
        raise VectorFileError(
            f"{path} has {rows} rows, for {noun} '{first}' to '{last}'; the last of the dataset's {noun} is {expected}"
        )


def _is_number(token: str) -> bool:
    return token.isascii() and token.isdecimal() and str(int(token)) == token
