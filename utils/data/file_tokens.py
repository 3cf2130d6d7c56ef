"""The tokens of users or items in the dataset's own files, before any filter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from utils.data.atomic import read_atomic


@dataclass(frozen=True)
class FileTokens:
    """Tokens of one side as the files have them; RecBole's filters have taken none away.

    interacting: those of the interactions. described: those of the `.user` or `.item` file, which may number
    more than ever occurred in an interaction; empty without that file.
    """

    interacting: frozenset[str]
    described: frozenset[str] = frozenset()

    def all(self) -> frozenset[str]:
        return self.interacting | self.described


def read_file_tokens(
    inter: Sequence[Path], side: Path, field: str, separator: str = "\t", encoding: str = "utf-8"
) -> FileTokens:
    """The column `field` of the interaction files `inter` and, where it exists, of the file `side`."""

    def tokens(path: Path) -> frozenset[str]:
        rows = read_atomic(path, separator, encoding)
        # A missing value is no token.
        return frozenset(rows[field]) - {""} if field in rows else frozenset()

    return FileTokens(frozenset().union(*map(tokens, inter)), tokens(side) if side.is_file() else frozenset())
