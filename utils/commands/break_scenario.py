"""`break`: stop the scenario here."""

from __future__ import annotations

from utils.commands.base import Command, StepResult, command
from utils.context import RunContext


@command("break")
class Break(Command):
    """Stop the scenario here; the run counts as done."""

    def run(self, ctx: RunContext) -> StepResult:
        return StepResult(summary="the scenario stops here", stop=True)
