"""`test_eval`: test metrics of the best model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from utils.commands.base import Command, Complaint, PlanView, StepResult, command
from utils.context import RunContext, protocol
from utils.journal import per_user
from utils.journal.outcome import SEEN
from utils.scenario.errors import StepError

if TYPE_CHECKING:
    from utils.recbole_port.by_row import ByRow


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
        from utils.recbole_port.session import random_states
        from utils.recbole_port.training import test, test_in_bfloat16

        states = random_states()
        show = bool(ctx.recbole_config()["show_progress"])
        metrics, rows = test(ctx.trainer, ctx.data.full_train, ctx.data.test, show)
        if not metrics:
            raise StepError(None, "the split has no test part (eval_args.split)")
        stage = ctx.open_test()
        if not ctx.lineage:
            stage.update(lineage=[], loaded_from=ctx.loaded_from, protocol=protocol(ctx.trainer.config))
        stage.update(best_test_res=metrics, tested_in_step=len(ctx.record.steps), per_user_file=_keep(ctx, rows))
        rounded = test_in_bfloat16(ctx.trainer, ctx.data.test, show, states)
        if rounded:
            stage["best_test_res_bfloat16"] = rounded
        if ctx.lineage:
            ctx.weights = "best"
        return StepResult(facts=metrics, summary=_summary(metrics, rounded, ctx.trainer.config))


def _keep(ctx: RunContext, rows: ByRow) -> str | None:
    """Write the metrics by user beside the record; the file's name, None where there are none."""
    from utils.recbole_port.train_part import train_pairs

    config, users = ctx.recbole_config(), rows.user_rows
    if not rows.values:
        return None
    field = config["USER_ID_FIELD"]
    tokens = pd.Series(ctx.data.dataset.id2token(field, users))
    counts = train_pairs(config, ctx.data)[field].value_counts()
    name = per_user.file_name(ctx.lineage[-1] if ctx.lineage else ctx.stage)
    per_user.write(ctx.run_dir / name, tokens, tokens.map(counts).fillna(0), pd.DataFrame(rows.values))
    return name


def _summary(metrics: Mapping[str, float], rounded: Mapping[str, float], config: Any) -> str:
    """The metrics, how seen items were treated, and what scoring in bfloat16 would change."""
    shown = ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
    seen = SEEN.get(protocol(config)["filter_seen"], "")
    effect = ", ".join(f"{name} {rounded[name] - metrics[name]:+.4f}" for name in rounded)
    return f"{shown}{seen and f' ({seen})'}" + (f"; scored in bfloat16: {effect}" if effect else "")
