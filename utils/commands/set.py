"""`set`: variables of the report."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from utils.commands.base import Command, Complaint, PlanView, StepResult, command
from utils.context import RunContext
from utils.registry import nearest


@command("set")
class Set(Command):
    """Set variables of the record; `train_part` opens the stage that results go to from here on."""

    shorthand: ClassVar[tuple[str, ...]] = ("variables",)
    variables: dict[str, Any]

    def check(self, view: PlanView) -> Iterable[Complaint]:
        for name in self.variables:
            # Any name is a variable, but one that nearly is the stage's is a slip.
            if name != "train_part" and nearest(name, ["train_part"]):
                yield Complaint(("variables", name), f"'{name}' opens no stage; did you mean 'train_part'?")

    def run(self, ctx: RunContext) -> StepResult:
        if "train_part" in self.variables:
            ctx.part = ctx.stage = str(self.variables["train_part"])
            ctx.stage_facts()
        ctx.record.variables.update(self.variables)
        return StepResult(facts=self.variables, summary=", ".join(f"{k} = {v}" for k, v in self.variables.items()))
