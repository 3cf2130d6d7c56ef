"""Embeddings hidden from the model while its loss is computed, to be reconstructed from what it knows of the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

import torch
from torch import nn

from models.transfer.layers import LayerError, select
from models.transfer.rows import IdFields
from models.transfer.tables import named_table
from models.transfer.teachers import Side


@dataclass(frozen=True)
class Mask:
    """Which tables hide a share of their rows, by side; the same users or items in all tables of a side."""

    tables: Mapping[Side, Sequence[int | str]]
    ratio: float


class Masking(nn.Module):
    """Puts one learned vector in the place of the rows that a batch hides: RLMRec's mask token (arXiv 2310.15950)."""

    def __init__(self, mask: Mask, model: nn.Module, fields: IdFields) -> None:
        super().__init__()
        self._ratio = mask.ratio
        self._tables = {
            side: [named_table(model, name, side, fields).module for name in mask.tables[side]] for side in mask.tables
        }
        self._rows = {side: fields.count(side) for side in mask.tables}
        # One token a table, in the order of the tables.
        self.tokens = nn.ParameterList(
            nn.Parameter(torch.zeros_like(table.weight[0])) for tables in self._tables.values() for table in tables
        )

    def masked(self, model: nn.Module, selectors: Sequence[int | str]) -> int | str | None:
        """The first of these selectors that selects a table which hides rows; None where none does."""
        tables = {id(table) for tables in self._tables.values() for table in tables}
        for selector in selectors:
            name = str(selector).partition("#")[0].partition(":")[0]
            with suppress(LayerError):
                found = select(model, [int(name) if name.isdigit() else name])
                if any(id(layer.module) in tables for layer in found):
                    return selector
        return None

    @contextmanager
    def hiding(self) -> Iterator[dict[Side, torch.Tensor]]:
        """Have a new choice of rows hidden inside the block; yields whether each row [n_rows] is, by side."""
        hidden: dict[Side, torch.Tensor] = {}
        tokens = iter(self.tokens)
        with ExitStack() as stack:
            for side, tables in self._tables.items():
                chosen = torch.rand(self._rows[side], device=tables[0].weight.device) < self._ratio
                # RecBole's padding is nobody.
                chosen[0] = False
                hidden[side] = chosen
                for table in tables:
                    stack.enter_context(_replaced(table, chosen, next(tokens)))
            yield hidden


@contextmanager
def _replaced(table: nn.Embedding, rows: torch.Tensor, token: torch.Tensor) -> Iterator[None]:
    # Models read `table.weight` as well as they call the table, so it is the weight that is replaced.
    weight = table._parameters.pop("weight")
    assert weight is not None
    sparse, table.sparse = table.sparse, False
    extra = rows.new_zeros(len(weight) - len(rows))
    vars(table)["weight"] = torch.where(torch.cat([rows, extra]).unsqueeze(1), token, weight)
    try:
        yield
    finally:
        del vars(table)["weight"]
        table._parameters["weight"] = weight
        table.sparse = sparse
