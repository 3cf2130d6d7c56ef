"""A run is repeated from what it left, and every number is compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.workspace import TRAIN, Lines, Workspace
from utils.journal.records import RunRecord
from utils.rerun import CannotRepeat, repeat


def test_the_numbers_of_a_repeated_run_agree(tiny: Workspace) -> None:
    run = tiny.run(TRAIN)
    console = Lines()
    assert repeat(run.record.run_id, console), console.text
    # 2 epochs with 1 loss and 2 metrics, 2 best valid and 2 test metrics.
    assert console.lines[-1] == "all 10 numbers agree"
    (again,) = [
        record
        for file in Path("saved").glob("*/record.json")
        if (record := RunRecord.read(file)).run_id != run.record.run_id
    ]
    assert again.rerun_of == run.record.run_id
    assert again.scenario == run.record.scenario
    # Its row stands in the scenario's journal.
    assert [row["run_id"] for row in tiny.journal()] == [run.record.run_id, again.run_id]


def test_a_number_that_is_not_as_it_was_is_shown_with_both_values(tiny: Workspace) -> None:
    run = tiny.run(TRAIN)
    file = run.dir / "record.json"
    record = json.loads(file.read_text())
    record["stages"]["0"]["best_test_res"]["ndcg@5"] = 0.75
    record["environment"]["packages"]["torch"] = "1.0"
    record["environment"]["threads"] = 64
    file.write_text(json.dumps(record))
    console = Lines()
    assert not repeat(str(file), console)
    assert any(line.startswith("    stage 0, test ndcg@5: was 0.75, is 0.") for line in console.lines)
    assert console.lines[-1] == "1 of 10 numbers differ"
    assert any(line.startswith("not as it was: torch was 1.0, is ") for line in console.lines)
    assert "not as it was: threads was 64, is 1" in console.lines


def test_other_data_under_the_same_name_is_said(tiny: Workspace) -> None:
    run = tiny.run(TRAIN)
    with (tiny.folder / "datasets" / "tiny" / "tiny.inter").open("a") as file:
        file.write("u1\ti2\t5\t999999\n")
    console = Lines()
    repeat(str(run.dir), console)
    assert any(line.startswith("not as it was: dataset fingerprint was ") for line in console.lines)


def test_a_run_that_is_not_there_is_named_with_the_nearest(tiny: Workspace) -> None:
    run = tiny.run(TRAIN)
    with pytest.raises(CannotRepeat, match=f"did you mean '{run.record.run_id}'"):
        repeat(run.record.run_id[:-1], Lines())


def test_half_a_record_cannot_be_repeated(tiny: Workspace) -> None:
    run = tiny.run(TRAIN)
    (run.dir / "record.json").write_text('{"run_id": "x", ')
    with pytest.raises(CannotRepeat, match="is no whole record"):
        repeat(str(run.dir), Lines())
