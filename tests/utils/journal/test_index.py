"""The index is a view of the records: it follows them, and can always be made anew."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from utils.journal import index
from utils.journal.index import INDEX_NAME, Fact, ask, facts_of, flat, refresh
from utils.journal.records import RunRecord


def _record(run_id: str, ndcg: float = 0.25, **changes: Any) -> RunRecord:
    stage = {
        "lineage": ["0"],
        "settings": {"learning_rate": 0.001, "topk": [5, 10], "eval_args": {"split": {"LS": "valid_only"}}},
        "best_val_res": {"ndcg@10": 0.5},
        "best_test_res": {"recall@10": 0.75, "ndcg@10": ndcg},
    }
    fixed = {
        "status": "done",
        "started": "2026-11-26T10:00:00",
        "seconds": 1.5,
        "environment": {"git_commit": "abc", "threads": 2, "packages": {"torch": "2.6"}},
        "stages": {"0": stage},
    }
    settings = {"model": "BPR", "dataset": "tiny", "seed": 7, "threads": None}
    return RunRecord(run_id, "x/case.yaml", settings, **{**fixed, **changes})


def _write(saved: Path, record: RunRecord) -> Path:
    (saved / record.run_id).mkdir(parents=True, exist_ok=True)
    return record.write(saved / record.run_id)


def _column(saved: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(saved / INDEX_NAME)) as connection:
        return [value for (value,) in connection.execute(sql)]


def _ndcg(saved: Path) -> list[float]:
    return _column(saved, "SELECT number FROM facts WHERE name = 'ndcg@10' ORDER BY run_id")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Sequence[str]:
    """The runs whose records were read, in order."""
    names: list[str] = []
    read = RunRecord.read

    def counted(path: Path) -> RunRecord:
        names.append(path.parent.name)
        return read(path)

    monkeypatch.setattr(index.RunRecord, "read", counted)
    return names


def test_a_run_has_a_row_and_its_facts(tmp_path: Path) -> None:
    record = _write(tmp_path, _record("r1"))
    assert refresh(tmp_path) == []
    with closing(sqlite3.connect(tmp_path / INDEX_NAME)) as connection:
        runs = connection.execute("SELECT * FROM runs").fetchall()
        wanted = ("run_id", "ndcg@10", "valid:ndcg@10", "learning_rate", "topk", "eval_args.split.LS", "threads")
        facts = {
            row[0]: row[1:]
            for row in connection.execute("SELECT name, kind, number, text FROM facts WHERE run_id = 'r1'")
        }
    stat = record.stat()
    where = ("r1", "r1/record.json", stat.st_mtime_ns, stat.st_size)
    assert runs == [(*where, "BPR", "tiny", "x/case.yaml", 7, "done", "2026-11-26T10:00:00", None, 1.5)]
    assert {name: facts[name] for name in wanted} == {
        "run_id": ("field", None, "r1"),
        "ndcg@10": ("metric", 0.25, "0.25"),
        "valid:ndcg@10": ("metric", 0.5, "0.5"),
        "learning_rate": ("setting", 0.001, "0.001"),
        "topk": ("setting", None, "[5, 10]"),
        "eval_args.split.LS": ("setting", None, "valid_only"),
        # What was, not what was wished for.
        "threads": ("field", 2, "2"),
    }


def test_the_best_validation_is_that_of_the_last_trained_stage_and_the_test_that_of_the_outcome() -> None:
    stages = {
        "0": {"lineage": ["0"], "settings": {"epochs": 1}, "best_val_res": {"ndcg@10": 0.1}},
        "1": {"lineage": ["0", "1"], "settings": {"epochs": 2}, "best_val_res": {"ndcg@10": 0.2}},
        # Loaded and only tested.
        "2": {"lineage": [], "best_test_res": {"ndcg@10": 0.3}},
    }
    facts = facts_of(_record("r1", stages=stages))
    assert facts["valid:ndcg@10"] == Fact("metric", 0.2)
    assert facts["ndcg@10"] == Fact("metric", 0.3)
    assert facts["epochs"] == Fact("setting", 2)


def test_a_run_that_never_trained_has_the_settings_of_its_scenario_and_no_metrics() -> None:
    facts = facts_of(_record("r1", stages={}, status="failed", error={"message": "no file"}))
    assert facts["error"] == Fact("field", "no file")
    assert facts["seed"] == Fact("field", 7)
    assert not [name for name, fact in facts.items() if fact.kind == "metric"]


def test_cost_search_and_origin_are_fields() -> None:
    record = _record("r1", cost={"cpu_s": 2.5, "energy_j": None}, search={"trial": 3}, variant="f00", rerun_of="r0")
    record.dataset = {"name": "tiny", "users": 30, "files": {"inter": "5e1f"}}
    facts = facts_of(record)
    asked = {
        "cost.cpu_s": 2.5,
        "search.trial": 3,
        "variant": "f00",
        "rerun_of": "r0",
        "dataset.users": 30,
        "dataset.files.inter": "5e1f",
    }
    assert {name: facts[name] for name in asked} == {name: Fact("field", value) for name, value in asked.items()}
    assert "cost.energy_j" not in facts


def test_nested_settings_are_dotted_and_lists_are_json() -> None:
    nested = {"a": {"b": {"c": 1}, "d": None}, "e": [1, "x"], "f": True, "g": {}}
    assert flat(nested) == {"a.b.c": 1, "a.d": None, "e": '[1, "x"]', "f": True, "g": "{}"}


def test_a_record_is_read_once(tmp_path: Path, reads: Sequence[str]) -> None:
    for name in ("r1", "r2"):
        _write(tmp_path, _record(name))
    refresh(tmp_path)
    assert reads == ["r1", "r2"]
    refresh(tmp_path)
    assert reads == ["r1", "r2"]


def test_a_changed_record_is_read_again_and_no_other(tmp_path: Path, reads: Sequence[str]) -> None:
    for name in ("r1", "r2"):
        _write(tmp_path, _record(name))
    refresh(tmp_path)
    _write(tmp_path, _record("r2", ndcg=0.125))
    refresh(tmp_path)
    assert reads == ["r1", "r2", "r2"]
    assert _ndcg(tmp_path) == [0.25, 0.125]


def test_a_removed_run_leaves_the_index(tmp_path: Path) -> None:
    _write(tmp_path, _record("r1"))
    gone = _write(tmp_path, _record("r2"))
    refresh(tmp_path)
    gone.unlink()
    refresh(tmp_path)
    assert _column(tmp_path, "SELECT run_id FROM runs") == ["r1"]
    assert _column(tmp_path, "SELECT DISTINCT run_id FROM facts") == ["r1"]


def test_a_copied_folder_is_a_run_of_its_own(tmp_path: Path) -> None:
    original = _write(tmp_path, _record("r1"))
    (tmp_path / "r1-copy").mkdir()
    (tmp_path / "r1-copy" / "record.json").write_bytes(original.read_bytes())
    refresh(tmp_path)
    assert _column(tmp_path, "SELECT run_id FROM runs ORDER BY run_id") == ["r1", "r1-copy"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"run_id": "r2", "sta', "JSONDecodeError: Unterminated string"),
        ("", "JSONDecodeError: Expecting value"),
        ("[]", "TypeError"),
        ('{"run_id": "r2", "scenario": "x", "settings": {}, "stages": 3}', "AttributeError"),
        ('{"run_id": "r2", "scenario": "x", "settings": {"k": 1e400, "n": ' + "9" * 400 + "}}", "OverflowError"),
    ],
)
def test_a_record_that_cannot_be_read_is_told_and_nothing_else_is_lost(tmp_path: Path, text: str, told: str) -> None:
    _write(tmp_path, _record("r1"))
    bad = _write(tmp_path, _record("r2"))
    refresh(tmp_path)
    bad.write_text(text)
    _write(tmp_path, _record("r3"))
    [(path, message)] = refresh(tmp_path)
    assert path == bad
    assert message.startswith(told)
    assert _column(tmp_path, "SELECT run_id FROM runs ORDER BY run_id") == ["r1", "r3"]
    # Told again as long as it is so, and taken in once it is mended.
    assert [path for path, _ in refresh(tmp_path)] == [bad]
    _write(tmp_path, _record("r2"))
    assert refresh(tmp_path) == []
    assert _column(tmp_path, "SELECT count(*) FROM runs") == [3]


def test_half_a_surrogate_pair_and_numbers_beyond_64_bits_are_taken_in(tmp_path: Path) -> None:
    path = _write(tmp_path, _record("r1"))
    path.write_text('{"run_id": "r1", "scenario": "\\ud800", "settings": {"seed": 36893488147419103232}}')
    assert refresh(tmp_path) == []
    # 36893488147419103232 is 2 to the 65th.
    assert _column(tmp_path, "SELECT seed FROM runs") == [2.0**65]
    assert _column(tmp_path, "SELECT scenario FROM runs") == ["?"]


@pytest.mark.parametrize("damage", ["overwritten", "cut", "a page lost", "another program's"])
def test_a_damaged_index_is_built_anew(tmp_path: Path, damage: str) -> None:
    for number in range(20):
        _write(tmp_path, _record(f"r{number:02}"))
    refresh(tmp_path)
    file = tmp_path / INDEX_NAME
    whole = file.read_bytes()
    if damage == "overwritten":
        file.write_text("no database at all, but long enough to be taken for one" * 40)
    elif damage == "cut":
        file.write_bytes(whole[: len(whole) // 2])
    elif damage == "a page lost":
        # SQLite's pages are 4096 bytes; the last one holds facts.
        file.write_bytes(whole[:-4096] + bytes(4096))
    else:
        file.unlink()
        with closing(sqlite3.connect(file)) as other:
            other.execute("CREATE TABLE runs (speed)")
    assert refresh(tmp_path) == []
    assert _ndcg(tmp_path) == [0.25] * 20


def test_an_index_of_an_earlier_version_is_built_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reads: Sequence[str]
) -> None:
    _write(tmp_path, _record("r1"))
    refresh(tmp_path)
    monkeypatch.setattr(index, "_VERSION", index._VERSION + 1)
    refresh(tmp_path)
    assert reads == ["r1", "r1"]
    assert _ndcg(tmp_path) == [0.25]


def test_an_interrupted_refresh_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(tmp_path, _record("r1"))
    refresh(tmp_path)
    for name in ("r1", "r2"):
        _write(tmp_path, _record(name, ndcg=0.125))

    def stopped(path: Path) -> RunRecord:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(index.RunRecord, "read", stopped)
        with pytest.raises(KeyboardInterrupt):
            refresh(tmp_path)
    assert _ndcg(tmp_path) == [0.25]
    refresh(tmp_path)
    assert _ndcg(tmp_path) == [0.125, 0.125]


def test_many_may_refresh_at_once(tmp_path: Path) -> None:
    for number in range(30):
        _write(tmp_path, _record(f"r{number:02}"))
    results: list[object] = []
    threads = [threading.Thread(target=lambda: results.append(refresh(tmp_path))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[]] * 6
    assert _ndcg(tmp_path) == [0.25] * 30


def test_without_a_folder_there_are_no_runs_and_none_is_made(tmp_path: Path) -> None:
    count, unreadable = ask(tmp_path / "saved", lambda runs: runs.execute("SELECT count(*) FROM runs").fetchone()[0])
    assert (count, unreadable) == (0, [])
    assert list(tmp_path.iterdir()) == []
