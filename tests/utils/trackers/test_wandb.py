"""The real W&B, offline: what it would send lies in a file."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.utils.trackers.one_run import RUN_ID, new_record, play
from utils.journal.records import Status
from utils.trackers.wandb import WandB

NO_REPORTS = ("WANDB_ERROR_REPORTING", "false")

with pytest.MonkeyPatch.context() as environment:
    environment.setenv(*NO_REPORTS)
    wandb = pytest.importorskip("wandb")

# The file is a LevelDB log: blocks of 32 KiB with a head of 7 bytes, then records of checksum, length and kind.
_BLOCK, _HEAD = 32768, 7
_WHOLE, _LAST = 1, 4


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    for name, value in {"MODE": "offline", "SILENT": "true"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    monkeypatch.setenv(*NO_REPORTS)
    for name in ("WANDB_DIR", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for folder in ("CACHE", "CONFIG", "DATA"):
        monkeypatch.setenv(f"WANDB_{folder}_DIR", str(tmp_path / folder.lower()))
    # It reads the environment once.
    wandb.teardown()
    yield
    wandb.teardown()


def _written(folder: Path) -> dict[str, list[Any]]:
    """What was written of each kind, in order."""
    from wandb.proto.wandb_internal_pb2 import Record

    # Its own process is the one that writes, and ends here.
    wandb.teardown()
    [file] = folder.glob("wandb/offline-run-*/*.wandb")
    data, at, parts = file.read_bytes(), _HEAD, b""
    found: dict[str, list[Any]] = {}
    while at + _HEAD <= len(data):
        left = _BLOCK - at % _BLOCK
        if left < _HEAD:
            at += left
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        parts += data[at + _HEAD : at + _HEAD + length]
        at += _HEAD + length
        if kind in (_WHOLE, _LAST):
            record = Record.FromString(parts)
            name = record.WhichOneof("record_type")
            found.setdefault(name, []).append(getattr(record, name))
            parts = b""
    return found


def _values(items: Any) -> dict[str, Any]:
    pairs = ((item.key or "/".join(item.nested_key), json.loads(item.value_json)) for item in items)
    return {name: value for name, value in pairs if not name.startswith("_")}


def test_a_run_has_its_name_and_its_settings(tmp_path: Path) -> None:
    play(WandB(), new_record(), tmp_path / "log")
    run = _written(tmp_path / "log")["run"][0]
    assert (run.project, run.run_id, run.display_name) == ("recbridge", RUN_ID, RUN_ID)
    assert _values(run.config.update) == {
        "model": "BPR",
        "seed": 7,
        "topk": "[10]",
        "eval_args.split.LS": "valid_only",
        "scenario": "experiments/quickstart/01_bpr.yaml",
    }


def test_the_project_is_a_setting(tmp_path: Path) -> None:
    play(WandB(), new_record(wandb_project="mine"), tmp_path / "log")
    assert _written(tmp_path / "log")["run"][0].project == "mine"


def test_curves_run_along_the_epochs_of_their_stage(tmp_path: Path) -> None:
    play(WandB(), new_record(), tmp_path / "log")
    written = _written(tmp_path / "log")
    history = [_values(row.item) for row in written["history"]]
    assert [row.get("valid/ndcg@10") for row in history] == [0.125, None, 0.25, None]
    assert [row.get("loss/transfer") for row in history] == [1.0, 0.5, 0.25, None]
    assert [row.get("epoch") for row in history] == [0, 1, 2, None]
    assert history[3] == {
        "fine/epoch": 0,
        "fine/loss/model": 0.75,
        "fine/valid/ndcg@10": 0.5,
        "fine/seconds/train": 2.0,
        "fine/seconds/valid": 0.5,
    }
    axes = {metric.name: metric.step_metric for metric in written["metric"] if metric.step_metric}
    assert axes["valid/ndcg@10"] == "epoch"
    assert axes["fine/valid/ndcg@10"] == "fine/epoch"


@pytest.mark.parametrize(("status", "code"), [("done", 0), ("failed", 1), ("cancelled", 130), ("pruned", 0)])
def test_the_end_is_told_as_an_exit_code_and_a_test_as_a_summary(tmp_path: Path, status: Status, code: int) -> None:
    play(WandB(), new_record(), tmp_path / "log", status)
    written = _written(tmp_path / "log")
    assert [end.exit_code for end in written["exit"]] == [code]
    summary = {name: value for part in written["summary"] for name, value in _values(part.update).items()}
    assert summary["status"] == status
    assert summary.get("test/ndcg@10") == (0.375 if status == "done" else None)


def test_its_files_lie_in_the_log_and_nowhere_else(tmp_path: Path) -> None:
    play(WandB(), new_record(), tmp_path / "log")
    assert [path.name for path in (tmp_path / "log").iterdir()] == ["wandb"]
    assert not (tmp_path / "wandb").exists()


def test_one_process_has_many_runs(tmp_path: Path) -> None:
    for number in range(2):
        record = new_record()
        record.run_id += str(number)
        play(WandB(), record, tmp_path / f"log{number}")
        assert _written(tmp_path / f"log{number}")["run"][0].run_id == record.run_id
