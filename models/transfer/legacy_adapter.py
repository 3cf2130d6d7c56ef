"""A loss class written for LLM-KT, with the surroundings that it expects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from models.losses.legacy import DistilLosses
from models.transfer.comparison import TransferError
from models.transfer.taps import Fired, Tap
from models.transfer.teachers import Side, Teacher


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


class OwnLoss:
    """A user's DistilLosses subclass, asked for one batch's loss as LLM-KT asked it."""

    def __init__(
        self,
        loss: type[DistilLosses],
        model: nn.Module,
        facts: Facts,
        teachers: Mapping[Side, Teacher],
        particular: bool,
    ) -> None:
        for teacher in teachers.values():
            missing = int((~teacher.present[1:]).sum())
            if missing:
                raise TransferError(
                    f"{loss.__name__} cannot skip rows, and {missing} of {len(teacher.present) - 1} {teacher.side} "
                    f"have no vector in {teacher.source}"
                )
        sources = [teachers[side].source if side in teachers else None for side in ("users", "items")]
        self._loss = loss(_ModelView(model, facts, teachers), *sources)
        self._loss.set_particular(particular)
        self.adapters = nn.ModuleList()
        self.lacks_adapters = False

    def check(self, taps: Sequence[Tap], side: Side | None) -> None:
        """TransferError where a tap says what such a class decides for itself."""
        name = type(self._loss).__name__
        if side is not None:
            raise TransferError(f"{name} chooses the vectors itself; give the taps without users: or items:")
        for tap in taps:
            if (tap.item, tap.io, tap.call) != (None, None, None):
                raise TransferError(f"{name} reads calls and values of '{tap.text}' itself; tap '{tap.name}'")

    def add(self, count: int, side: Side | None) -> None:
        """Nothing is kept: the class looks through all taps by itself."""

    def clear(self) -> None:
        """Nothing was kept."""

    def value(self, fired: Sequence[Fired], interaction: Any) -> torch.Tensor:
        """The loss of one batch, a scalar."""
        hidden_out: dict[Any, dict[str, list[Any]]] = {}
        for tapped in fired:
            if not tapped.calls:
                tapped.call()
            # By module, as LLM-KT's hooks know it; by name where several methods share the module.
            hidden_out[tapped.owner if tapped.method is None else tapped.tap.name] = {
                "input": [call.args for call in tapped.calls],
                "output": [call.output for call in tapped.calls],
            }
        value = self._loss(hidden_out, interaction)
        if not isinstance(value, torch.Tensor) or value.dim() != 0:
            raise TransferError(f"{type(self._loss).__name__} returned {value!r}; a loss is a scalar tensor")
        return value
