"""Tapped layers against vectors: the transfer loss of a formula."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from models.losses.base import Loss
from models.transfer.adapters import Adapter, AdapterSpec
from models.transfer.rows import Batch, IdFields, RowMatcher, Rows, StudentRows
from models.transfer.taps import Fired, Tap, TapError
from models.transfer.teachers import Side, Teacher

Hidden = Mapping[Side, torch.Tensor]


class TransferError(ValueError):
    """A transfer loss that cannot be computed as asked."""


class Comparison:
    """One formula between taps and teachers; several comparisons are averaged."""

    def __init__(
        self,
        loss: Loss,
        teachers: Mapping[Side, Teacher],
        fields: IdFields,
        particular: bool = False,
        rows: Rows = "auto",
        io: str = "output",
        options: Mapping[str, float] | None = None,
        adapter: AdapterSpec | None = None,
    ) -> None:
        """io: what is read of a layer where the tap does not say."""
        self._loss, self._teachers, self._fields = loss, teachers, fields
        self._particular, self._rows, self._io = particular, rows, io
        self._options, self._spec = dict(options or {}), adapter
        # The position of a tap, and whose rows it holds.
        self._pairs: list[tuple[int, RowMatcher]] = []
        self._taps = 0
        self.adapters = nn.ModuleList()

    def check(self, taps: Sequence[Tap], side: Side | None) -> None:
        """TransferError where taps of that side cannot be compared."""
        if side is not None and side not in self._teachers:
            raise TransferError(f"no vectors of {side} were given to wrap_model")

    def add(self, count: int, side: Side | None) -> None:
        """Compare `count` more taps with the vectors of one side, or of each side where none is named."""
        sides = [side] if side else list(self._teachers)
        for position in range(self._taps, self._taps + count):
            for name in sides:
                self._pairs.append((position, RowMatcher(name, self._fields, self._rows, shared=len(sides) > 1)))
        self._taps += count

    def clear(self) -> None:
        """Forget all taps, and what was learned between them and the vectors."""
        self._pairs.clear()
        self._taps = 0
        self.adapters = nn.ModuleList()

    @property
    def lacks_adapters(self) -> bool:
        """Whether there are taps whose adapter waits for their width."""
        return self._spec is not None and len(self.adapters) < len(self._pairs)

    def add_adapters(self, fired: Sequence[Fired], interaction: Any) -> None:
        """Make the adapters that are lacking, as wide as what the taps saw of one batch."""
        if self._spec is None:
            return
        for position, matcher in self._pairs[len(self.adapters) :]:
            student = matcher.match(fired[position], interaction.interaction, self._io).vectors
            made = Adapter(self._spec, student.shape[-1], self._teachers[matcher.side].width)
            self.adapters.append(made.to(student.device))

    def value(self, fired: Sequence[Fired], interaction: Any, hidden: Hidden | None = None) -> torch.Tensor:
        """The loss of one batch, a scalar.

        hidden: whether each row [n_rows] was hidden from the model, by side; then only these count.
        """
        batch = interaction.interaction
        values = [
            self._compare(number, fired[position], matcher, batch, hidden)
            for number, (position, matcher) in enumerate(self._pairs)
        ]
        return values[0] if len(values) == 1 else torch.stack(values).mean()

    def _compare(
        self, number: int, fired: Fired, matcher: RowMatcher, batch: Batch, hidden: Hidden | None
    ) -> torch.Tensor:
        rows, teacher = matcher.match(fired, batch, self._io), self._teachers[matcher.side]
        if torch.is_grad_enabled() and not rows.vectors.requires_grad:
            raise TapError(f"{fired.where} has no gradient: everything it depends on is frozen")
        self._check_width(fired, rows.vectors.shape[-1], teacher)
        student, ids = usable_rows(
            rows, teacher, self._loss.contrasts, None if hidden is None else hidden[matcher.side]
        )
        if len(ids) == 0:
            # A batch without any row that has a vector teaches nothing; the graph stays connected.
            return (0.0 * rows.vectors).sum()
        vectors = teacher.vectors.index_select(0, ids)
        if self._spec is not None:
            student, vectors = self.adapters[number](student, vectors)
        elif self._particular:
            student = student[:, : teacher.width]
        # The vectors are constants; what is learned of them is the adapter, and that only if one was asked for.
        return self._loss.formula(student, vectors, **self._options)

    def _check_width(self, fired: Fired, width: int, teacher: Teacher) -> None:
        if self._spec is not None or self._loss.compares != "rows" or width == teacher.width:
            return
        if width > teacher.width and self._particular:
            return
        hint = f"reduce the vectors to {width} (reduce_dim), or declare an adapter"
        if width > teacher.width:
            hint = f"particular: True compares its first {teacher.width}, or declare an adapter"
        raise TransferError(f"{fired.where} is {width} wide, {teacher.source} has {teacher.width}; {hint}")


def usable_rows(
    rows: StudentRows, teacher: Teacher, once: bool, hidden: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """(vectors [m, dim], ids [m]) of the rows that have a vector to compare with.

    once: of several rows of one user or item only the first. hidden: [n_rows], whether a row counts at all.
    """
    student, ids = rows.vectors, rows.ids
    if once:
        first = _first_of_each(ids)
        student, ids = student.index_select(0, first), ids.index_select(0, first)
    usable = teacher.present[ids] if hidden is None else teacher.present[ids] & hidden[ids]
    # A GPU is waited for here: how many rows have a vector decides the shapes of all that follows.
    kept = usable.nonzero().squeeze(1)
    if len(kept) < len(ids):
        # No row twice, so the gradient of index_select adds nothing up and is the same in every run.
        student, ids = student.index_select(0, kept), ids.index_select(0, kept)
    return student, ids


def _first_of_each(ids: torch.Tensor) -> torch.Tensor:
    """The position of the first row of each id, in the order of the ids."""
    distinct, number = ids.unique(return_inverse=True)
    position = torch.arange(len(ids), device=ids.device)
    return torch.full_like(distinct, len(ids)).scatter_reduce_(0, number, position, "amin")
