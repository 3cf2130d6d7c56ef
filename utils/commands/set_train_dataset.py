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

    shorthand: ClassVar[tuple[str, ...]] = ("index",)
    index: NonNegativeInt

    def check(self, view: PlanView) -> Iterable[Complaint]:
        last = len(view.settings.get("add_train_split") or [])
        if self.index > last:
            if last == 0:
                there = "without add_train_split there is only 0, the full train set"
            else:
                there = f"add_train_split gives 0 to {last - 1}, its parts, and {last}, the full train set"
            yield Complaint(("index",), f"no train dataset {self.index}; {there}")

    def run(self, ctx: RunContext) -> StepResult:
        ctx.train_index = self.index
        return StepResult(facts={"index": self.index}, summary=f"train dataset {self.index}")
