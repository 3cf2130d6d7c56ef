"""Scores of the users and items of a batch against those that their vectors give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from models.losses.base import Loss
from models.transfer.comparison import Hidden, TransferError, usable_rows
from models.transfer.rows import IdFields, RowMatcher, Rows
from models.transfer.taps import Fired, Tap, TapError
from models.transfer.teachers import Side, Teacher


class ScoreComparison:
    """A formula between the dot products of two taps, [n_users, n_items] of a batch, and those of the vectors."""

    def __init__(
        self,
        loss: Loss,
        teachers: Mapping[Side, Teacher],
        fields: IdFields,
        rows: Rows = "auto",
        options: Mapping[str, float] | None = None,
    ) -> None:
        if set(teachers) != {"users", "items"}:
            raise TransferError(f"{loss.name} compares scores, so it needs vectors of users and of items")
        widths = {side: teacher.width for side, teacher in teachers.items()}
        if widths["users"] != widths["items"]:
            raise TransferError(
                f"{loss.name} scores users against items, but {teachers['users'].source} is {widths['users']} wide and "
                f"{teachers['items'].source} {widths['items']}; encode and reduce both in the same way"
            )
        self._loss, self._teachers, self._fields = loss, teachers, fields
        self._rows, self._options = rows, dict(options or {})
        self._matchers: dict[Side, tuple[int, RowMatcher]] = {}
        self._taps = 0
        self.adapters = nn.ModuleList()
        self.lacks_adapters = False

    def check(self, taps: Sequence[Tap], side: Side | None) -> None:
        """TransferError where these taps are not one tap of users and one of items."""
        if side is None:
            raise TransferError(f"{self._loss.name} needs to know whose each tap is: users: [...] and items: [...]")
        if len(taps) != 1 or side in self._matchers:
            raise TransferError(f"{self._loss.name} takes one tap of {side}")

    def add(self, count: int, side: Side | None) -> None:
        """Take one more tap, of that side; a glob that stands for several layers is one too many."""
        assert side is not None
        if count != 1:
            raise TransferError(f"{self._loss.name} takes one tap of {side}, not {count}")
        self._matchers[side] = (self._taps, RowMatcher(side, self._fields, self._rows))
        self._taps += 1

    def clear(self) -> None:
        """Forget all taps."""
        self._matchers.clear()
        self._taps = 0

    def value(self, fired: Sequence[Fired], interaction: Any, hidden: Hidden | None = None) -> torch.Tensor:
        """The loss of one batch, a scalar."""
        lacking = [side for side in ("users", "items") if side not in self._matchers]
        if lacking:
            raise TapError(f"{self._loss.name} has no tap of {lacking[0]}")
        users, user_vectors = self._of("users", fired, interaction)
        items, item_vectors = self._of("items", fired, interaction)
        if len(users) == 0 or len(items) == 0:
            return 0.0 * (users.sum() + items.sum())
        if users.shape[1] != items.shape[1]:
            raise TransferError(
                f"{self._loss.name} scores users against items, but their taps are {users.shape[1]} and "
                f"{items.shape[1]} wide"
            )
        return self._loss.formula(users @ items.T, user_vectors @ item_vectors.T, **self._options)

    def _of(self, side: Side, fired: Sequence[Fired], interaction: Any) -> tuple[torch.Tensor, torch.Tensor]:
        position, matcher = self._matchers[side]
        rows = matcher.match(fired[position], interaction.interaction)
        if torch.is_grad_enabled() and not rows.vectors.requires_grad:
            raise TapError(f"{fired[position].where} has no gradient: everything it depends on is frozen")
        student, ids = usable_rows(rows, self._teachers[side], once=True)
        return student, self._teachers[side].vectors.index_select(0, ids)
