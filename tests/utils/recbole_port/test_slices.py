"""Metrics by slice are RecBole's own, of a ranking that stays as it is and of fewer relevant items."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from tests.workspace import SASREC, TRAIN, Workspace
from utils.journal import per_user
from utils.recbole_port.by_row import ByRow, watched
from utils.recbole_port.gaps import close_gaps
from utils.recbole_port.slices import Slices, by_slice, slices_by_popularity
from utils.slice_names import COLD_ITEMS, COLD_USERS, DECILES, NAMES, WARM_ITEMS, WARM_USERS

METRICS = ["Recall", "NDCG", "MRR", "Hit", "MAP", "Precision"]
# Items 1 to 4: their interactions in the train part, after RecBole's padding.
POPULARITY = np.array([0, 9, 1, 5, 1])
TOKENS = np.array(["[PAD]", "a", "b", "c", "d"])
# Three rows: what is ranked from first to last, and what is relevant.
RANKED = [[2, 1, 3, 4], [1, 3, 2, 4], [4, 2, 1, 3]]
RELEVANT = [[1, 4], [3], [2]]
# Of a general model's users, and of a sequential model's, where user 1 has two targets.
ONE_ROW_EACH, TWO_ROWS_OF_ONE = [1, 2, 3], [1, 2, 1]


def _ranked(
    users: list[int], topk: list[int], batches: tuple[int, ...] = (3,), relevant: list[list[int]] = RELEVANT
) -> tuple[dict[str, float], ByRow]:
    """RecBole's evaluation of the ranking above, in batches of so many rows."""
    close_gaps()
    from recbole.evaluator import Collector, Evaluator

    config: dict[str, Any] = {
        "metrics": METRICS, "topk": topk, "metric_decimal_place": 4, "eval_args": {"mode": {"test": "full"}},
        "device": torch.device("cpu"),
    }  # fmt: skip
    trainer = SimpleNamespace(evaluator=Evaluator(config), eval_collector=Collector(config), by_row=None)
    with watched(trainer) as rows:
        at = 0
        for size in batches:
            scores = torch.full((size, 5), -torch.inf)
            for row in range(size):
                scores[row, RANKED[at + row]] = torch.tensor([4.0, 3.0, 2.0, 1.0])
            pairs = [(row, item) for row in range(size) for item in relevant[at + row]]
            rows.users.append(torch.tensor(users[at : at + size]))
            trainer.eval_collector.eval_batch_collect(scores, None, *map(torch.tensor, zip(*pairs, strict=True)))
            at += size
        result = trainer.evaluator.evaluate(trainer.eval_collector.get_data_struct())
    assert "topk_result" not in vars(trainer.evaluator.metric_class["ndcg"])
    assert "eval_batch_collect" not in vars(trainer.eval_collector)
    return result, rows


def _slices(users: list[int], n_train: tuple[int, ...] = (0, 2, 30, 3)) -> dict[str, Any]:
    rows = _ranked(users, [2])[1]
    return {name: found.facts() for name, found in by_slice(rows, _by_popularity(n_train)).items()}


def _by_popularity(n_train: tuple[int, ...] = (0, 2, 30, 3)) -> Slices:
    return slices_by_popularity(np.array(n_train), POPULARITY, TOKENS, cold_users=2, cold_items=1)


def test_only_relevant_items_of_the_slice_count_and_the_ranking_stays() -> None:
    found = _slices(ONE_ROW_EACH)
    # Cold are 2 and 4. Row 0 has 4 in the last place, beyond the first two; row 2 has 2 in the second place.
    assert found[COLD_ITEMS]["recall@2"] == (0 + 1) / 2
    assert found[COLD_ITEMS]["mrr@2"] == (0 + 1 / 2) / 2
    assert found[COLD_ITEMS]["precision@2"] == (0 + 1 / 2) / 2
    # Warm are 1 and 3, each in the second place of its row and there the only relevant one.
    assert found[WARM_ITEMS]["recall@2"] == (1 + 1) / 2
    assert found[WARM_ITEMS]["ndcg@2"] == round(1 / np.log2(3), 4)


def test_rows_without_a_relevant_item_of_the_slice_are_left_out() -> None:
    found = _slices(ONE_ROW_EACH)
    # Row 1 has no cold item, row 2 no warm one.
    assert (found[COLD_ITEMS]["rows"], found[WARM_ITEMS]["rows"]) == (2, 2)


def test_a_slice_of_users_is_the_usual_metric_of_their_rows() -> None:
    found = _slices(ONE_ROW_EACH)
    assert (found[COLD_USERS]["rows"], found[WARM_USERS]["rows"]) == (1, 2)
    # Row 0 has one of its two relevant items among the first two, rows 1 and 2 have all.
    assert found[COLD_USERS]["recall@2"] == 1 / 2
    assert found[WARM_USERS]["recall@2"] == (1 + 1) / 2


def test_a_user_of_several_targets_counts_with_each() -> None:
    found = _slices(TWO_ROWS_OF_ONE)
    assert found[COLD_USERS]["rows"] == 2
    assert found[COLD_USERS]["recall@2"] == (1 / 2 + 1) / 2


def test_a_slice_of_nobody_has_no_rows_and_no_metrics() -> None:
    assert _slices(ONE_ROW_EACH, n_train=(0, 21, 30, 40))[COLD_USERS] == {"rows": 0}


