"""One wrapper for every RecBole model: adds transfer losses to `calculate_loss` and nothing else.

The model stays the object it is. RecBole's trainers read and set attributes of the model, call methods that
only some models have, and save its state dict; a module around the model would have to forward all of that.
So the wrapper sits beside it: it replaces `calculate_loss` on this one object while outputs are set, and owns
the taps. Without outputs the model is untouched, and trains as RecBole trains it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from models.losses.base import LOSSES, Loss
from models.losses.legacy import DistilLosses, LegacyLoss
from models.losses.schedule import Schedule, weight_at
from models.transfer.adapters import AdapterSpec
from models.transfer.comparison import Comparison, TransferError
from models.transfer.legacy_adapter import Facts, OwnLoss
from models.transfer.masking import Mask, Masking
from models.transfer.rows import IdFields, Rows
from models.transfer.scores import ScoreComparison
from models.transfer.taps import Fired, Tap, TapError, Taps, replace_method
from models.transfer.teachers import Side, Teacher

__all__ = ["Facts", "Term", "TransferError", "TransferWrapper"]


@dataclass(frozen=True)
class Term:
    """One of the losses that a wrapper adds: a formula, the vectors it compares with, and its weight.

    particular: compare only the first columns of a wider layer. rows: what dim 0 of a tapped tensor is, where its
    shape fits two things. options: the formula's own. mask: what is hidden from the model, for a loss that asks for it.
    """

    loss: Loss | LegacyLoss | type[DistilLosses]
    teachers: Sequence[Teacher]
    weight: Schedule | float = 1.0
    particular: bool = False
    rows: Rows = "auto"
    options: Mapping[str, float] = field(default_factory=dict)
    adapter: AdapterSpec | None = None
    mask: Mask | None = None


@dataclass
class _Attached:
    """A term at work: what computes it, the positions of its taps among all, and whether it was ever computed."""

    term: Term
    transfer: Comparison | ScoreComparison | OwnLoss
    teachers: Mapping[Side, Teacher]
    masking: Masking | None
    taps: list[int] = field(default_factory=list)
    seen: bool = False

    def weight(self, epoch: int) -> float:
        given = self.term.weight
        return weight_at(given, epoch) if isinstance(given, Schedule) else given


class TransferWrapper:
    """`(1-a) * model_loss + a * sum of w_k * transfer_loss_k`, after LLM-KT (arXiv 2411.00556)."""

    def __init__(
        self, model: nn.Module, fields: IdFields, terms: Mapping[str, Term], weight: float, facts: Facts | None = None
    ) -> None:
        """terms: by name, in the order in which their values are told. weight: a, in [0, 1]."""
        self.model, self.weight, self.epoch = model, weight, 0
        self.taps = Taps(model)
        self._restore: Callable[[], None] | None = None
        # MKR alternates two losses and calls the recommender's by this name.
        self.loss_method = "calculate_rs_loss" if hasattr(model, "calculate_rs_loss") else "calculate_loss"
        self._device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
        if sum(term.mask is not None for term in terms.values()) > 1:
            raise TransferError("two losses hide rows from the model; only one can say which")
        self._terms = {name: self._attach(term, fields, facts) for name, term in terms.items()}

    def _attach(self, term: Term, fields: IdFields, facts: Facts | None) -> _Attached:
        if not term.teachers:
            raise TransferError("there are no vectors to transfer")
        here: dict[Side, Teacher] = {teacher.side: teacher.to(self._device) for teacher in term.teachers}
        loss = term.loss
        transfer: Comparison | ScoreComparison | OwnLoss
        if isinstance(loss, type):
            transfer = OwnLoss(loss, self.model, facts or Facts({}, None), here, term.particular)
        elif isinstance(loss, LegacyLoss):
            meant = loss.rows if term.rows == "auto" else term.rows
            formula = LOSSES.get(loss.formula)
            transfer = Comparison(
                formula, here, fields, term.particular, meant, loss.io, term.options, adapter=term.adapter
            )
        elif loss.compares == "scores":
            transfer = ScoreComparison(loss, here, fields, term.rows, term.options)
        else:
            transfer = Comparison(
                loss, here, fields, term.particular, term.rows, options=term.options, adapter=term.adapter
            )
        masking = None
        if term.mask is not None:
            if set(term.mask.tables) != set(here):
                hidden = " and ".join(term.mask.tables) or "nobody"
                raise TransferError(f"{hidden} would be hidden, and vectors of {' and '.join(here)} were to be told")
            masking = Masking(term.mask, self.model, fields)
        return _Attached(term, transfer, here, masking)

    def set_outputs(
        self, selectors: Sequence[int | str], side: Side | None = None, term: str | None = None
    ) -> list[str]:
        """Tap layers or methods for a loss; returns where the taps are. Several are averaged.

        side: whose vectors the taps are compared with; needed when both sides have a teacher and a
        tap does not hold both sides' tables. term: whose taps these are; the only one where there is one.
        """
        attached = self._terms[term] if term is not None else next(iter(self._terms.values()))
        taps = [Tap.parse(selector) for selector in selectors]
        attached.transfer.check(taps, side)
        current = getattr(self.model, self.loss_method)
        if any(tap.name == self.loss_method for tap in taps):
            raise TransferError(f"{self.loss_method} is the loss itself and cannot be tapped")
        if self._restore is None and isinstance(getattr(current, "__self__", None), TransferWrapper):
            raise TransferError("the model still has outputs of an earlier wrap_model; put remove_outputs before it")
        if attached.masking is not None and (itself := attached.masking.masked(self.model, selectors)):
            raise TransferError(
                f"the tap '{itself}' is a table whose rows are hidden, so it holds nothing but what stands for them; "
                "tap what the model makes of it"
            )
        before = len(self.taps)
        places = self.taps.add(selectors)
        attached.transfer.add(len(places), side)
        attached.taps += range(before, before + len(places))
        if places and self._restore is None:
            self._original = current
            self._restore = replace_method(self.model, self.loss_method, self.calculate_loss)
        return places

    def remove_outputs(self) -> None:
        """Take every tap away; from here on the model has its plain loss."""
        if self._restore is not None:
            self._restore()
            self._restore = None
        self.taps.remove()
        for attached in self._terms.values():
            attached.transfer.clear()
            attached.taps.clear()

    @property
    def learned(self) -> nn.ModuleDict:
        """What is trained beside the model, by term: adapters and mask tokens."""
        found = nn.ModuleDict()
        for name, attached in self._terms.items():
            if attached.taps and (len(attached.transfer.adapters) or attached.masking is not None):
                parts = [attached.transfer.adapters, *([] if attached.masking is None else [attached.masking])]
                # Under a prefix: `items` is a method of every ModuleDict.
                found[f"loss {name}"] = nn.ModuleList(parts)
        return found

    @property
    def lacks_adapters(self) -> bool:
        """Whether a declared adapter waits to be made as wide as its tap; see `add_adapters`."""
        return any(attached.taps and attached.transfer.lacks_adapters for attached in self._terms.values())

    def ever_counts(self, n_epochs: int) -> bool:
        """Whether any loss that has taps has weight in one of the first `n_epochs` epochs."""
        return self.weight > 0 and any(one.weight(epoch) > 0 for _, one in self._tapped() for epoch in range(n_epochs))

    def add_adapters(self, interaction: Any, *args: Any, **kwargs: Any) -> None:
        """Make what adapters are lacking, as wide as what the taps see while the model's loss of one batch is computed.

        They are drawn from torch's generator. The arguments are those of the loss.
        """
        with torch.no_grad(), self.taps.recording():
            self._original(interaction, *args, **kwargs)
            for name, attached in self._tapped():
                if isinstance(attached.transfer, Comparison):
                    with _named(name):
                        attached.transfer.add_adapters(self._fired(attached), interaction)

    def calculate_loss(self, interaction: Any, *args: Any, **kwargs: Any) -> tuple[torch.Tensor, ...]:
        """The model's loss parts times 1-a, and a times each transfer loss after the first part.

        RecBole adds up the parts of a tuple and logs each. NCL's trainer drops the last part in its warm-up,
        so the model's own parts keep their places from the end.
        """
        weights = {name: one.weight(self.epoch) if self.weight else 0.0 for name, one in self._tapped()}
        masked = [one.masking for name, one in self._tapped() if one.masking is not None and weights[name]]
        with ExitStack() as stack:
            stack.enter_context(self.taps.recording())
            hidden = stack.enter_context(masked[0].hiding()) if masked else {}
            parts = self._original(interaction, *args, **kwargs)
            first, *rest = parts if isinstance(parts, tuple) else (parts,)
            transfers = [
                self.weight * weights[name] * self._value(name, one, interaction, hidden)
                if weights[name]
                else self._weightless(name, one, interaction, first)
                for name, one in self._tapped()
            ]
        kept = 1 - self.weight
        return (kept * first, *transfers, *(kept * part for part in rest))

    def _weightless(self, name: str, attached: _Attached, interaction: Any, like: torch.Tensor) -> torch.Tensor:
        """Nothing; but a tap that cannot be compared is told of at once, not when the weight rises epochs later."""
        if not attached.seen:
            attached.seen = True
            with torch.no_grad():
                everyone = {side: torch.ones_like(teacher.present) for side, teacher in attached.teachers.items()}
                self._value(name, attached, interaction, everyone)
        return like.new_zeros(())

    def _tapped(self) -> Iterator[tuple[str, _Attached]]:
        return ((name, attached) for name, attached in self._terms.items() if attached.taps)

    def _fired(self, attached: _Attached) -> list[Fired]:
        return [self.taps.fired[position] for position in attached.taps]

    def _value(
        self, name: str, attached: _Attached, interaction: Any, hidden: Mapping[Side, torch.Tensor]
    ) -> torch.Tensor:
        with _named(name):
            fired = self._fired(attached)
            if attached.masking is None:
                return attached.transfer.value(fired, interaction)
            assert isinstance(attached.transfer, Comparison)
            return attached.transfer.value(fired, interaction, hidden)


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Say of an error which of several losses it is about."""
    try:
        yield
    except (TapError, TransferError) as error:
        raise type(error)(f"loss '{name}': {error}" if name else str(error)) from error
