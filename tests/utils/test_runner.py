"""The loop leaves a record, a journal row and a log, and the process as it was."""

from __future__ import annotations

import json
import logging
import os
import shutil
import threading
from pathlib import Path

import pytest
import torch

from tests.workspace import SASREC, TRAIN, USERS, Run, Workspace, metrics
from utils.journal.records import RunRecord
from utils.scenario import plan, source


@pytest.fixture(scope="module")
def done(workspace: Workspace) -> Run:
    return workspace.run(TRAIN, "done", epochs=1)


def test_the_record_on_disk_is_the_one_returned(done: Run) -> None:
    assert RunRecord.read(done.dir / "record.json") == done.record
    assert done.record.status == "done"
    assert [step["command"] for step in done.record.steps] == TRAIN
    counted = {name: done.record.dataset[name] for name in ("name", "users", "items", "interactions")}
    assert counted == {"name": "tiny", "users": 30, "items": 40, "interactions": 600}
    assert done.record.settings["seed"] == 7
    assert done.record.started <= (done.record.ended or "")
    assert (done.record.seconds or 0) >= sum(step["seconds"] for step in done.record.steps) - 0.1


def test_beside_it_lie_the_checkpoint_and_the_resolved_scenario(done: Run) -> None:
    left = ["model.pth", "per_user_0.parquet", "record.json", "resolved.yaml"]
    assert sorted(file.name for file in done.dir.iterdir()) == left
    assert torch.load(done.dir / "model.pth", weights_only=True)["config"]["model"] == "BPR"


def test_the_journal_row_is_a_view_of_the_record(done: Run, workspace: Workspace) -> None:
    row = next(row for row in workspace.journal() if row["run_id"] == done.record.run_id)
    assert (row["config"], row["status"], row["seed"], row["user_num"]) == ("done.yaml", "done", "7", "30")
    assert json.loads(row["train_0:best_test_res"]) == metrics(done.record)


def test_the_log_is_this_runs_own(done: Run, workspace: Workspace) -> None:
    other, third = (workspace.run(TRAIN, name, epochs=1) for name in ("other", "third"))
    assert "epoch 0 training" in done.log()
    assert "\x1b" not in done.log()
    assert other.record.run_id not in done.log()
    assert len(third.log().splitlines()) == len(other.log().splitlines())


def test_the_resolved_scenario_runs_and_gives_the_same_numbers(workspace: Workspace) -> None:
    workspace.save_vectors("u.pt", USERS)
    steps = [
        {"set": {"train_part": 1}},
        {"set_config": {"epochs": 1}},
        {"print": "x"},
        "init_model",
        {"wrap_model": {"distil_loss": "mse", "users_emb_file": "u.pt"}},
        {"set_outputs": ["user_embedding"]},
        {"set_trainable": [["item_embedding"], False]},
        {"set_train_dataset": 0},
        *TRAIN[1:],
    ]
    first = workspace.run(steps, "first")
    shutil.copy(first.dir / "resolved.yaml", workspace.folder / "resolved.yaml")
    again = workspace.run_file(workspace.folder / "resolved.yaml")
    assert again.record.status == "done", again.console.text
    assert metrics(again.record) == metrics(first.record)
    assert again.record.stages["1"]["set_outputs"] == ["user_embedding"]


