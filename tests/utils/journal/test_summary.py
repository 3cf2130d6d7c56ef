"""The table at the end of a folder compares only what may be compared."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from utils.journal.records import RunRecord
from utils.journal.summary import ONE_SEED, summary_table

SETTINGS = {"epochs": 8, "learning_rate": 0.001, "seed": 1}
PROTOCOL = {"valid_metric": "NDCG@10", "device": "cpu"}


def _stage(
    ndcg: float | None, loss: str | None = None, lineage: tuple[str, ...] = ("0",), **changes: Any
) -> dict[str, Any]:
    tested = {} if ndcg is None else {"best_test_res": {"recall@10": 0.5, "ndcg@10": ndcg}}
    return {
        "transferred": loss is not None,
        "loss_name": loss,
        "settings": {**SETTINGS, **changes.pop("settings", {})},
        "protocol": PROTOCOL,
        "train_ds_ind": 0,
        "lineage": list(lineage),
        **tested,
        **changes,
    }


def _record(name: str, stages: dict[str, dict[str, Any]], **changes: Any) -> RunRecord:
    fixed = {"status": "done", "dataset": {"users": 30}, "protocol": PROTOCOL, "stages": stages}
    return RunRecord("r", f"x/{name}.yaml", {"model": "NeuMF", "seed": 1}, **{**copy.deepcopy(fixed), **changes})


def _one(name: str, ndcg: float | None, loss: str | None = None, **changes: Any) -> RunRecord:
    return _record(name, {"0": _stage(ndcg, loss, **changes)})


def test_the_change_is_relative_to_the_plain_run_and_says_that_it_is_one_seed() -> None:
    # (0.25 - 0.2) / 0.2 is a quarter.
    table = summary_table([_one("01_plain", 0.2), _one("02_kt", 0.25, "rmse")])
    assert table.splitlines() == [
        "model  variant           recall@10  ndcg@10          change",
        "-----  ----------------  ---------  -------  --------------",
        "NeuMF  01_plain (plain)     0.5000   0.2000",
        "NeuMF  02_kt (rmse)         0.5000   0.2500  +25.0% ndcg@10",
        ONE_SEED,
    ]


def test_a_failed_run_has_a_line_without_numbers() -> None:
    failed = _record("01", {"0": _stage(None)}, status="failed")
    assert summary_table([failed, _one("02", 0.2)]).splitlines()[2:] == [
        "NeuMF  01 (failed)          -        -",
        "NeuMF  02 (plain)      0.5000   0.2000",
    ]


def test_a_run_that_tested_nothing_says_so() -> None:
    assert "NeuMF  01 (not tested)" in summary_table([_one("01", None)])


def test_without_a_plain_run_the_change_is_not_told() -> None:
    assert summary_table([_one("02", 0.25, "rmse")]).splitlines()[-1] == (
        "change: no plain run of NeuMF on the same data and seed to compare 02 with"
    )


def test_a_model_that_is_made_of_vectors_is_asked_for_its_backbone() -> None:
    kar = _one("02", 0.25, "inputs")
    kar.settings["model"] = "DCNKAR"
    assert summary_table([kar]).splitlines()[-1] == (
        "change: DCNKAR has no plain run; name its backbone's scenario as baseline of 02"
    )


def test_of_two_plain_runs_alike_with_other_results_none_is_picked() -> None:
    records = [_one("01", 0.2), _one("02", 0.3), _one("03", 0.25, "rmse")]
    assert summary_table(records).splitlines()[-1] == (
        "change: 2 plain runs of NeuMF were given the same and differ in results"
    )


def test_a_repeated_plain_run_does_no_harm() -> None:
    assert "+25.0%" in summary_table([_one("01", 0.2), _one("02", 0.2), _one("03", 0.25, "rmse")])


def test_of_two_plain_runs_the_one_that_was_given_the_same_is_picked() -> None:
    records = [_one("01", 0.2), _one("02", 0.1, settings={"epochs": 2}), _one("03", 0.25, "rmse")]
    assert "+25.0% ndcg@10" in summary_table(records)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"settings": {"epochs": 2}}, "epochs"),
        ({"settings": {"epochs": 2, "learning_rate": 0.05}}, "epochs, learning_rate"),
        ({"settings": {"embedding_size": 8}}, "embedding_size"),
        ({"protocol": {**PROTOCOL, "valid_metric": "MRR@10"}}, "valid_metric"),
        ({"protocol": {**PROTOCOL, "eval_args": {"mode": "uni100"}}}, "eval_args"),
        ({"train_ds_ind": 1}, "train_ds_ind"),
        ({"frozen": ["user_embedding.weight"]}, "frozen"),
        ({"starts_from": "best"}, "starts_from"),
    ],
)
def test_runs_that_were_given_different_things_are_not_compared(changes: dict[str, Any], what: str) -> None:
    table = summary_table([_one("01", 0.2, **changes), _one("02", 0.25, "rmse")])
    assert table.splitlines()[-1] == f"change: 02 and 01 differ in {what} as well, so they are not compared"


def test_settings_that_change_no_number_do_not_matter() -> None:
    plain = _one("01", 0.2, settings={"threads": 2, "save": False, "distil_loss_weight": 0.9, "topk": 10})
    assert "+25.0%" in summary_table([plain, _one("02", 0.25, "rmse")])


def test_two_trainings_against_one_are_not_compared() -> None:
    stages = {"0": _stage(0.2, "rmse"), "1": _stage(0.25, lineage=("0", "1"))}
    table = summary_table([_one("01", 0.2), _record("02", stages)])
    assert (
        table.splitlines()[-1]
        == "change: 02 and 01 differ in the number of trainings as well, so they are not compared"
    )


def test_a_second_stage_inherits_the_transfer_of_the_first() -> None:
    twice = {"0": _stage(0.1), "1": _stage(0.2, lineage=("0", "1"))}
    transferred = {"0": _stage(0.1, "rmse"), "1": _stage(0.25, lineage=("0", "1"))}
    table = summary_table([_record("01", twice), _record("02", transferred)])
    assert "NeuMF  02 (rmse)      0.5000   0.2500  +25.0% ndcg@10" in table


def test_what_is_shown_is_the_last_tested_model_and_its_own_trainings() -> None:
    # The transfer of stage 1 was never tested, so the numbers of stage 0 are a plain run's.
    stages = {"0": _stage(0.2), "1": _stage(None, "rmse", lineage=("0", "1"))}
    assert summary_table([_record("01", stages)]).splitlines()[2:] == ["NeuMF  01 (plain)     0.5000   0.2000"]


def test_a_loaded_transfer_is_no_plain_run() -> None:
    loaded = _one("01", 0.2, loaded_from={"path": "x.pth", "transferred": True})
    table = summary_table([loaded])
    assert "NeuMF  01 (loaded)" in table
    assert table.splitlines()[-1] == "change: 01 was loaded from a checkpoint, so it is compared with none"


def test_runs_on_other_data_or_under_another_seed_are_no_twins() -> None:
    others = [_record("01", {"0": _stage(0.2)}, dataset={"users": 31}), _one("01", 0.2)]
    others[1].settings["seed"] = 2
    for other in others:
        assert "no plain run" in summary_table([other, _one("03", 0.25, "rmse")])


def test_a_failed_or_cancelled_plain_run_is_no_twin() -> None:
    for status in ("failed", "cancelled"):
        plain = _record("01", {"0": _stage(0.2)}, status=status)
        assert "no plain run" in summary_table([plain, _one("02", 0.25, "rmse")])


def test_a_plain_run_of_zero_gives_no_ratio() -> None:
    table = summary_table([_one("01", 0.0), _one("02", 0.1, "rmse")])
    assert table.splitlines()[-1] == "change: ndcg@10 is zero or was not measured on the test part"


def test_nothing_run_is_said() -> None:
    assert summary_table([]) == "nothing was run"


def _sliced(cold_items: float | None, at_most: int = 10) -> dict[str, Any]:
    found = {"rows": 0} if cold_items is None else {"rows": 7, "recall@10": 0.9, "ndcg@10": cold_items}
    return {"slices": {"cold_items": found}, "slice_bounds": {"cold_users": 20, "cold_items": at_most}}


def test_cold_items_have_a_column_of_the_valid_metric_and_a_line_that_says_what_cold_is() -> None:
    records = [_one("01_plain", 0.2, **_sliced(0.05)), _one("02_kt", 0.25, "rmse", **_sliced(None))]
    assert summary_table(records).splitlines() == [
        "model  variant           recall@10  ndcg@10  cold items          change",
        "-----  ----------------  ---------  -------  ----------  --------------",
        "NeuMF  01_plain (plain)     0.5000   0.2000      0.0500",
        "NeuMF  02_kt (rmse)         0.5000   0.2500           -  +25.0% ndcg@10",
        "cold: ndcg@10 of items with at most 10 interactions in the train part",
        ONE_SEED,
    ]


def test_where_no_run_has_cold_rows_there_is_no_column() -> None:
    assert "cold" not in summary_table([_one("01", 0.2, **_sliced(None)), _one("02", 0.2)])


def test_two_meanings_of_cold_are_not_to_be_compared() -> None:
    table = summary_table([_one("01", 0.2, **_sliced(0.1)), _one("02", 0.2, **_sliced(0.1, at_most=3))])
    assert table.splitlines()[-2:] == [
        "cold: ndcg@10 of items with at most 10 interactions in the train part (NeuMF); do not compare across",
        "cold: ndcg@10 of items with at most 3 interactions in the train part (NeuMF); do not compare across",
    ]