@pytest.mark.parametrize("batches", [(3,), (1, 2), (1, 1, 1)])
@pytest.mark.parametrize("topk", [[1], [1, 3]])
def test_the_slice_of_everything_is_the_metric_bit_for_bit(topk: list[int], batches: tuple[int, ...]) -> None:
    result, rows = _ranked(ONE_ROW_EACH, topk, batches)
    everything = by_slice(rows, Slices({"users": np.full(4, True)}, {"items": np.full(5, True)}))
    for found in everything.values():
        assert found.averages == result
        assert found.rows.all()
        assert found.values.keys() == rows.values.keys()
        assert all((found.values[name] == rows.values[name]).all() for name in rows.values)


def test_an_item_that_is_relevant_twice_counts_once() -> None:
    _, rows = _ranked(ONE_ROW_EACH, [4], relevant=[[1, 4, 4], [3], [2, 2]])
    assert by_slice(rows, _by_popularity())[COLD_ITEMS].averages["recall@4"] == (1 + 1) / 2


def test_deciles_go_from_the_least_popular_and_break_ties_by_token() -> None:
    # Twelve items, of which all but one are equally popular: tenths of 2, 2, and then 1 each.
    popularity = np.array([0, *[3] * 5, 1, *[3] * 6])
    tokens = np.array(["[PAD]", *"lkjihgfedcba"])
    items = slices_by_popularity(np.zeros(2), popularity, tokens, 0, 0).items
    found = ["".join(tokens[items[name]]) for name in DECILES]
    # The unpopular one is g; all others stand by the alphabet.
    assert ["".join(sorted(names)) for names in found] == ["ag", "bc", "d", "e", "f", "h", "i", "j", "k", "l"]


def test_padding_is_in_no_decile_and_few_items_leave_some_empty() -> None:
    items = slices_by_popularity(np.zeros(2), POPULARITY, TOKENS, 0, 0).items
    assert [list(np.flatnonzero(items[name])) for name in DECILES[:5]] == [[2], [4], [3], [1], []]


def test_at_most_the_bound_is_cold() -> None:
    slices = slices_by_popularity(np.array([0, 20, 21]), np.array([0, 10, 11]), np.array(["", "a", "b"]), 20, 10)
    assert list(slices.users[COLD_USERS][1:]) == [True, False]
    assert list(slices.items[COLD_ITEMS][1:]) == [True, False]
    assert list(slices.items[WARM_ITEMS][1:]) == [False, True]


_LEAVE_ONE_OUT = {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full"}
_SAMPLED = {**_LEAVE_ONE_OUT, "mode": "uni10"}
_RATIOS = {"split": {"RS": [0.6, 0.2, 0.2]}, "mode": "full"}


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("general", {}),
        ("several targets", {"eval_args": _RATIOS}),
        ("sequential", SASREC),
        ("sampled", {"eval_args": _SAMPLED}),
        ("sequential and sampled", {**SASREC, "eval_args": _SAMPLED}),
    ],
)
def test_a_run_records_every_slice(tiny: Workspace, name: str, settings: dict[str, object]) -> None:
    bounds = {"cold_users": 12, "cold_items": 14}
    run = tiny.run(TRAIN, topk=[1, 5], slices=bounds, metric_decimal_place=12, **settings)
    stage = run.record.stages["0"]
    assert stage["slice_bounds"] == bounds
    assert set(stage["slices"]) == set(NAMES)
    metric = "recall@1"
    frame = pd.read_parquet(run.dir / stage["per_user_file"])
    cold, warm = (stage["slices"][part] for part in (COLD_USERS, WARM_USERS))
    is_cold = frame["n_train"] <= 12
    assert (cold["rows"], warm["rows"]) == (is_cold.sum(), (~is_cold).sum())
    weighted = [part.get(metric, 0) * part["rows"] for part in (cold, warm)]
    assert sum(weighted) / len(frame) == pytest.approx(stage["best_test_res"][metric])
    for part in (COLD_ITEMS, WARM_ITEMS):
        column = frame[per_user.sliced("ndcg@5", part)]
        assert stage["slices"][part]["rows"] == column.notna().sum() > 0
        assert stage["slices"][part]["ndcg@5"] == pytest.approx(column.mean())
    if settings.get("eval_args") is not _RATIOS:
        # Each row has one relevant item, which is in one decile: the deciles share out the rows and their metric.
        deciles = [stage["slices"][decile] for decile in DECILES]
        assert sum(part["rows"] for part in deciles) == len(frame)
        assert sum(part.get("ndcg@5", 0) * part["rows"] for part in deciles) / len(frame) == pytest.approx(
            stage["best_test_res"]["ndcg@5"]
        )


def test_metrics_of_single_ratings_have_no_slices(tiny: Workspace) -> None:
    eval_args = {"split": {"RS": [0.6, 0.2, 0.2]}, "mode": "labeled"}
    settings = {"model": "FM", "metrics": ["AUC"], "valid_metric": "AUC", "eval_args": eval_args}
    run = tiny.run(TRAIN, threshold={"rating": 3}, train_neg_sample_args=None, **settings)
    assert (run.record.stages["0"]["slices"], run.record.stages["0"]["slice_bounds"]) == ({}, {})


def test_bounds_may_change_before_each_test(tiny: Workspace) -> None:
    wider = {"set_config": {"slices": {"cold_users": 30, "cold_items": 40}}}
    run = tiny.run([*TRAIN, wider, "test_eval"], slices={"cold_users": 0})
    stage = run.record.stages["0"]
    assert stage["slice_bounds"] == {"cold_users": 30, "cold_items": 40}
    assert [stage["slices"][part]["rows"] for part in (COLD_USERS, WARM_USERS)] == [30, 0]
    lines = [line for line in run.console.lines if "ndcg@5" in line and "valid" not in line]
    # No user is cold at first, and all are in the end.
    assert ["cold users (30 rows)" in line for line in lines] == [False, True]
