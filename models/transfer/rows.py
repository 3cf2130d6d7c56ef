"""Which user or item each row of a tapped tensor belongs to.

A vector of the wrong owner trains as smoothly as the right one, so nothing is guessed: rows are matched by
the ids that the tapped call itself was given where there are any, else by the shape of the tensor, and what
fits two ways is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from models.transfer.taps import Fired, TapError
from models.transfer.teachers import Side

Rows = Literal["auto", "batch", "table"]


@dataclass(frozen=True)
class IdFields:
    """RecBole's names and sizes of the two id spaces."""

    users: str
    items: str
    negative_items: str
    item_sequence: str
    n_users: int
    n_items: int

    def count(self, side: Side) -> int:
        return self.n_users if side == "users" else self.n_items


@dataclass(frozen=True)
class StudentRows:
    """Tapped vectors [n, dim], the RecBole row of each [n], and how these were matched."""

    vectors: torch.Tensor
    ids: torch.Tensor
    matched: str


class RowMatcher:
    """Matches one tap's rows; how it did in the first batch holds for all that follow."""

    def __init__(self, side: Side, fields: IdFields, rows: Rows = "auto") -> None:
        self.side, self.fields = side, fields
        self._rows: str = rows

    def match(self, fired: Fired, interaction: Mapping[str, torch.Tensor], default_io: str = "output") -> StudentRows:
        """The rows of this batch; TapError when they cannot be told for certain."""
        call = fired.call()
        io = fired.tap.io or default_io
        value = call.args if io == "input" else call.output
        where = f"the tap '{fired.tap.text}' ({fired.place})"
        tensor = self._pick(value, fired.tap.item, io, where)
        given = self._ids_given(fired.owner, call.args, io, tensor)
        if given is not None:
            return StudentRows(tensor.flatten(0, -2), given.flatten(), "ids of the call")
        return self._by_shape(tensor, interaction, call.args, where)

    def _pick(self, value: Any, item: int | None, io: str, where: str) -> torch.Tensor:
        if isinstance(value, torch.Tensor):
            found: Any = value
        elif not isinstance(value, (tuple, list)) or not value:
            raise TapError(f"{where} has no tensor as its {io}, but {type(value).__name__}")
        elif item is not None:
            if not -len(value) <= item < len(value):
                raise TapError(f"{where} has {len(value)} {io} values, numbered from 0; there is no [{item}]")
            found = value[item]
        elif len(value) == 1:
            found = value[0]
        else:
            found = self._table_of_pair(value, io, where)
        if not isinstance(found, torch.Tensor) or not found.is_floating_point():
            kind = found.dtype if isinstance(found, torch.Tensor) else type(found).__name__
            raise TapError(f"{where} gives {kind} as its {io}, not vectors")
        return found

    def _table_of_pair(self, values: Any, io: str, where: str) -> torch.Tensor:
        """The one value that is this side's whole table, as in LightGCN's (users, items)."""
        tensors = [value for value in values if isinstance(value, torch.Tensor)]
        tables = [value for value in tensors if value.dim() == 2 and value.shape[0] == self.fields.count(self.side)]
        other = self.fields.n_items if self.side == "users" else self.fields.n_users
        if len(tensors) == len(values) == 2 and len(tables) == 1 and {value.shape[0] for value in tensors} == {
            self.fields.count(self.side), other
        }:  # fmt: skip
            return tables[0]
        shapes = ", ".join(str(list(value.shape)) if isinstance(value, torch.Tensor) else "-" for value in values)
        raise TapError(f"{where} has {len(values)} {io} values ({shapes}); say which, e.g. 'name[0]'")

    def _ids_given(self, owner: nn.Module, args: tuple[Any, ...], io: str, tensor: torch.Tensor) -> torch.Tensor | None:
        """The ids that an embedding table of this side was asked for."""
        if io == "output" and isinstance(owner, nn.Embedding) and owner.num_embeddings == self.fields.count(self.side):
            ids = args[0]
            if isinstance(ids, torch.Tensor) and ids.shape == tensor.shape[:-1]:
                return ids
        return None

    def _by_shape(
        self, tensor: torch.Tensor, interaction: Mapping[str, torch.Tensor], args: tuple[Any, ...], where: str
    ) -> StudentRows:
        fields, side = self.fields, self.side
        ids = interaction[fields.users if side == "users" else fields.items]
        if tensor.dim() == 3 and tensor.shape[1] == 1:
            tensor = tensor.squeeze(1)
        if tensor.dim() == 3 and side == "items" and fields.item_sequence in interaction:
            sequence = interaction[fields.item_sequence]
            if sequence.shape == tensor.shape[:2]:
                return StudentRows(tensor.flatten(0, 1), sequence.flatten(), "positions of the sequence")
        if tensor.dim() != 2:
            raise TapError(f"{where} gives {list(tensor.shape)}; a loss compares [rows, dim]")
        fits = {
            "batch": tensor.shape[0] == len(ids),
            "table": tensor.shape[0] == fields.count(side),
            "both tables": tensor.shape[0] == fields.n_users + fields.n_items,
        }
        allowed = {"auto": set(fits), "table": {"table", "both tables"}}.get(self._rows, {self._rows})
        matched = [name for name, fit in fits.items() if fit and name in allowed]
        if len(matched) != 1:
            sizes = f"batch {len(ids)}, {fields.n_users} users, {fields.n_items} items"
            hint = "; say which with rows: batch or table" if matched else ""
            raise TapError(
                f"{where} gives {list(tensor.shape)}, which fits {' and '.join(matched) or 'none'} of {sizes}{hint}"
            )
        self._rows = matched[0]
        if self._rows == "table":
            return StudentRows(tensor[ids], ids, "table")
        if self._rows == "both tables":
            offset = 0 if side == "users" else fields.n_users
            return StudentRows(tensor[ids + offset], ids, "both tables")
        if side == "items" and fields.negative_items in interaction:
            ids = self._positive_or_negative(interaction, args, where)
        return StudentRows(tensor, ids, "batch")

    def _positive_or_negative(
        self, interaction: Mapping[str, torch.Tensor], args: tuple[Any, ...], where: str
    ) -> torch.Tensor:
        """Which of a pairwise batch's two item columns a call was given."""
        candidates = [interaction[self.fields.items], interaction[self.fields.negative_items]]
        given = [ids for ids in candidates if any(isinstance(arg, torch.Tensor) and _same(arg, ids) for arg in args)]
        if len(given) != 1:
            raise TapError(
                f"{where} may hold positive or negative items; tap an embedding, or a method that takes item ids"
            )
        return given[0]


def _same(left: torch.Tensor, right: torch.Tensor) -> bool:
    return left is right or (left.shape == right.shape and left.dtype == right.dtype and torch.equal(left, right))
