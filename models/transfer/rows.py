"""Which user or item each row of a tapped tensor belongs to.

A vector of the wrong owner trains as smoothly as the right one, so nothing is guessed: rows are matched by
the ids that the tapped call itself was given where there are any, else by the shape of the tensor, and what
fits two ways is an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn
from torch.nn import functional

from models.transfer.taps import Call, Fired, TapError
from models.transfer.teachers import Side

Rows = Literal["auto", "batch", "table"]
Batch = Mapping[str, torch.Tensor]


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

    def column(self, side: Side) -> str:
        return self.users if side == "users" else self.items


@dataclass(frozen=True)
class StudentRows:
    """Tapped vectors [n, dim], the RecBole row of each [n], and how these were matched."""

    vectors: torch.Tensor
    ids: torch.Tensor
    matched: str


class RowMatcher:
    """Matches one tap's rows; how it did in the first batch holds for all that follow."""

    def __init__(self, side: Side, fields: IdFields, rows: Rows = "auto", shared: bool = False) -> None:
        """shared: the tap serves the other side too, so that only whole tables are certain."""
        self.side, self.fields, self.shared = side, fields, shared
        self.other: Side = "items" if side == "users" else "users"
        self._said: Rows = rows
        self._rows: str = rows
        # Whether the ids that an embedding is given are the owners; None before the first batch.
        self._owners_given: bool | None = None

    def match(self, fired: Fired, batch: Batch, default_io: str = "output") -> StudentRows:
        """The rows of this batch; TapError when they cannot be told for certain."""
        call = fired.call()
        io = fired.tap.io or default_io
        tensor = self._pick(call.args if io == "input" else call.output, fired.tap.item, io, fired.where)
        if isinstance(fired.owner, nn.Embedding) and io == "output":
            ids = call.args[0]
            if self._owners_given is None:
                holds = self._holds(fired.owner, ids, batch, fired.where)
                self._owners_given = holds and ids.shape == tensor.shape[:-1]
            if self._owners_given:
                return StudentRows(tensor.flatten(0, -2), ids.flatten(), "ids of the call")
        return self._by_shape(tensor, batch, call, fired.where)

    def _pick(self, value: Any, item: int | None, io: str, where: str) -> torch.Tensor:
        if isinstance(value, torch.Tensor) and item is None:
            found: Any = value
        elif isinstance(value, torch.Tensor):
            raise TapError(f"{where} has one tensor as its {io}; leave [{item}] out")
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

    def _table_of_pair(self, values: Sequence[Any], io: str, where: str) -> torch.Tensor:
        """The one value that is this side's whole table, as in LightGCN's (users, items)."""
        rows = [value.shape[0] if isinstance(value, torch.Tensor) and value.dim() == 2 else None for value in values]
        mine, others = self.fields.count(self.side), self.fields.count(self.other)
        if mine != others and sorted(rows, key=str) == sorted([mine, others], key=str):
            found: torch.Tensor = values[rows.index(mine)]
            return found
        shapes = ", ".join(str(list(value.shape)) if isinstance(value, torch.Tensor) else "-" for value in values)
        raise TapError(f"{where} has {len(values)} {io} values ({shapes}); say which, e.g. 'name[0]'")

    def _holds(self, table: nn.Embedding, ids: torch.Tensor, batch: Batch, where: str) -> bool:
        """Whether an embedding is this side's table, by the ids it is asked for; False for one of features, say ages.

        A table of positions or ages may happen to have as many rows as there are users: its size tells
        something only where the batch has no ids of that shape to compare with.
        """
        mine, others, rows = self.fields.count(self.side), self.fields.count(self.other), table.num_embeddings
        asked, comparable = self._sides_asked_for(ids, batch)
        if asked == {self.other} or rows == others != mine:
            return self._refuse(f"{where} is a table of {rows} {self.other}, it seems, not of {self.side}")
        if asked == {self.side} or (self.side in asked and rows == mine != others):
            return True
        if rows == mine and (comparable or mine == others):
            return self._refuse(
                f"{where} has {rows} rows, as many as there are {self.side}, but was not given their ids"
            )
        if comparable and ids.dim() > 1:
            return self._refuse(f"{where} was not given the sequence of items, but something of the same shape")
        return rows == mine

    def _refuse(self, message: str) -> bool:
        """TapError; False, for a match by shape, where it was said that the rows are the batch's."""
        if self._said != "batch":
            raise TapError(f"{message}; if each row belongs to an interaction, say rows: batch")
        return False

    def _sides_asked_for(self, ids: torch.Tensor, batch: Batch) -> tuple[set[Side], bool]:
        """Whose columns of the batch these ids are, and whether there is a column that they could have been.

        The ids may be several columns one after another, as positive items and then negative ones.
        """
        fields = self.fields
        columns: dict[Side, list[torch.Tensor]] = {
            "users": [batch[name] for name in (fields.users,) if name in batch],
            "items": [
                batch[name] for name in (fields.items, fields.negative_items, fields.item_sequence) if name in batch
            ],
        }
        # Equal ids of users and items, as in a batch of one row, are told apart by the very tensor.
        itself = {side for side, given in columns.items() if any(ids is column for column in given)}
        sides: set[Side] = itself or {side for side, given in columns.items() if _made_of(ids, given)}
        return sides, any(_fits(ids, column) for given in columns.values() for column in given)

    def _by_shape(self, tensor: torch.Tensor, batch: Batch, call: Call, where: str) -> StudentRows:
        fields, side = self.fields, self.side
        # First of all, for a sequence may be one position long.
        if tensor.dim() == 3 and side == "items" and fields.item_sequence in batch:
            sequence = batch[fields.item_sequence]
            if sequence.shape == tensor.shape[:2]:
                return StudentRows(tensor.flatten(0, 1), sequence.flatten(), "positions of the sequence")
        if tensor.dim() == 3 and tensor.shape[1] == 1:
            tensor = tensor.squeeze(1)
        if tensor.dim() != 2:
            raise TapError(f"{where} gives {list(tensor.shape)}; a loss compares [rows, dim]")
        if fields.column(side) not in batch:
            raise TapError(f"{where} cannot be compared: this model's batches do not name their {side}")
        ids = batch[fields.column(side)]
        matched = self._fit(tensor, len(ids), where)
        # The gradient of a look-up is quicker than that of an index, and adds up in the same order.
        if matched == "table":
            return StudentRows(functional.embedding(ids, tensor), ids, matched)
        if matched == "both tables":
            offset = 0 if side == "users" else fields.n_users
            return StudentRows(functional.embedding(ids + offset, tensor), ids, matched)
        if side == "items" and fields.negative_items in batch:
            ids = self._positive_or_negative(batch, call, where)
        elif side == "items" and fields.item_sequence in batch:
            self._check_target(batch, call, where)
        return StudentRows(tensor, ids, matched)

    def _fit(self, tensor: torch.Tensor, batch_size: int, where: str) -> str:
        """What dimension 0 counts: "batch", "table" or "both tables"."""
        fields, rows = self.fields, tensor.shape[0]
        sizes = {
            "batch": batch_size,
            "table": fields.count(self.side),
            f"table of {self.other}": fields.count(self.other),
            "both tables": fields.n_users + fields.n_items,
        }
        fits = [name for name, size in sizes.items() if size == rows]
        if self._rows != "auto":
            allowed = {"table", "both tables"} if self._rows == "table" else {self._rows}
            fits = [name for name in fits if name in allowed]
        if len(fits) != 1 or fits[0] not in ("batch", "table", "both tables"):
            known = f"batch {batch_size}, {fields.n_users} users, {fields.n_items} items"
            hint = "; say which with rows: batch or table" if len(fits) > 1 else ""
            raise TapError(
                f"{where} gives {list(tensor.shape)}, which fits {' and '.join(fits) or 'none'} of {known}{hint}"
            )
        if fits[0] == "batch" and self.shared:
            raise TapError(f"{where} has a row per interaction; say whose: users: [...] or items: [...]")
        self._rows = fits[0]
        return fits[0]

    def _positive_or_negative(self, batch: Batch, call: Call, where: str) -> torch.Tensor:
        """Which of a pairwise batch's two item columns a call was given."""
        given = _columns_given((self.fields.items, self.fields.negative_items), batch, call.args)
        if len(given) != 1:
            raise TapError(
                f"{where} may hold positive or negative items; tap an embedding, or a method that takes item ids"
            )
        return batch[given[0]]

    def _check_target(self, batch: Batch, call: Call, where: str) -> None:
        """TapError where a row per history may be that of the history as well as that of the item after it."""
        if self._said != "batch" and not _columns_given((self.fields.items,), batch, call.args):
            raise TapError(
                f"{where} has a row per sequence; say rows: batch if it is the item's after it, "
                "or tap an embedding or what has a row per position"
            )


def _fits(ids: torch.Tensor, column: torch.Tensor) -> bool:
    """Whether ids could be this column, or it and one more as long."""
    return ids.shape[1:] == column.shape[1:] and ids.shape[:1] in (column.shape[:1], (2 * len(column),))


def _made_of(ids: torch.Tensor, columns: Sequence[torch.Tensor]) -> bool:
    """Whether ids are one of these columns, or two one after the other."""
    fitting = [column for column in columns if _fits(ids, column) and len(column)]
    return bool(fitting) and all(any(_same(part, column) for column in fitting) for part in ids.split(len(fitting[0])))


def _columns_given(names: Sequence[str], batch: Batch, args: Sequence[Any]) -> list[str]:
    """The columns among these that a call was given, themselves or as copies."""
    here = [name for name in names if name in batch]
    # A GPU has to be waited for to compare values, so the objects come first.
    itself = [name for name in here if any(arg is batch[name] for arg in args)]
    return itself or [name for name in here if any(_same(arg, batch[name]) for arg in args)]


def _same(left: Any, right: torch.Tensor) -> bool:
    alike = isinstance(left, torch.Tensor) and left.shape == right.shape and left.dtype == right.dtype
    return alike and torch.equal(left, right)
