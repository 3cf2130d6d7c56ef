"""A record is whole JSON at any moment."""

from __future__ import annotations

import datetime
import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest

from utils.journal import records
from utils.journal.records import RunRecord, make_run_dir


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    record = RunRecord("r1", "x/case.yaml", {"model": "BPR", "topk": [5]}, status="done", stages={"0": {"k": 1.5}})
    assert RunRecord.read(record.write(tmp_path)) == record


def test_what_is_not_a_number_becomes_null_and_numpy_numbers_are_numbers(tmp_path: Path) -> None:
    stage = {"nan": float("nan"), "inf": [float("-inf")], "int": np.int64(3), "float": np.float32(0.5)}
    path = RunRecord("r1", "case.yaml", {}, stages={"0": stage}).write(tmp_path)
    assert json.loads(path.read_text())["stages"]["0"] == {"nan": None, "inf": [None], "int": 3, "float": 0.5}


def test_an_interrupted_write_leaves_the_old_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = RunRecord("r1", "case.yaml", {})
    record.write(tmp_path)

    def full(content: object, file: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(json, "dump", full)
    record.status = "done"
    with pytest.raises(OSError, match=r"No space left on device: .*record\.json'"):
        record.write(tmp_path)
    assert RunRecord.read(tmp_path / "record.json").status == "running"
    assert [file.name for file in tmp_path.iterdir()] == ["record.json"]


def test_two_runs_of_one_second_get_folders_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["aaaa", "aaaa", "bbbb"])
    monkeypatch.setattr(records.secrets, "token_hex", lambda size: next(drawn))
    now = datetime.datetime(2024, 10, 2, 22, 12, 30)
    ids = [make_run_dir(tmp_path / "saved", "NeuMF", now)[0] for _ in range(2)]
    assert ids == ["NeuMF-Oct-02-2024_22-12-30-aaaa", "NeuMF-Oct-02-2024_22-12-30-bbbb"]
    assert sorted(os.listdir(tmp_path / "saved")) == ids


def test_the_weight_is_that_of_the_last_stage_that_had_a_transfer_loss() -> None:
    stages = {
        "0": {"transferred": True, "distil_loss_weight": 0.3},
        "1": {"transferred": False, "distil_loss_weight": None},
    }
    record = RunRecord("r1", "case.yaml", {"distil_loss_weight": 0.9}, stages=stages)
    assert record.transfer_weight() == 0.3
    # A plain run has none, whatever its settings say.
    assert RunRecord("r1", "case.yaml", {"distil_loss_weight": 0.9}).transfer_weight() is None
