"""`set_train_dataset`: which part of the train data to train on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from pydantic import NonNegativeInt

from utils.commands.base import Command, Complaint, PlanView, StepResult, command
from utils.context import RunContext


@command("set_train_dataset")
class SetTrainDataset(Command):
    """Train on part `index` of `add_train_split`; the last index is the full train set."""

    shorthand: ClassVar = ("index",)
    index: NonNegativeInt

    def check(self, view: PlanView) -> Iterable[Complaint]:
        last = len(view.settings.get("add_train_split") or [])
        if self.index > last:
            parts = "0 is the full train set" if last == 0 else f"0 to {last - 1} are parts, {last} is all of it"
            yield Complaint(("index",), f"no train dataset {self.index}: with this add_train_split {parts}")

    def run(self, ctx: RunContext) -> StepResult:
        ctx.train_index = self.index
        return StepResult(facts={"index": self.index}, summary=f"train dataset {self.index}")
