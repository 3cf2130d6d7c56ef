"""`set_config`: change settings while the scenario runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from utils.commands.base import Command, Complaint, PlanView, StepResult, command
from utils.context import RunContext
from utils.scenario.late_settings import why_too_late
from utils.scenario.settings import find_setting_problems


@command("set_config")
class SetConfig(Command):
    """Settings by name; each must still have an effect where this stands, or it is refused."""

    shorthand: ClassVar[tuple[str, ...]] = ("values",)
    values: dict[str, Any]

    def check(self, view: PlanView) -> Iterable[Complaint]:
        for path, message in find_setting_problems({**view.settings, **self.values}, set(self.values)):
            yield Complaint(("values", *path), message)
        for setting in self.values:
            late = why_too_late(setting, view)
            if late:
                yield Complaint(("values", setting), late)

    def run(self, ctx: RunContext) -> StepResult:
        ctx.change_settings(self.values)
        return StepResult(facts=self.values, summary=", ".join(f"{k} = {v}" for k, v in self.values.items()))
