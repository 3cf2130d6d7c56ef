"""`test_eval`: test metrics of the best model."""

from __future__ import annotations

from typing import ClassVar

from utils.commands.base import Command, StepResult, command
from utils.context import RunContext


@command("test_eval")
class TestEval(Command):
    """Measure the best model of this training (or the loaded one) on the test part."""

    needs: ClassVar = frozenset({"trainer", "trained"})
    draws: ClassVar = True

    def run(self, ctx: RunContext) -> StepResult:
        from utils.recbole_port.training import test

        metrics = test(ctx.trainer, ctx.data.test, bool(ctx.recbole_config()["show_progress"]))
        ctx.stage_facts()["best_test_res"] = metrics
        return StepResult(facts=metrics, summary=", ".join(f"{name} {value:.4f}" for name, value in metrics.items()))
