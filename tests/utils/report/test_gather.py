"""A report finds the runs of a path, and tells of what it cannot read instead of losing it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.workspace import TRAIN, Workspace
from utils.report.gather import NothingThere, gather


@pytest.fixture
def two(tiny: Workspace) -> list[str]:
    """Two scenarios in `exps`, each run once; the ids of the runs."""
    (tiny.folder / "exps").mkdir()
    return [tiny.run(TRAIN, f"exps/{name}").record.run_id for name in ("01", "02")]


def _ids(*paths: str) -> list[str]:
    return sorted(run.record.run_id for run in gather([Path(path) for path in paths]).runs)


def test_a_folder_of_scenarios_leads_to_their_runs(two: list[str]) -> None:
    assert _ids("exps") == sorted(two)


def test_a_scenario_a_run_a_record_and_the_folder_of_all_runs_do_so_too(two: list[str]) -> None:
    assert _ids("exps/02.yaml") == [two[1]]
    assert _ids(f"saved/{two[0]}") == [two[0]]
    assert _ids(f"saved/{two[0]}/record.json") == [two[0]]
    assert _ids("saved") == sorted(two)


def test_a_run_that_two_paths_lead_to_is_there_once(two: list[str]) -> None:
    assert _ids("saved", "exps", f"saved/{two[0]}") == sorted(two)


def test_half_a_record_is_told_of_and_the_others_are_there(two: list[str]) -> None:
    file = Path("saved") / two[0] / "record.json"
    file.write_text(file.read_text()[:200])
    for path in ("saved", "exps"):
        found = gather([Path(path)])
        assert [run.record.run_id for run in found.runs] == [two[1]]
        ((_, what),) = [problem for problem in found.problems if problem[0] == str(file)]
        assert "is no whole record" in what


def test_json_that_is_no_record_is_told_of(two: list[str]) -> None:
    for content in ("[]", "{}", json.dumps({"run_id": "x", "scenario": "y", "settings": {}})):
        (Path("saved") / two[0] / "record.json").write_text(content)
        found = gather([Path("saved")])
        assert [run.record.run_id for run in found.runs] == [two[1]]
        assert len(found.problems) == 1


def test_rows_of_a_journal_without_a_record_are_told_of(two: list[str]) -> None:
    journal = Path("exps/journal.csv")
    journal.write_text(journal.read_text().replace(two[0], "NeuMF-by-hand"))
    found = gather([Path("exps")])
    assert sorted(run.record.run_id for run in found.runs) == sorted(two)
    assert found.problems == [
        ("exps/journal.csv", "1 rows have no record (moved, removed, or a row was edited): NeuMF-by-hand")
    ]


def test_a_number_that_was_changed_in_a_journal_is_told_of(two: list[str]) -> None:
    journal = Path("exps/journal.csv")
    with journal.open(newline="") as file:
        header, *rows = list(csv.reader(file))
    rows[0][header.index("train_0:best_test_res")] = '{"recall@5": 0.9, "ndcg@5": 0.9}'
    with journal.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    found = gather([Path("exps")])
    assert found.problems == [
        ("exps/journal.csv", f"the test result of {two[0]} is not that of its record, which is shown")
    ]


def test_a_run_that_was_cancelled_and_went_on_is_judged_by_its_last_row(two: list[str]) -> None:
    journal = Path("exps/journal.csv")
    header, first, *others = journal.read_text().splitlines()
    cancelled = first.replace(",done,", ",cancelled,").replace("recall@5", "recall_5")
    journal.write_text("\n".join([header, cancelled, first, *others]) + "\n")
    assert gather([Path("exps")]).problems == []


def test_a_journal_that_lost_its_columns_is_told_of(two: list[str]) -> None:
    journal = Path("exps/journal.csv")
    journal.write_text(journal.read_text().replace("run_id", "who"))
    assert "no column run_id any more" in gather([Path("exps")]).problems[0][1]


def test_a_path_that_leads_to_no_run_is_an_error(tiny: Workspace) -> None:
    tiny.write(TRAIN, "case")
    with pytest.raises(NothingThere, match=r"case\.yaml: no run of it was found; run it first"):
        gather([Path("case.yaml")])
    with pytest.raises(NothingThere, match="nowhere: no such file or folder"):
        gather([Path("nowhere")])