def test_the_process_is_as_it_was(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    before = (torch.get_num_threads(), dict(os.environ), logging.getLogger().handlers[:], set(threading.enumerate()))
    # Another number than there is, and none that the machine has not.
    others = 1 if before[0] > 1 else 2
    for extra in ({}, {"gpu_id": "2"}):
        workspace.run(TRAIN, "tidy", epochs=1, **{"threads": others, **extra})
        after = (torch.get_num_threads(), dict(os.environ), logging.getLogger().handlers[:], set(threading.enumerate()))
        assert after == before


def test_threads_are_those_of_the_scenario_while_it_runs(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from utils.recbole_port import session

    seen: list[int] = []
    build = session.build_model
    monkeypatch.setattr(session, "build_model", lambda *args: seen.append(torch.get_num_threads()) or build(*args))
    monkeypatch.setattr("utils.scenario.settings_fit.available_cores", lambda: 4)
    workspace.run(["init_model"], "threads", threads=3)
    assert seen == [3]


def test_two_datasets_in_one_process_do_not_mix(tiny: Workspace) -> None:
    folder = tiny.folder / "datasets"
    shutil.copytree(folder / "tiny", folder / "small")
    for file in (folder / "small").iterdir():
        file.rename(file.with_name(file.name.replace("tiny", "small")))
    inter = folder / "small" / "small.inter"
    inter.write_text("\n".join(inter.read_text().splitlines()[:201]) + "\n")
    runs = [
        tiny.run(TRAIN, "mix", epochs=1, dataset=name, **model)
        for name in ("tiny", "small", "tiny")
        for model in ({}, SASREC)
    ]
    # The first 200 interactions are those of 10 users.
    assert [run.record.dataset["users"] for run in runs] == [30, 30, 10, 10, 30, 30]
    assert metrics(runs[0].record) == metrics(runs[4].record)
    assert metrics(runs[1].record) == metrics(runs[5].record)


def test_tokens_may_have_spaces(tiny: Workspace) -> None:
    folder = tiny.folder / "datasets" / "tiny"
    for file in folder.iterdir():
        file.write_text(file.read_text().replace("u7\t", "user number 7\t").replace("i3\t", "The Third (1999)\t"))
    tiny.save_vectors("u.pt", [*USERS[:6], "user number 7", *USERS[7:]])
    steps = ["init_model", {"wrap_model": {"distil_loss": "mse", "users_emb_file": "u.pt"}}, "save_datasets"]
    run = tiny.run(steps, "spaces")
    assert run.facts("wrap_model")["coverage"] == {"users": "30 of 30 users"}
    assert "user number 7\t" in (tiny.folder / "spaces.train.tsv").read_text()


def test_names_and_paths_are_the_users(tiny: Workspace) -> None:
    (tiny.folder / "sub").mkdir()
    path = tiny.write(["init_model"], "sub/named", journal_name="mine.csv", checkpoint_dir="results/x")
    run = tiny.run_file(path)
    assert (tiny.folder / "results" / "x" / run.record.run_id / "record.json").is_file()
    assert [row["subdir"] for row in tiny.journal("sub/mine.csv")] == ["sub"]


def test_data_may_lie_anywhere(tiny: Workspace, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shutil.move(tiny.folder / "datasets", elsewhere / "datasets")
    run = tiny.run(TRAIN, "far", data_path=str(elsewhere / "datasets"), epochs=1)
    assert run.record.status == "done", run.console.text


def test_the_record_is_written_after_each_step(tiny: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from utils.commands.print import Print

    seen: list[RunRecord] = []

    def look(self: Print, ctx: object) -> None:
        (record,) = Path("saved").glob("*/record.json")
        seen.append(RunRecord.read(record))
        raise KeyboardInterrupt

    monkeypatch.setattr(Print, "run", look)
    with pytest.raises(KeyboardInterrupt):
        tiny.run(["init_model", {"print": "x"}], "watched")
    assert (seen[0].status, [step["command"] for step in seen[0].steps]) == ("running", ["init_model", "print"])
    assert seen[0].environment["packages"]["recbole"] == "1.2.1"
    (path,) = Path("saved").glob("*/record.json")
    after = RunRecord.read(path)
    assert after.status == "cancelled"
    assert after.error is not None
    assert (after.error["message"], after.error["command"]) == ("print: cancelled by the user", "print")
    assert [row["status"] for row in tiny.journal()] == ["cancelled"]


def test_a_plan_may_be_run_twice(tiny: Workspace) -> None:
    from tests.workspace import Lines
    from utils.runner import run_plan

    checked = plan.build(source.read(tiny.write(TRAIN, epochs=1).relative_to(tiny.folder)))
    before = json.dumps(checked.settings)
    first, second = (run_plan(checked, Lines()) for _ in range(2))
    assert metrics(first) == metrics(second)
    assert json.dumps(checked.settings) == before
