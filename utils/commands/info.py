"""`info`: how many parameters, or the whole layer tree."""

from __future__ import annotations

from typing import ClassVar, Literal

from utils.commands.base import Command, StepResult, command
from utils.context import RunContext


@command("info")
class Info(Command):
    """0: total and trainable parameters; 1: the layer tree, whose numbers `set_outputs` takes, as well."""

    needs: ClassVar[frozenset[str]] = frozenset({"model"})
    shorthand: ClassVar[tuple[str, ...]] = ("verbose",)
    verbose: Literal[0, 1] = 0

    def run(self, ctx: RunContext) -> StepResult:
        from models.transfer.layers import count_parameters, tree_text

        total, trainable = count_parameters(ctx.model)
        return StepResult(
            facts={"total_params": total, "train_params": trainable},
            summary=f"{total:,} parameters, {trainable:,} trainable",
            show=tree_text(ctx.model) if self.verbose else "",
        )
