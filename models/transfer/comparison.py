"""Tapped layers against vectors: the transfer loss of a formula."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from models.losses.base import Formula
from models.transfer.rows import Batch, IdFields, RowMatcher, Rows
from models.transfer.taps import Fired, Tap, TapError
from models.transfer.teachers import Side, Teacher


class TransferError(ValueError):
    """A transfer loss that cannot be computed as asked."""


class Comparison:
    """One formula between taps and teachers; several comparisons are averaged."""

    def __init__(
        self,
        formula: Formula,
        teachers: Mapping[Side, Teacher],
        fields: IdFields,
        particular: bool,
        rows: Rows,
        io: str = "output",
    ) -> None:
        """io: what is read of a layer where the tap does not say."""
        self._formula, self._teachers, self._fields = formula, teachers, fields
        self._particular, self._rows, self._io = particular, rows, io
        # The position of a tap, and whose rows it holds.
        self._pairs: list[tuple[int, RowMatcher]] = []
        self._taps = 0

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
        """Forget all taps."""
        self._pairs.clear()
        self._taps = 0

    def value(self, fired: Sequence[Fired], interaction: Any) -> torch.Tensor:
        """The loss of one batch, a scalar."""
        batch = interaction.interaction
        return torch.stack([self._compare(fired[position], matcher, batch) for position, matcher in self._pairs]).mean()

    def _compare(self, fired: Fired, matcher: RowMatcher, batch: Batch) -> torch.Tensor:
        rows = matcher.match(fired, batch, self._io)
        teacher = self._teachers[matcher.side]
        student, ids, width = rows.vectors, rows.ids, teacher.width
        if torch.is_grad_enabled() and not student.requires_grad:
            raise TapError(f"{fired.where} has no gradient: everything it depends on is frozen")
        if student.shape[-1] < width or (student.shape[-1] > width and not self._particular):
            if student.shape[-1] > width:
                hint = f"; particular: True compares its first {width}"
            else:
                hint = f"; reduce the vectors to {student.shape[-1]} (reduce_dim)"
            raise TransferError(f"{fired.where} is {student.shape[-1]} wide, {teacher.source} has {width}{hint}")
        # A GPU is waited for here: how many rows have a vector decides the shapes of all that follows.
        present = teacher.present[ids].nonzero().squeeze(1)
        if len(present) == 0:
            # A batch without any row that has a vector teaches nothing; the graph stays connected.
            return (0.0 * student).sum()
        if len(present) < len(ids):
            # No row twice, so the gradient of index_select adds nothing up and is the same in every run.
            student, ids = student.index_select(0, present), ids.index_select(0, present)
        return self._formula(student[:, :width], teacher.vectors[ids])
