"""The table at the end of a folder."""

from __future__ import annotations

from typing import Any

from utils.journal.records import RunRecord
from utils.journal.summary import summary_table

PROTOCOL = {"valid_metric": "NDCG@10", "device": "cpu"}


def _record(name: str, ndcg: float | None, loss: str | None = None, **changes: Any) -> RunRecord:
    stage: dict[str, Any] = {"transferred": loss is not None, "loss_name": loss}
    if ndcg is not None:
        stage["best_test_res"] = {"recall@10": 0.5, "ndcg@10": ndcg}
    fixed = {"status": "done", "dataset": {"users": 30}, "protocol": PROTOCOL, "stages": {"0": stage}}
    return RunRecord("r", f"x/{name}.yaml", {"model": "NeuMF", "seed": 1}, **{**fixed, **changes})


def test_the_change_is_relative_to_the_plain_run() -> None:
    # (0.25 - 0.2) / 0.2 is a quarter.
    table = summary_table([_record("01_plain", 0.2), _record("02_kt", 0.25, "rmse")])
    assert table.splitlines() == [
        "model  variant           recall@10  ndcg@10          change",
        "-----  ----------------  ---------  -------  --------------",
        "NeuMF  01_plain (plain)     0.5000   0.2000",
        "NeuMF  02_kt (rmse)         0.5000   0.2500  +25.0% ndcg@10",
    ]


def test_a_failed_run_has_a_line_without_numbers() -> None:
    table = summary_table([_record("01", None, status="failed"), _record("02", 0.2)])
    assert table.splitlines()[2:] == [
        "NeuMF  01 (failed)          -        -",
        "NeuMF  02 (plain)      0.5000   0.2000",
    ]


def test_without_a_plain_run_the_change_is_not_told() -> None:
    assert summary_table([_record("02", 0.25, "rmse")]).splitlines()[-1] == (
        "change: no plain run of NeuMF with the same data and protocol to compare with"
    )


def test_with_two_plain_runs_none_is_picked() -> None:
    records = [_record("01", 0.2), _record("02", 0.3), _record("03", 0.25, "rmse")]
    assert summary_table(records).splitlines()[-1] == (
        "change: 2 plain runs of NeuMF with the same data and protocol to compare with"
    )


def test_runs_on_other_data_or_by_another_protocol_or_seed_are_no_twins() -> None:
    transferred = _record("03", 0.25, "rmse")
    others = [
        _record("01", 0.2, dataset={"users": 31}),
        _record("01", 0.2, protocol={**PROTOCOL, "device": "cuda"}),
        _record("01", 0.2),
    ]
    others[2].settings["seed"] = 2
    for other in others:
        assert "no plain run" in summary_table([other, transferred])


def test_a_plain_run_of_zero_gives_no_ratio() -> None:
    table = summary_table([_record("01", 0.0), _record("02", 0.1, "rmse")])
    assert table.splitlines()[-1] == "change: ndcg@10 is zero or was not measured on the test part"


def test_nothing_run_is_said() -> None:
    assert summary_table([]) == "nothing was run"
