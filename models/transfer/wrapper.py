"""One wrapper for every RecBole model: adds a transfer loss to `calculate_loss` and nothing else.

The model stays the object it is. RecBole's trainers read and set attributes of the model, call methods that
only some models have, and save its state dict; a module around the model would have to forward all of that.
So the wrapper sits beside it: it replaces `calculate_loss` on this one object while outputs are set, and owns
the taps. Without outputs the model is untouched, and trains as RecBole trains it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from models.losses.base import LOSSES, Formula
from models.losses.legacy import DistilLosses, LegacyLoss
from models.transfer.comparison import Comparison, TransferError
from models.transfer.legacy_adapter import Facts, OwnLoss
from models.transfer.rows import IdFields, Rows
from models.transfer.taps import Tap, Taps, replace_method
from models.transfer.teachers import Side, Teacher

__all__ = ["Facts", "TransferError", "TransferWrapper"]


class TransferWrapper:
    """The transfer loss of one model: `(1-a) * model_loss + a * transfer_loss`, after LLM-KT (arXiv 2411.00556)."""

    def __init__(
        self,
        model: nn.Module,
        fields: IdFields,
        loss: Formula | LegacyLoss | type[DistilLosses],
        teachers: Sequence[Teacher],
        weight: float,
        particular: bool = False,
        rows: Rows = "auto",
        facts: Facts | None = None,
    ) -> None:
        """weight: a, in [0, 1]. particular: compare only the first columns of a wider layer.

        rows: what dim 0 of a tapped tensor is, where its shape fits two things.
        """
        if not teachers:
            raise TransferError("there are no vectors to transfer")
        self.model, self.weight = model, weight
        self.taps = Taps(model)
        self._restore: Callable[[], None] | None = None
        # MKR alternates two losses and calls the recommender's by this name.
        self._loss_method = "calculate_rs_loss" if hasattr(model, "calculate_rs_loss") else "calculate_loss"
        device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
        here: dict[Side, Teacher] = {teacher.side: teacher.to(device) for teacher in teachers}
        self._transfer: Comparison | OwnLoss
        if isinstance(loss, type):
            self._transfer = OwnLoss(loss, model, facts or Facts({}, None), here, particular)
        elif isinstance(loss, LegacyLoss):
            meant = loss.rows if rows == "auto" else rows
            self._transfer = Comparison(LOSSES.get(loss.formula), here, fields, particular, meant, loss.io)
        else:
            self._transfer = Comparison(loss, here, fields, particular, rows)

    def set_outputs(self, selectors: Sequence[int | str], side: Side | None = None) -> list[str]:
        """Tap layers or methods for the loss; returns where the taps are. Several are averaged.

        side: whose vectors the taps are compared with; needed when both sides have a teacher and a
        tap does not hold both sides' tables.
        """
        taps = [Tap.parse(selector) for selector in selectors]
        self._transfer.check(taps, side)
        current = getattr(self.model, self._loss_method)
        if any(tap.name == self._loss_method for tap in taps):
            raise TransferError(f"{self._loss_method} is the loss itself and cannot be tapped")
        if self._restore is None and isinstance(getattr(current, "__self__", None), TransferWrapper):
            raise TransferError("the model still has outputs of an earlier wrap_model; put remove_outputs before it")
        places = self.taps.add(selectors)
        self._transfer.add(len(places), side)
        if places and self._restore is None:
            self._original = current
            self._restore = replace_method(self.model, self._loss_method, self.calculate_loss)
        return places

    def remove_outputs(self) -> None:
        """Take every tap away; from here on the model has its plain loss."""
        if self._restore is not None:
            self._restore()
            self._restore = None
        self.taps.remove()
        self._transfer.clear()

    def calculate_loss(self, interaction: Any, *args: Any, **kwargs: Any) -> tuple[torch.Tensor, ...]:
        """The model's loss parts times 1-a with a times the transfer loss as the second part.

        RecBole adds up the parts of a tuple and logs each. NCL's trainer drops the last part in its warm-up,
        so the model's own parts keep their places from the end.
        """
        with self.taps.recording():
            parts = self._original(interaction, *args, **kwargs)
            transfer = self.weight * self._transfer.value(self.taps.fired, interaction)
        first, *rest = parts if isinstance(parts, tuple) else (parts,)
        kept = 1 - self.weight
        return (kept * first, transfer, *(kept * part for part in rest))
