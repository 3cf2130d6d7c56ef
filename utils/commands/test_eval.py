"""`test_eval`: test metrics of the best model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from utils.commands.base import Command, Complaint, PlanView, StepResult, command
from utils.context import RunContext, protocol
from utils.scenario.errors import StepError


@command("test_eval")
class TestEval(Command):
    """Measure the best model of this training (or the loaded one) on the test part."""

    needs: ClassVar[frozenset[str]] = frozenset({"trainer", "trained"})
    draws: ClassVar[bool] = True

    def check(self, view: PlanView) -> Iterable[Complaint]:
        split = (view.settings.get("eval_args") or {}).get("split") or {}
        if split.get("LS") == "valid_only":
            yield Complaint((), "eval_args.split LS: valid_only leaves no test part")

    def run(self, ctx: RunContext) -> StepResult:
        from utils.recbole_port.training import test

        show = bool(ctx.recbole_config()["show_progress"])
        metrics = test(ctx.trainer, ctx.data.full_train, ctx.data.test, show)
        if not metrics:
            raise StepError(None, "the split has no test part (eval_args.split)")
        stage = ctx.open_test()
        if not ctx.lineage:
            stage.update(lineage=[], loaded_from=ctx.loaded_from, protocol=protocol(ctx.trainer.config))
        stage.update(best_test_res=metrics, tested_in_step=len(ctx.record.steps))
        if ctx.lineage:
            ctx.weights = "best"
        return StepResult(facts=metrics, summary=", ".join(f"{name} {value:.4f}" for name, value in metrics.items()))
