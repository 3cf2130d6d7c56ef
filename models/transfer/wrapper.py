"""One wrapper for every RecBole model: adds a transfer loss to `calculate_loss` and nothing else.

The model stays the object it is. RecBole's trainers read and set attributes of the model, call methods that
only some models have, and save its state dict; a module around the model would have to forward all of that.
So the wrapper sits beside it: it replaces `calculate_loss` on this one object while outputs are set, and owns
the taps. Without outputs the model is untouched, and trains as RecBole trains it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from models.losses.base import LOSSES, Formula
from models.losses.legacy import DistilLosses, LegacyLoss
from models.transfer.rows import IdFields, RowMatcher, Rows
from models.transfer.taps import Fired, TapError, Taps
from models.transfer.teachers import Side, Teacher


class TransferError(ValueError):
    """A transfer loss that cannot be computed as asked."""


@dataclass(frozen=True)
class Facts:
    """What an LLM-KT loss class reads from `self.model` besides the model's own attributes."""

    config: Mapping[str, Any]
    dataset: Any


class _ModelView:
    """A model as LLM-KT's loss classes expect it: with `config`, `dataset` and the vectors."""

    def __init__(self, model: nn.Module, facts: Facts, teachers: Mapping[Side, Teacher]) -> None:
        self._model = model
        self.config, self.dataset = facts.config, facts.dataset
        self.llm_user_emb = teachers["users"].vectors if "users" in teachers else None
        self.llm_item_emb = teachers["items"].vectors if "items" in teachers else None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


class TransferWrapper:
    """The transfer loss of one model: `(1-a) * model_loss + a * transfer_loss`, LLM-KT (arXiv 2411.00556), eq. 4."""

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
        self.model, self.fields = model, fields
        self.weight, self.particular, self.rows = weight, particular, rows
        device = next(model.parameters()).device if any(True for _ in model.parameters()) else torch.device("cpu")
        self.teachers: dict[Side, Teacher] = {teacher.side: teacher.to(device) for teacher in teachers}
        self.taps = Taps(model)
        self._matchers: list[RowMatcher] = []
        # MKR alternates two losses and calls the recommender's by this name.
        self._loss_method = "calculate_rs_loss" if hasattr(model, "calculate_rs_loss") else "calculate_loss"
        self._io = loss.io if isinstance(loss, LegacyLoss) else "output"
        self._own_loss: DistilLosses | None = None
        if isinstance(loss, type):
            self._own_loss = self._instantiate(loss, facts)
        else:
            self._formula = LOSSES.get(loss.formula) if isinstance(loss, LegacyLoss) else loss

    def set_outputs(self, selectors: Sequence[int | str], side: Side | None = None) -> list[str]:
        """Tap layers or methods for the loss; returns where the taps are. Several are averaged.

        side: whose vectors the taps are compared with; needed when both sides have a teacher and a
        tap does not hold both sides' tables.
        """
        sides = [side] if side else list(self.teachers)
        unknown = [name for name in sides if name not in self.teachers]
        if unknown:
            raise TransferError(f"no vectors of {unknown[0]} were given to wrap_model")
        before = len(self.taps)
        places = self.taps.add(selectors)
        if len(sides) > 1 and self._own_loss is None:
            # Without a side each tap serves both; RowMatcher refuses tensors where that is not certain.
            self._matchers += [RowMatcher(name, self.fields, "table") for _ in places for name in sides]
        else:
            self._matchers += [RowMatcher(sides[0], self.fields, self.rows) for _ in places]
        if before == 0:
            self._original = getattr(self.model, self._loss_method)
            vars(self.model)[self._loss_method] = self.calculate_loss
        return places

    def remove_outputs(self) -> None:
        """Take every tap away; from here on the model has its plain loss."""
        if len(self.taps):
            vars(self.model).pop(self._loss_method, None)
        self.taps.remove()
        self._matchers.clear()

    def calculate_loss(self, interaction: Any, *args: Any, **kwargs: Any) -> tuple[torch.Tensor, ...]:
        """The model's loss parts times 1-a with a times the transfer loss as the second part.

        RecBole adds up the parts of a tuple and logs each. NCL's trainer drops the last part in its warm-up,
        so the model's own parts keep their places from the end.
        """
        with self.taps.recording():
            parts = self._original(interaction, *args, **kwargs)
            transfer = self.weight * self._transfer(interaction)
        first, *rest = parts if isinstance(parts, tuple) else (parts,)
        kept = 1 - self.weight
        return (kept * first, transfer, *(kept * part for part in rest))

    def _transfer(self, interaction: Any) -> torch.Tensor:
        if self._own_loss is not None:
            return self._own_transfer(self._own_loss, interaction)
        batch = interaction.interaction
        per_tap = len(self._matchers) // len(self.taps)
        found = [fired for fired in self.taps.fired for _ in range(per_tap)]
        losses = [self._compare(fired, matcher, batch) for fired, matcher in zip(found, self._matchers, strict=True)]
        return torch.stack(losses).mean()

    def _compare(self, fired: Fired, matcher: RowMatcher, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        rows = matcher.match(fired, batch, self._io)
        teacher = self.teachers[matcher.side]
        where = f"the tap '{fired.tap.text}' ({fired.place})"
        student, width = rows.vectors, teacher.width
        if torch.is_grad_enabled() and not student.requires_grad:
            raise TapError(f"{where} has no gradient: everything it depends on is frozen")
        if student.shape[-1] < width or (student.shape[-1] > width and not self.particular):
            hint = f"; particular: True compares its first {width}" if student.shape[-1] > width else ""
            raise TransferError(f"{where} is {student.shape[-1]} wide, {teacher.source} has {width}{hint}")
        present = teacher.present[rows.ids]
        if not bool(present.any()):
            # A batch without any row that has a vector teaches nothing; the graph stays connected.
            return 0.0 * student.sum()
        return self._formula(student[present][:, :width], teacher.vectors[rows.ids[present]])

    def _own_transfer(self, own_loss: DistilLosses, interaction: Any) -> torch.Tensor:
        hidden_out: dict[Any, dict[str, list[Any]]] = {}
        for fired in self.taps.fired:
            if not fired.calls:
                fired.call()
            hidden_out[fired.owner] = {
                "input": [call.args for call in fired.calls],
                "output": [call.output for call in fired.calls],
            }
        value = own_loss(hidden_out, interaction)
        if not isinstance(value, torch.Tensor) or value.dim() != 0:
            raise TransferError(f"{type(own_loss).__name__} returned {value!r}; a loss is a scalar tensor")
        return value

    def _instantiate(self, loss: type[DistilLosses], facts: Facts | None) -> DistilLosses:
        for teacher in self.teachers.values():
            missing = int((~teacher.present[1:]).sum())
            if missing:
                raise TransferError(
                    f"{loss.__name__} cannot skip rows, and {missing} of {len(teacher.present) - 1} {teacher.side} "
                    f"have no vector in {teacher.source}"
                )
        own = loss(_ModelView(self.model, facts or Facts({}, None), self.teachers), None, None)
        own.set_particular(self.particular)
        return own
