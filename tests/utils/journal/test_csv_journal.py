"""The journal: one row per run, whoever writes at the same time and whatever was edited by hand."""

from __future__ import annotations

import csv
import multiprocessing
from pathlib import Path

import pytest

from utils.journal import csv_journal
from utils.journal.csv_journal import append, row_of
from utils.journal.records import RunRecord

# LLM-KT's columns, in its order, then ours.
RUN_COLUMNS = [
    "subdir", "config", "start date", "start time", "end date", "end time", "dataset", "user_num", "item_num",
    "inter_num", "seed", "user_filter", "item_filter", "threshold", "model_type", "train_split", "eval_split",
    "eval_valid_mode", "eval_test_mode", "eval_valid_metric", "dist_loss_w", "run_id", "status", "error", "control",
]  # fmt: skip
STAGE_COLUMNS = [
    "loss_name", "users_emb", "items_emb", "particular", "set_outputs", "set_trainable", "train_ds_ind", "config",
    "best_val_score", "best_val_res", "best_test_res", "bestmodel_file",
]  # fmt: skip


def _record(run_id: str = "r1", **stages: dict[str, object]) -> RunRecord:
    return RunRecord(
        run_id,
        "experiments/quick/01.yaml",
        {"dataset": "tiny", "seed": 7, "threshold": {"rating": 4}, "distil_loss_weight": 0.5},
        status="done",
        started="2024-10-02T22:12:30",
        ended="2024-10-02T22:13:00",
        dataset={"users": 30, "items": 40, "interactions": 600},
        protocol={
            "model_type": "general",
            "eval_args": {"split": {"LS": "valid_and_test"}, "mode": {"valid": "full", "test": "uni100"}},
            "valid_metric": "NDCG@5",
        },
        stages=dict(stages),
    )


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_has_the_columns_of_llm_kt() -> None:
    transfer = {"transferred": True, "distil_loss_weight": 0.3, "loss_name": "rmse", "set_outputs": [9]}
    row = row_of(_record(**{"0": {**transfer, "best_test_res": {"ndcg@5": 0.25}}}))
    assert list(row) == RUN_COLUMNS + [f"train_0:{column}" for column in STAGE_COLUMNS]
    assert [row[name] for name in ("subdir", "config", "start date", "end time")] == [
        "quick", "01.yaml", "2024-10-02", "22:13:00",
    ]  # fmt: skip
    assert (row["user_num"], row["inter_num"], row["seed"]) == ("30", "600", "7")
    assert (row["threshold"], row["eval_split"]) == ('{"rating": 4}', '{"LS": "valid_and_test"}')
    assert (row["eval_valid_mode"], row["eval_test_mode"], row["dist_loss_w"]) == ("full", "uni100", "0.3")
    assert (row["train_0:set_outputs"], row["train_0:best_test_res"]) == ("[9]", '{"ndcg@5": 0.25}')
    assert row["user_filter"] == row["error"] == row["train_0:users_emb"] == ""


def test_a_new_stage_widens_the_header_and_old_rows_stay(tmp_path: Path) -> None:
    journal = tmp_path / "journal.csv"
    append(journal, _record("r1", **{"0": {"loss_name": "rmse"}}))
    append(journal, _record("r2", **{"0": {}, "1": {"loss_name": "mse"}}))
    append(journal, _record("r3"))
    rows = _rows(journal)
    assert [row["run_id"] for row in rows] == ["r1", "r2", "r3"]
    assert [row["train_0:loss_name"] for row in rows] == ["rmse", "", ""]
    assert [row["train_1:loss_name"] for row in rows] == ["", "mse", ""]


def test_what_someone_added_by_hand_is_kept(tmp_path: Path) -> None:
    journal = tmp_path / "journal.csv"
    # A spreadsheet's byte order mark, a column of one's own, and a cell beyond the header.
    journal.write_text("run_id,note,status\nold,mine,done,more\n", encoding="utf-8-sig")
    append(journal, _record("new"))
    old, new = _rows(journal)
    assert list(old)[:4] == ["run_id", "note", "status", "unnamed 4"]
    assert [old[name] for name in ("run_id", "note", "status", "unnamed 4", "seed")] == [
        "old",
        "mine",
        "done",
        "more",
        "",
    ]
    assert [new[name] for name in ("run_id", "note", "status", "unnamed 4", "seed")] == ["new", "", "done", "", "7"]


def test_half_a_last_line_does_not_swallow_the_next_row(tmp_path: Path) -> None:
    journal = tmp_path / "journal.csv"
    append(journal, _record("r1"))
    whole = journal.read_text("utf-8")
    journal.write_text(whole + "quick,02.yaml,2024", encoding="utf-8")
    append(journal, _record("r3"))
    assert [row["config"] for row in _rows(journal)] == ["01.yaml", "02.yaml", "01.yaml"]
    assert [row["run_id"] for row in _rows(journal)] == ["r1", "", "r3"]


def test_text_with_commas_quotes_and_line_breaks_comes_back(tmp_path: Path) -> None:
    record = _record()
    record.error = {"message": 'a "b", c\nd'}
    append(tmp_path / "journal.csv", record)
    append(tmp_path / "journal.csv", _record("r2"))
    assert [row["error"] for row in _rows(tmp_path / "journal.csv")] == ['a "b", c\nd', ""]


def _append_some(task: tuple[str, int]) -> None:
    journal, worker = task
    for number in range(10):
        append(Path(journal), _record(f"{worker}-{number}", **{str(worker): {"loss_name": "x" * 5000}}))


def test_rows_of_several_processes_are_each_there_once(tmp_path: Path) -> None:
    journal = tmp_path / "journal.csv"
    with multiprocessing.get_context("fork").Pool(4) as pool:
        pool.map(_append_some, [(str(journal), worker) for worker in range(4)], chunksize=1)
    rows = _rows(journal)
    assert sorted(row["run_id"] for row in rows) == sorted(f"{w}-{n}" for w in range(4) for n in range(10))
    for row in rows:
        worker = row["run_id"][0]
        assert {name for name, value in row.items() if value == "x" * 5000} == {f"train_{worker}:loss_name"}


def test_a_file_that_is_no_csv_is_left_as_it_is(tmp_path: Path) -> None:
    journal = tmp_path / "journal.csv"
    journal.write_bytes(b"run_id\n\xff\xfe\n")
    with pytest.raises(ValueError, match="utf-8"):
        append(journal, _record())
    assert journal.read_bytes() == b"run_id\n\xff\xfe\n"


def test_a_lock_that_is_never_given_back_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_journal, "_LOCK_TIMEOUT_S", 0.1)
    with csv_journal.FileLock(f"{tmp_path / 'journal.csv'}.lock"), pytest.raises(OSError, match="lock"):
        append(tmp_path / "journal.csv", _record())
