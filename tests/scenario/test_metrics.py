"""Every metric that `--check` accepts is measured: in validation, and on the test part."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workspace import TRAIN, Workspace
from utils.scenario.settings_schema import RANKING_METRICS, VALUE_METRICS

LABELED: dict[str, Any] = {
    "eval_args": {"split": {"RS": [0.6, 0.2, 0.2]}, "order": "RO", "group_by": "user", "mode": "labeled"},
    "threshold": {"rating": 4},
}


def _key(metric: str) -> str:
    return metric.lower() if metric == "GAUC" or metric in VALUE_METRICS else f"{metric.lower()}@5"


@pytest.mark.parametrize("metric", [*RANKING_METRICS, *VALUE_METRICS])
def test_a_metric_is_measured_in_training_and_in_the_test(metric: str, tiny: Workspace) -> None:
    key = _key(metric)
    protocol = LABELED if metric in VALUE_METRICS else {}
    name = metric if "@" not in key else f"{metric}@5"
    run = tiny.run(TRAIN, epochs=1, metrics=[metric], valid_metric=name, **protocol)
    assert run.record.status == "done", run.console.text
    stage = run.record.stages["0"]
    assert set(stage["best_val_res"]) == set(stage["best_test_res"]) == {key}


def test_the_popular_and_the_rare_are_counted_after_a_checkpoint_is_loaded(tiny: Workspace) -> None:
    metrics = {"metrics": ["ItemCoverage", "GiniIndex"], "valid_metric": "ItemCoverage@5"}
    first = tiny.run(TRAIN, "first", **metrics)
    load = {"load_from_file": str(first.dir / "model.pth")}
    second = tiny.run(["init_model", "init_trainer", load, "test_eval"], "second", **metrics)
    assert second.record.status == "done", second.console.text
    assert second.record.stages["0"]["best_test_res"] == first.record.stages["0"]["best_test_res"]


@pytest.mark.parametrize("metric", [*RANKING_METRICS, *VALUE_METRICS])
def test_a_smaller_one_is_a_better_one_where_recbole_says_so(metric: str) -> None:
    from recbole.evaluator import smaller_metrics

    from utils.scenario.settings_fit import _SMALLER

    assert (metric.lower() in _SMALLER) == (metric.lower() in smaller_metrics)
