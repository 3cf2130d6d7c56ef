"""`test_eval`: test metrics of the best model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from utils.commands.base import Command, Complaint, PlanView, StepResult, command
from utils.context import RunContext, protocol
from utils.journal import per_user
from utils.journal.outcome import SEEN
from utils.journal.slices import shown
from utils.scenario.errors import StepError
from utils.scenario.settings_schema import SliceBounds
from utils.slice_names import COLD_ITEMS, WARM_ITEMS

if TYPE_CHECKING:
    from utils.recbole_port.by_row import ByRow
    from utils.recbole_port.slices import Sliced


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
        bounds = SliceBounds.model_validate(ctx.settings.get("slices") or {})
        n_train, slices = _sliced(ctx, rows, bounds) if rows.values else (None, {})
        facts = {name: found.facts() for name, found in slices.items()}
        stage = ctx.open_test()
        if not ctx.lineage:
            stage.update(lineage=[], loaded_from=ctx.loaded_from, protocol=protocol(ctx.trainer.config))
        stage.update(
            best_test_res=metrics,
            tested_in_step=len(ctx.record.steps),
            per_user_file=None if n_train is None else _keep(ctx, rows, n_train, slices),
            slices=facts,
            slice_bounds=bounds.model_dump() if facts else {},
        )
        rounded = test_in_bfloat16(ctx.trainer, ctx.data.test, show, states)
        if rounded:
            stage["best_test_res_bfloat16"] = rounded
        if ctx.lineage:
            ctx.weights = "best"
        cold = shown(facts, ctx.trainer.valid_metric)
        return StepResult(facts=metrics, summary=_summary(metrics, rounded, cold, ctx.trainer.config))


def _sliced(ctx: RunContext, rows: ByRow, bounds: SliceBounds) -> tuple[np.ndarray, dict[str, Sliced]]:
    """(how many train items the user of each row has [n_rows], the metrics by slice of users and items)."""
    from utils.recbole_port.slices import by_slice, slices_by_popularity
    from utils.recbole_port.train_part import train_counts

    config = ctx.recbole_config()
    of_users, of_items = train_counts(config, ctx.data)
    tokens = ctx.data.dataset.field2id_token[config["ITEM_ID_FIELD"]]
    slices = slices_by_popularity(of_users, of_items, tokens, bounds.cold_users, bounds.cold_items)
    return of_users[rows.user_rows], by_slice(rows, slices)


def _keep(ctx: RunContext, rows: ByRow, n_train: np.ndarray, slices: Mapping[str, Sliced]) -> str:
    """Write the metrics by user beside the record, the valid one for cold and warm items as well; the file's name."""
    tokens = pd.Series(ctx.data.dataset.id2token(ctx.recbole_config()["USER_ID_FIELD"], rows.user_rows))
    values, metric = pd.DataFrame(rows.values), ctx.trainer.valid_metric
    for part in (COLD_ITEMS, WARM_ITEMS):
        if metric in slices[part].values:
            values.loc[slices[part].rows, per_user.sliced(metric, part)] = slices[part].values[metric]
    name = per_user.file_name(ctx.lineage[-1] if ctx.lineage else ctx.stage)
    per_user.write(ctx.run_dir / name, tokens, pd.Series(n_train), values)
    return name


def _summary(metrics: Mapping[str, float], rounded: Mapping[str, float], cold: str, config: Any) -> str:
    """The metrics, how seen items were treated, cold items and users, and what scoring in bfloat16 would change."""
    all_rows = ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
    seen = SEEN.get(protocol(config)["filter_seen"], "")
    effect = ", ".join(f"{name} {rounded[name] - metrics[name]:+.4f}" for name in rounded)
    more = [cold, f"scored in bfloat16: {effect}" if effect else ""]
    return "; ".join([f"{all_rows}{seen and f' ({seen})'}", *filter(None, more)])
