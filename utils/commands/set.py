"""`set`: variables of the report."""

from __future__ import annotations

from typing import Any, ClassVar

from utils.commands.base import Command, StepResult, command
from utils.context import RunContext


@command("set")
class Set(Command):
    """Set variables of the record; `train_part` opens the stage that results go to from here on."""

    shorthand: ClassVar[tuple[str, ...]] = ("variables",)
    variables: dict[str, Any]

    def run(self, ctx: RunContext) -> StepResult:
        if "train_part" in self.variables:
            ctx.stage = str(self.variables["train_part"])
            ctx.stage_facts()
        ctx.record.variables.update(self.variables)
        return StepResult(facts=self.variables, summary=", ".join(f"{k} = {v}" for k, v in self.variables.items()))
