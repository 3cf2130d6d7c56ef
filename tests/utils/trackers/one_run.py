"""A run of two trainings as trackers are told of it, with numbers that every store keeps exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from utils.journal.records import RunRecord, Status
from utils.trackers.base import Tracker

RUN_ID = "BPR-Nov-26-2026_10-00-00-4f1c"
TEST = {"ndcg@10": 0.375}
EPOCHS: list[tuple[str, dict[str, Any]]] = [
    ("0", {"epoch": 0, "losses": [2.0, 1.0], "valid": {"ndcg@10": 0.125}, "train_s": 4.0, "valid_s": 0.5}),
    # Not every epoch is validated.
    ("0", {"epoch": 1, "losses": [1.5, 0.5], "valid": {}, "train_s": 4.0, "valid_s": 0.0}),
    ("0", {"epoch": 2, "losses": [1.0, 0.25], "valid": {"ndcg@10": 0.25}, "train_s": 4.0, "valid_s": 0.5}),
    ("fine", {"epoch": 0, "losses": [0.75], "valid": {"ndcg@10": 0.5}, "train_s": 2.0, "valid_s": 0.5}),
]


def new_record(**settings: Any) -> RunRecord:
    """As the runner makes it: nothing but what was asked for."""
    asked = {"model": "BPR", "seed": 7, "topk": [10], "eval_args": {"split": {"LS": "valid_only"}}, **settings}
    return RunRecord(RUN_ID, "experiments/quickstart/01_bpr.yaml", asked, started="2026-11-26T10:00:00")


def play(
    tracker: Tracker, record: RunRecord, log_dir: Path, status: Status = "done", first: int = 0, last: int = 4
) -> None:
    """Tell the tracker the whole run, or some of its epochs."""
    tracker.start(record, log_dir)
    record.environment = {"git_commit": "abc123"}
    record.stages["0"] = {"transferred": True, "loss_name": "rmse", "lineage": ["0"]}
    record.stages["fine"] = {"transferred": False, "lineage": ["0", "fine"]}
    for stage, facts in EPOCHS[first:last]:
        tracker.epoch(record, stage, facts)
    record.status = status
    if status == "done":
        record.stages["fine"].update(best_test_res=TEST, best_epoch=0, tested_in_step=7)
    tracker.end(record)
