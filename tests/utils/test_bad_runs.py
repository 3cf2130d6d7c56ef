"""What goes wrong while a folder runs: each fault has its position, and nothing that was found out is lost."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.workspace import TRAIN, Run, Workspace
from utils import cli
from utils.journal.records import RunRecord

ROOT = Path(__file__).parents[2]


def _fault(run: Run) -> tuple[str, str]:
    """What was said, and the line of the file that it points at; the record and the journal agree."""
    record = run.record
    assert record.status == "failed", run.console.text
    error = record.error or {}
    assert RunRecord.read(run.dir / "record.json").error == error
    with_row = [row for row in Workspace.journal(run) if row["run_id"] == record.run_id]  # type: ignore[arg-type]
    assert [(row["status"], row["error"]) for row in with_row] == [("failed", error["message"])]
    line = (run.folder / error["file"]).read_text().splitlines()[error["line"] - 1]
    assert run.console.text.count(error["message"]) == 1
    assert f"{error['file']}:{error['line']}:{error['column']}: {error['message']}" in run.console.text
    return error["message"], line


@pytest.mark.parametrize(
    ("settings", "said", "line"),
    [
        (
            {"user_inter_num_interval": "[1000,inf)"},
            "init_model: the dataset 'tiny' cannot be loaded: no interaction is left after the filters "
            "(user_inter_num_interval, val_interval, ...)",
            "- init_model",
        ),
        (
            {"add_train_split": [1, 99999]},
            "init_model: the dataset 'tiny' cannot be loaded: add_train_split [1, 99999]: "
            "part 0 of 540 train interactions is empty",
            "- init_model",
        ),
    ],
)
def test_settings_that_only_the_data_shows_to_be_wrong(
    settings: dict[str, Any], said: str, line: str, tiny: Workspace
) -> None:
    assert _fault(tiny.run(TRAIN, **settings)) == (said, line)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("u1\ti1\tfive\t7", "rating is 'five', not a number"),
        ("u1\ti1\t5\t7\tmore", "5 fields, the header has 4"),
        ("u1\ti1", "2 fields, the header has 4"),
    ],
)
def test_a_malformed_line_of_the_dataset(row: str, said: str, tiny: Workspace) -> None:
    inter = tiny.folder / "datasets" / "tiny" / "tiny.inter"
    inter.write_text(inter.read_text() + row + "\n")
    at = "init_model: the dataset 'tiny' cannot be loaded: datasets/tiny/tiny.inter, line 602: "
    assert _fault(tiny.run(TRAIN)) == (at + said, "- init_model")


def test_everything_frozen(tiny: Workspace) -> None:
    run = tiny.run(["init_model", {"set_trainable": [["*"], False]}, *TRAIN[1:]])
    message, line = _fault(run)
    assert message == "set_trainable: every parameter is frozen, there is nothing to train"
    assert line == "  - - '*'"


def test_a_loss_that_is_no_number_and_the_epochs_before_it(tiny: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from recbole.model.general_recommender import BPR

    calculate_loss, calls = BPR.calculate_loss, []

    def breaking(self: Any, interaction: Any) -> torch.Tensor:
        calls.append(1)
        # 540 interactions in batches of 256: the fourth batch opens the second epoch.
        return calculate_loss(self, interaction) * (float("nan") if len(calls) > 3 else 1)

    monkeypatch.setattr(BPR, "calculate_loss", breaking)
    run = tiny.run(TRAIN, epochs=5)
    assert _fault(run) == (
        "train: the training loss became NaN in epoch 1; a smaller learning_rate may help",
        "- train",
    )
    assert [epoch["epoch"] for epoch in run.record.stages["0"]["epochs"]] == [0]
    assert [step["command"] for step in run.record.steps] == ["init_model", "init_trainer", "train"]
    # The step that failed has no facts.
    assert "facts" not in run.record.steps[-1]


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (IndexError("list index out of range"), "IndexError: list index out of range"),
        # SASRecCPR's way to say that a setting is wrong.
        (SystemExit(0), "SystemExit: 0"),
    ],
)
def test_an_error_of_recboles_own_has_a_position_and_its_traceback_in_the_log(
    raised: BaseException, said: str, tiny: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from utils.recbole_port import session

    def broken(*args: object) -> None:
        raise raised

    monkeypatch.setattr(session, "build_model", broken)
    run = tiny.run(TRAIN)
    assert _fault(run) == (f"init_model: {said}", "- init_model")
    assert "Traceback" in run.log()
    assert "Traceback" not in run.console.text


def _full(*args: object, **options: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_is_full_when_the_checkpoint_is_written(tiny: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "save", _full)
    run = tiny.run(TRAIN)
    assert _fault(run) == ("train: [Errno 28] No space left on device", "- train")
    assert sorted(file.name for file in run.dir.iterdir()) == ["record.json", "resolved.yaml"]


def test_a_disk_that_is_full_when_the_record_is_written(tiny: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    dump, written = json.dump, []

    def full_later(*args: Any, **options: Any) -> None:
        written.append(1)
        dump(*args, **options) if len(written) == 1 else _full()

    monkeypatch.setattr(json, "dump", full_later)
    run = tiny.run(TRAIN)
    record = f"saved/{run.record.run_id}/record.json"
    assert run.record.status == "failed"
    assert run.console.lines[-2:] == [
        f"    failed: [Errno 28] No space left on device: '{record}'",
        f"    warning: the record could not be written: [Errno 28] No space left on device: '{record}'",
    ]
    # What could be kept is there: the record as it was at the start, and the journal's row.
    assert RunRecord.read(tiny.folder / record).status == "running"
    assert [row["status"] for row in tiny.journal()] == ["failed"]


def test_a_journal_that_cannot_be_written_is_said_and_the_run_is_done(tiny: Workspace) -> None:
    (tiny.folder / "journal.csv").write_bytes(b"\xff\xfe")
    run = tiny.run(["init_model"])
    assert run.record.status == "done"
    assert run.console.lines[-1].startswith("    warning: the journal could not be written: 'utf-8' codec")


def test_a_log_folder_that_is_a_file(tiny: Workspace) -> None:
    (tiny.folder / "log").write_text("")
    run = tiny.run(["init_model"])
    assert run.record.status == "failed"
    assert "log" in (run.record.error or {})["message"]
    assert RunRecord.read(run.dir / "record.json").status == "failed"


def test_one_failing_scenario_does_not_stop_the_folder(tiny: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    (tiny.folder / "exps").mkdir()
    (tiny.folder / "file").write_text("")
    tiny.write(TRAIN, "exps/1_bad", learning_rate=1e30, epochs=3)
    tiny.write(TRAIN, "exps/2_nowhere", checkpoint_dir="file/below")
    tiny.write(TRAIN, "exps/3_good", epochs=1)
    assert cli.run(["exps"], 0, [], check=False, info=False) == cli.FAILED
    shown = capsys.readouterr().out
    assert [row["config"] for row in tiny.journal("exps/journal.csv")] == [
        "1_bad.yaml",
        "2_nowhere.yaml",
        "3_good.yaml",
    ]
    assert [row["status"] for row in tiny.journal("exps/journal.csv")] == ["failed", "failed", "done"]
    line = (tiny.folder / "exps" / "2_nowhere.yaml").read_text().splitlines().index("checkpoint_dir: file/below") + 1
    assert f"failed: exps/2_nowhere.yaml:{line}:17: cannot write to file/below: Not a directory" in shown
    assert "3_good (plain)" in shown
    assert "\x1b" not in shown


def _start(tiny: Workspace, *arguments: str) -> subprocess.Popen[str]:
    """`run_exps.py` in the workspace, up to the first epoch."""
    command = [sys.executable, "-u", str(ROOT / "run_exps.py"), *arguments]
    process = subprocess.Popen(
        command,
        cwd=tiny.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # What runs in the background is started deaf to Ctrl-C, and so are its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    started = time.monotonic()
    for line in process.stdout:
        if "epoch   1" in line:
            return process
        assert time.monotonic() - started < 60, line
    raise AssertionError("it ended before the first epoch")


def _only_record(tiny: Workspace) -> RunRecord:
    (path,) = tiny.folder.glob("saved/*/record.json")
    return RunRecord.read(path)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_training_that_is_told_to_stop_is_a_cancelled_run(sent: signal.Signals, tiny: Workspace) -> None:
    tiny.write(TRAIN, epochs=1_000_000, stopping_step=1_000_000)
    process = _start(tiny, "case.yaml")
    process.send_signal(sent)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "train: cancelled by the user" in rest
    assert "case (cancelled)" in rest
    assert "Traceback" not in rest
    record = _only_record(tiny)
    assert (record.status, (record.error or {})["message"]) == ("cancelled", "train: cancelled by the user")
    assert len(record.stages["0"]["epochs"]) >= 2
    assert [row["status"] for row in tiny.journal()] == ["cancelled"]
    # The best epoch so far can be gone on from.
    assert Path(tiny.folder, record.stages["0"]["bestmodel_file"]).is_file()


def test_a_killed_run_has_a_readable_record_that_says_running(tiny: Workspace) -> None:
    tiny.write(TRAIN, epochs=1_000_000, stopping_step=1_000_000)
    process = _start(tiny, "case.yaml")
    process.kill()
    process.communicate(timeout=60)
    record = _only_record(tiny)
    assert record.status == "running"
    assert [step["command"] for step in record.steps] == ["init_model", "init_trainer", "train"]
    assert len(record.stages["0"]["epochs"]) >= 2
    assert os.listdir(tiny.folder / "log" / "BPR") == [f"{record.run_id}.log"]
