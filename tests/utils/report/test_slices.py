"""Slices of a variant are means over its seeds; gains in them are of the users that have them on both sides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.utils.report.runs import run
from utils.journal import per_user
from utils.report.baselines import compare_all
from utils.report.comparison import Comparison
from utils.report.data import report_data, rows
from utils.report.gather import Found
from utils.report.slices import part, part_gains
from utils.report.table import variants_table
from utils.report.variants import Run, variants_of
from utils.slice_names import COLD_ITEMS, COLD_USERS, WARM_ITEMS, WARM_USERS

BOUNDS = {"cold_users": 2, "cold_items": 10}
USERS = ["u0", "u1", "u2", "u3"]
N_TRAIN = [1, 2, 3, 4]
NAN = float("nan")


def _stage(cold_items: float | None, bounds: dict[str, int] = BOUNDS) -> dict[str, Any]:
    cold = {"rows": 0} if cold_items is None else {"rows": 2, "ndcg@10": cold_items}
    return {"slices": {COLD_ITEMS: cold, COLD_USERS: {"rows": 0}}, "slice_bounds": bounds}


def _run(folder: Path, name: str, seed: int, ndcg: list[float], cold: list[float], loss: str | None = None) -> Run:
    """A run with the metric of each of four users, and the same for its cold items."""
    found = run(folder, name, seed, ndcg, loss, stage=_stage(float(np.nanmean(cold))))
    values = pd.DataFrame({"ndcg@10": ndcg, per_user.sliced("ndcg@10", COLD_ITEMS): cold})
    per_user.write(found.folder / "per_user_0.parquet", pd.Series(USERS), pd.Series(N_TRAIN), values)
    return found


def _comparison(runs: list[Run]) -> Comparison:
    comparisons, _ = compare_all(variants_of(runs), None)
    return next(iter(comparisons.values()))


@pytest.fixture
def compared(tmp_path: Path) -> Comparison:
    plain, better = [0.1, 0.2, 0.3, 0.4], [0.2, 0.4, 0.3, 0.4]
    runs = [_run(tmp_path, "01_plain", seed, plain, [0.0, NAN, 0.2, NAN]) for seed in (1, 2)]
    return _comparison([*runs, *(_run(tmp_path, "02_kt", s, better, [0.1, NAN, 0.4, NAN], "rmse") for s in (1, 2))])


def test_a_slice_is_the_mean_over_the_seeds(tmp_path: Path) -> None:
    runs = [run(tmp_path, "01", seed, 0.1, stage=_stage(value)) for seed, value in ((1, 0.1), (2, 0.2), (3, 0.3))]
    (variant,) = variants_of(runs)
    found = part(variant, COLD_ITEMS, "ndcg@10")
    assert found is not None
    assert (found.rows, found.mean, found.deviation) == (2, pytest.approx(0.2), pytest.approx(0.1))
    assert part(variant, COLD_USERS, "ndcg@10") is None


def test_seeds_with_other_bounds_are_not_averaged_with_the_last_one(tmp_path: Path) -> None:
    stages = [(1, _stage(0.1, {**BOUNDS, "cold_items": 5})), (2, _stage(0.2)), (3, _stage(0.4))]
    (variant,) = variants_of([run(tmp_path, "01", seed, 0.1, stage=stage) for seed, stage in stages])
    found = part(variant, COLD_ITEMS, "ndcg@10")
    assert found is not None
    assert found.mean == pytest.approx((0.2 + 0.4) / 2)


def test_a_gain_in_cold_items_is_that_of_the_users_who_have_any(compared: Comparison) -> None:
    found = part_gains(compared, "ndcg@10")[COLD_ITEMS]
    # Users 0 and 2: from 0 and .2 to .1 and .4.
    assert found.n_users == 2
    assert found.baseline == pytest.approx((0 + 0.2) / 2)
    assert found.gain == pytest.approx((0.1 + 0.2) / 2)
    assert found.interval == (pytest.approx(0.1), pytest.approx(0.2))


def test_a_gain_of_cold_users_is_that_of_the_usual_metric(compared: Comparison) -> None:
    found = part_gains(compared, "ndcg@10")
    # At most 2 train items have users 0 and 1: from .1 and .2 to .2 and .4.
    assert (found[COLD_USERS].n_users, found[COLD_USERS].gain) == (2, pytest.approx((0.1 + 0.2) / 2))
    assert (found[WARM_USERS].n_users, found[WARM_USERS].gain) == (2, 0)
    # The files have no column of warm items.
    assert WARM_ITEMS not in found


def test_two_sides_with_other_bounds_are_not_compared_in_slices(tmp_path: Path) -> None:
    plain = _run(tmp_path, "01_plain", 1, [0.1] * 4, [0.1] * 4)
    kt = _run(tmp_path, "02_kt", 1, [0.2] * 4, [0.2] * 4, "rmse")
    assert part_gains(_comparison([plain, kt]), "ndcg@10")
    kt.record.stages["0"]["slice_bounds"] = {**BOUNDS, "cold_users": 3}
    assert part_gains(_comparison([plain, Run(kt.record, kt.folder)]), "ndcg@10") == {}


def test_runs_without_metrics_by_user_have_no_gains_in_slices(tmp_path: Path) -> None:
    plain = run(tmp_path, "01_plain", 1, 0.1, stage=_stage(0.1))
    kt = run(tmp_path, "02_kt", 1, 0.2, "rmse", stage=_stage(0.2))
    assert part_gains(_comparison([plain, kt]), "ndcg@10") == {}


def test_the_table_has_a_column_for_cold_items_where_some_run_has_any(tmp_path: Path) -> None:
    runs = [run(tmp_path, "01_plain", seed, 0.1, stage=_stage(value)) for seed, value in ((1, 0.1), (2, 0.3))]
    runs += [run(tmp_path, "02_kt", seed, 0.2, "rmse", stage=_stage(None)) for seed in (1, 2)]
    header, _, first, second, *notes = variants_table(runs).splitlines()
    assert header.split()[3:7] == ["ndcg@10", "cold", "items", "gain"]
    # (.1 + .3) / 2, and the deviation of two values that are .2 apart: .2 / sqrt 2.
    assert first.endswith("  0.2000 ±0.1414")
    assert second.split()[5:8] == ["±0.0000", "-", "+0.1000"]
    assert notes[0] == "cold: ndcg@10 of items with at most 10 interactions in the train part"


def test_the_report_has_every_slice_with_its_label_and_gain(tmp_path: Path) -> None:
    plain = [_run(tmp_path, "01_plain", seed, [0.1] * 4, [0.0, NAN, 0.2, NAN]) for seed in (1, 2)]
    better = [_run(tmp_path, "02_kt", seed, [0.2] * 4, [0.1, NAN, 0.4, NAN], "rmse") for seed in (1, 2)]
    data = report_data(Found([*plain, *better]))
    first, second = (group["by_slice"] for group in data["groups"])
    assert [each["label"] for each in first] == ["cold items: at most 10 interactions"]
    assert (first[0]["rows"], first[0]["metrics"], first[0]["gain"]) == (2, {"ndcg@10": pytest.approx(0.1)}, None)
    gain = second[0]["gain"]
    assert (gain["metric"], gain["baseline"], gain["gain"]) == ("ndcg@10", pytest.approx(0.1), pytest.approx(0.15))
    in_csv = rows(data)[0]
    assert (in_csv["slice:cold_items"], in_csv["slice:cold_items:rows"]) == (pytest.approx(0.1), 2)
    assert (in_csv["slice:cold_users"], in_csv["slice:cold_users:rows"]) == (None, None)


def test_a_report_on_runs_without_slices_has_no_columns_for_them(tmp_path: Path) -> None:
    data = report_data(Found([run(tmp_path, "01", 1, 0.1)]))
    assert not [name for name in rows(data)[0] if name.startswith("slice:")]
