"""Tokens and RecBole's row numbers: the only way ids cross a boundary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

PADDING = "[PAD]"


@dataclass(frozen=True)
class IdMap:
    """External tokens in RecBole's row order; row 0 is padding."""

    tokens: tuple[str, ...]

    @classmethod
    def of(cls, tokens: Iterable[object]) -> IdMap:
        """From RecBole's `field2id_token[field]`."""
        return cls(tuple(str(token) for token in tokens))

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def real_tokens(self) -> tuple[str, ...]:
        """All tokens but padding."""
        return self.tokens[1:]

    def positions_in(self, file_tokens: Sequence[str]) -> np.ndarray:
        """[n_rows] int64: where each row's token stands in `file_tokens`, -1 where it does not (and for padding)."""
        where = {token: position for position, token in enumerate(file_tokens)}
        return np.array([-1, *(where.get(token, -1) for token in self.real_tokens)], dtype=np.int64)
