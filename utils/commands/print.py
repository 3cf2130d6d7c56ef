"""`print`: a line on the console."""

from __future__ import annotations

from typing import ClassVar

from utils.commands.base import Command, StepResult, command
from utils.context import RunContext


@command("print")
class Print(Command):
    """Show a text on the console and in the log."""

    shorthand: ClassVar[tuple[str, ...]] = ("text",)
    text: str

    def run(self, ctx: RunContext) -> StepResult:
        return StepResult(facts={"text": self.text}, show=self.text)
