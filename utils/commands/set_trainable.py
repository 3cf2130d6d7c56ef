"""`set_trainable`: freeze or unfreeze layers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar

from pydantic import Field

from utils.commands.base import Command, Complaint, PlanView, StepResult, command
from utils.context import RunContext
from utils.scenario.errors import StepError


@command("set_trainable")
class SetTrainable(Command):
    """`[[layers], True or False]`; layers by number, dotted name or glob, '*' for all."""

    needs: ClassVar[frozenset[str]] = frozenset({"model"})
    shorthand: ClassVar[tuple[str, ...]] = ("layers", "trainable")
    layers: Annotated[list[int | str], Field(min_length=1)]
    trainable: bool

    def check(self, view: PlanView) -> Iterable[Complaint]:
        for index, selector in enumerate(self.layers):
            if isinstance(selector, int) and selector < 1:
                yield Complaint(("layers", index), f"no layer {selector}: layers start at 1 (the model itself)")

    def run(self, ctx: RunContext) -> StepResult:
        from models.transfer.layers import LayerError, count_parameters, set_trainable

        try:
            chosen = set_trainable(ctx.model, self.layers, self.trainable)
        except LayerError as error:
            raise StepError("layers", str(error)) from error
        total, trainable = count_parameters(ctx.model)
        ctx.trainable = [*ctx.trainable, [list(self.layers), self.trainable]]
        return StepResult(
            facts={
                "layers": [layer.path for layer in chosen],
                "trainable": self.trainable,
                "train_params": trainable,
            },
            summary=f"{trainable:,} of {total:,} parameters are trainable",
        )
