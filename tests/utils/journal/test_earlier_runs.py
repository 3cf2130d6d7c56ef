"""Which earlier run of a scenario is found, and that a run has one process at a time."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import pytest

from utils.journal.earlier_runs import StillRunning, held, newest, seconds_so_far
from utils.journal.records import RunRecord


def _run(saved: Path, run_id: str, started: str, resolved: str = "a: 1\n", scenario: str = "one.yaml") -> Path:
    folder = saved / run_id
    folder.mkdir(parents=True)
    (folder / "resolved.yaml").write_text(resolved, "utf-8")
    RunRecord(run_id, scenario, {}, started=started).write(folder)
    return folder


def _found(saved: Path, resolved: str = "a: 1\n", model: str = "NeuMF") -> str | None:
    found = newest(saved, model, Path("one.yaml"), resolved)
    return found[0].run_id if found else None


def test_the_newest_run_is_found(tmp_path: Path) -> None:
    _run(tmp_path, "NeuMF-b", "2026-01-01T10:00:00")
    _run(tmp_path, "NeuMF-a", "2026-01-02T10:00:00")
    _run(tmp_path, "NeuMF-c", "2025-12-31T10:00:00")
    assert _found(tmp_path) == "NeuMF-a"


def test_of_two_that_began_in_one_second_the_one_that_wrote_last_is_found(tmp_path: Path) -> None:
    for number, run_id in enumerate(("NeuMF-b", "NeuMF-a")):
        record = _run(tmp_path, run_id, "2026-01-01T10:00:00") / "record.json"
        os.utime(record, (1000 + number, 1000 + number))
    assert _found(tmp_path) == "NeuMF-a"


def test_runs_of_other_settings_scenarios_or_models_are_not_found(tmp_path: Path) -> None:
    _run(tmp_path, "NeuMF-a", "2026-01-01T10:00:00", resolved="a: 2\n")
    _run(tmp_path, "NeuMF-b", "2026-01-01T10:00:00", scenario="two.yaml")
    _run(tmp_path, "BPR-c", "2026-01-01T10:00:00")
    assert _found(tmp_path) is None
    assert _found(tmp_path, resolved="a: 2\n") == "NeuMF-a"


def test_a_scenario_is_the_same_by_its_place_not_by_how_it_is_written(tmp_path: Path) -> None:
    _run(tmp_path, "NeuMF-a", "2026-01-01T10:00:00", scenario=str(Path("one.yaml").absolute()))
    assert _found(tmp_path) == "NeuMF-a"


@pytest.mark.parametrize("spoil", ["record.json", "resolved.yaml"])
def test_a_run_killed_before_it_had_a_record_is_passed_over(spoil: str, tmp_path: Path) -> None:
    _run(tmp_path, "NeuMF-a", "2026-01-01T10:00:00")
    (_run(tmp_path, "NeuMF-b", "2026-01-02T10:00:00") / spoil).write_text("{", "utf-8")
    (tmp_path / "NeuMF-c").mkdir()
    assert _found(tmp_path) == "NeuMF-a"
    assert _found(tmp_path / "nowhere") is None


def test_a_run_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    said = f"not resumed: another process is running {tmp_path}"
    with held(tmp_path), pytest.raises(StillRunning, match=said), held(tmp_path):
        pass
    with held(tmp_path):
        pass


def test_the_seconds_of_a_killed_process_are_those_until_its_last_record(tmp_path: Path) -> None:
    folder = _run(tmp_path, "NeuMF-a", "2026-01-01T10:00:00")
    began = datetime.datetime(2026, 1, 1, 10).timestamp()
    os.utime(folder / "record.json", (began + 90, began + 90))
    record = RunRecord.read(folder / "record.json")
    assert seconds_so_far(record, folder) == 90
    record.resumed = [{"at": "2026-01-01T10:01:00"}]
    assert seconds_so_far(record, folder) == 30
    record.seconds = 5.5
    assert seconds_so_far(record, folder) == 5.5
