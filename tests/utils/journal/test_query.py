"""A question in one line finds the runs that meet all of it, or says what it should have been."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from utils.journal.query import QueryError, render, run_query
from utils.journal.records import RunRecord

# run id: model, learning rate, ndcg@10 (None: failed before the test), day of November
RUNS = {
    "a": ("SASRec", 0.001, 0.12, 1),
    "b": ("SASRec", 0.01, 0.08, 2),
    "c": ("NeuMF", 0.01, 0.1, 3),
    "d": ("NeuMF", 0.1, None, 4),
}


def _record(run_id: str, model: str, rate: float, ndcg: float | None, day: int) -> RunRecord:
    stage: dict[str, Any] = {
        "lineage": ["0"],
        "settings": {"learning_rate": rate, "epochs": 8, "topk": [5, 10], "save": True, "note": "two words"},
        "best_val_res": {"ndcg@10": rate * 2},
    }
    if ndcg is not None:
        stage["best_test_res"] = {"recall@10": ndcg * 2, "ndcg@10": ndcg}
    return RunRecord(
        run_id,
        f"experiments/quickstart/0{day}_{model.lower()}.yaml",
        {"model": model, "dataset": "ml-100k", "seed": 2020 + day, "threshold": None},
        status="failed" if ndcg is None else "done",
        started=f"2026-11-0{day}T10:30:00",
        stages={"0": stage},
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    for run_id, run in RUNS.items():
        (folder / run_id).mkdir()
        _record(run_id, *run).write(folder / run_id)
    return folder


def _refusal(saved: Path, text: str) -> str:
    with pytest.raises(QueryError) as caught:
        run_query(saved, text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "dcba"),
        ("model=SASRec", "ba"),
        ("model=sasrec", "ba"),
        ("MODEL=SASRec", "ba"),
        ("model!=SASRec", "dc"),
        ("ndcg@10>0.1", "a"),
        ("ndcg@10>=0.1", "ca"),
        ("NDCG@10<1e-1", "b"),
        ("ndcg@10<=.1", "cb"),
        # d has no result, and so none that equals 0.1.
        ("ndcg@10!=0.1", "dba"),
        ("learning_rate=0.010", "cb"),
        ("valid:ndcg@10<=0.02", "cba"),
        ("scenario~QUICKSTART", "dcba"),
        ("scenario~_neumf", "dc"),
        ("seed~202", "dcba"),
        ("run_id=a", "a"),
        ("topk=[5,10] save=True", "dcba"),
        ("threshold=null", "dcba"),
        ("note='two words'", "dcba"),
        ('note="two words" model=NeuMF', "dc"),
        ("note~words epochs=8", "dcba"),
        ("model=SASRec ndcg@10>0.1 learning_rate<=0.01 status!=failed scenario~quickstart", "a"),
        # A day is all of its hours.
        ("started=2026-11-02", "b"),
        ("started!=2026-11-02", "dca"),
        ("started>2026-11-02", "dc"),
        ("started<=2026-11-02", "ba"),
        ("started>='2026-11-02 11:00'", "dc"),
        ("started>=2026-11", "dcba"),
        ("started~-02T", "b"),
    ],
)
def test_all_conditions_hold_and_the_newest_run_comes_first(saved: Path, text: str, found: str) -> None:
    rows = run_query(saved, text)
    assert "".join(row.run_id for row in rows) == found
    assert rows.total == len(RUNS)


def test_text_is_never_sql(saved: Path) -> None:
    rows = run_query(saved, "model=\"x' OR '1'='1\" status~%")
    assert (len(rows), rows.total) == (0, 4)


def test_the_table_shows_test_metrics_and_what_was_asked_for(saved: Path) -> None:
    assert render(run_query(saved, "learning_rate>=0.01 model=NeuMF scenario~quick")).splitlines() == [
        "run_id  model  scenario  seed  status              started  recall@10  ndcg@10  learning_rate",
        "------  -----  --------  ----  ------  -------------------  ---------  -------  -------------",
        "d       NeuMF  04_neumf  2024  failed  2026-11-04T10:30:00          -        -            0.1",
        "c       NeuMF  03_neumf  2023    done  2026-11-03T10:30:00     0.2000   0.1000           0.01",
        "2 of 4 runs",
    ]


def test_a_value_that_a_run_lacks_is_a_dash(saved: Path) -> None:
    [row] = run_query(saved, "ndcg@10!=0.1 model=NeuMF")
    assert row.asked == {"ndcg@10": None, "model": "NeuMF"}
    assert row.metrics == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("model=SASRek", "model=SASRek: no run has that; did you mean 'SASRec'?"),
        ("model=xyz", "model=xyz: no run has that; there are NeuMF, SASRec"),
        ("scenario~quikstart", "scenario~quikstart: no run has that; did you mean 'quickstart'?"),
        ("ndcg@10>0.5", "ndcg@10>0.5: no run has that; the largest is 0.12"),
        ("learning_rate<0.001", "learning_rate<0.001: no run has that; the smallest is 0.001"),
        ("learning_rate=0.02", "learning_rate=0.02: no run has that; the nearest is 0.01"),
        ("started>2027", "started>2027: no run has that; the largest is 2026-11-04T10:30:00"),
        ("epochs!=8", "epochs!=8: all runs have that"),
        ("model=SASRec seed=2023", "no run meets all of these: model=SASRec by 2, seed=2023 by 1"),
        ("model=SASRec ndcg@10>1", "ndcg@10>1: no run has that; the largest is 0.12"),
    ],
)
def test_an_empty_result_says_what_there_is_instead(saved: Path, text: str, why: str) -> None:
    assert render(run_query(saved, text)).splitlines() == [why, "0 of 4 runs"]


def test_no_runs_at_all_is_no_fault_of_the_query(tmp_path: Path) -> None:
    assert render(run_query(tmp_path / "saved", "model=x")).splitlines() == ["there are no runs yet", "0 of 0 runs"]


def test_records_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    for run_id in ("a", "b"):
        (tmp_path / run_id).mkdir()
        _record(run_id, *RUNS[run_id]).write(tmp_path / run_id)
    (tmp_path / "b" / "record.json").write_text("{")
    *_, note, count = render(run_query(tmp_path, "")).splitlines()
    assert note.startswith(f"{tmp_path / 'b' / 'record.json'} cannot be read: JSONDecodeError: Expecting property name")
    assert count == "1 of 1 run"


def test_all_problems_are_shown_at_once_and_each_at_its_place(saved: Path) -> None:
    assert _refusal(saved, "nddg@10>0.1 epochs seed=abc").splitlines() == [
        "query:1:1: no run has the name 'nddg@10'; did you mean 'ndcg@10'?",
        "     1 | nddg@10>0.1 epochs seed=abc",
        "       | ^",
        "query:1:13: got 'epochs' without an operator; accepted: NAME, one of = != < <= > >= ~, and VALUE, "
        "without spaces between them",
        "     1 | nddg@10>0.1 epochs seed=abc",
        "       |             ^",
        "query:1:25: got 'abc'; 'seed' is a number",
        "     1 | nddg@10>0.1 epochs seed=abc",
        "       |                         ^",
        "3 problems",
    ]


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        (">0.1", 1, "got '>0.1' without a name; accepted: NAME, one of = != < <= > >= ~, and VALUE, without spaces"),
        ("model==BPR", 6, "got the operator '=='; accepted: = != < <= > >= ~"),
        ("ndcg@10=>1", 8, "got the operator '=>'; accepted: = != < <= > >= ~"),
        ("model= seed=2021", 7, "got 'model=' without a value; accepted: a number or text, in quotes where it holds"),
        ("ndcg@10 > 0.1", 1, "got 'ndcg@10 > 0.1'; accepted: ndcg@10>0.1, without spaces"),
        ("seed=2021 note= 'two words'", 11, "got 'note= 'two words''; accepted: note='two words', without spaces"),
        ("note='two words", 6, "got 'two words; accepted: text in quotes that are closed before a space"),
        ("note='two'words seed=1", 6, "got 'two'words seed=1; accepted: text in quotes that are closed"),
        ("zzz=1", 1, "no run has the name 'zzz'; accepted: a field such as model, status or started, a setting, or"),
        ("model>3", 7, "'model' is text; accepted with it: = != ~"),
        ("learning_rate<=small", 16, "got 'small'; accepted after <=: a number"),
        ("ndcg@10!=good", 10, "got 'good'; 'ndcg@10' is a number"),
        ("started>yesterday", 9, "got 'yesterday'; accepted: a time such as 2026-11-26 or 2026-11-26T10:30"),
    ],
)
def test_what_is_no_condition_is_refused_with_what_would_be_one(
    saved: Path, text: str, column: int, message: str
) -> None:
    head, line, caret = _refusal(saved, text).splitlines()
    assert head.startswith(f"query:1:{column}: {message}")
    assert line == f"     1 | {text}"
    assert caret == f"       | {' ' * (column - 1)}^"


def test_a_line_break_is_a_space(saved: Path) -> None:
    assert [row.run_id for row in run_query(saved, "model=SASRec\n  seed=2021")] == ["a"]
