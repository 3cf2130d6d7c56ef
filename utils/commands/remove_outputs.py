"""`remove_outputs`: back to the plain model loss."""

from __future__ import annotations

from typing import ClassVar

from utils.commands.base import Command, StepResult, command
from utils.context import RunContext


@command("remove_outputs")
class RemoveOutputs(Command):
    """Take every tap off the model; from here on it trains with its own loss."""

    needs: ClassVar[frozenset[str]] = frozenset({"wrapper"})

    def run(self, ctx: RunContext) -> StepResult:
        if ctx.is_plain:
            return StepResult(summary="the plain twin has none")
        assert ctx.wrapper is not None
        count = len(ctx.wrapper.taps)
        ctx.wrapper.remove_outputs()
        ctx.outputs = {}
        return StepResult(facts={"removed": count}, summary=f"{count} tap{'' if count == 1 else 's'} removed")
