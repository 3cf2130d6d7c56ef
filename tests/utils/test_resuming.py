"""`--resume`: what is run again, what goes on, and what is only reported."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import run_exps
from tests.workspace import TRAIN, USERS, Workspace
from utils.journal.earlier_runs import held
from utils.journal.records import RunRecord
from utils.recbole_port import resume, training

Resumed = tuple[int, str]


@pytest.fixture
def go(tiny: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Resumed]:
    """(exit code, console) of `run_exps.py case.yaml ...` in the workspace; every epoch is kept."""
    monkeypatch.setattr(resume, "SHARE", float("inf"))

    def with_arguments(*arguments: str) -> Resumed:
        code = run_exps.main(["case.yaml", *arguments])
        return code, capsys.readouterr().out

    return with_arguments


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let the user press Ctrl-C in this epoch, once."""

    def at(epoch: int, error: BaseException | None = None) -> None:
        trained, waiting = training._Watch._trained, [True]

        def pressed(self: Any, index: int, *args: Any, **kwargs: Any) -> None:
            if index == epoch and waiting:
                waiting.clear()
                raise error or KeyboardInterrupt
            trained(self, index, *args, **kwargs)

        monkeypatch.setattr(training._Watch, "_trained", pressed)

    return at


def _records() -> list[RunRecord]:
    records = [RunRecord.read(path) for path in Path("saved").glob("*/record.json")]
    return sorted(records, key=lambda record: record.run_id)


def _numbers(record: RunRecord) -> Any:
    stage = record.stages["0"]
    epochs = [(epoch["epoch"], epoch["losses"], epoch["valid"]) for epoch in stage["epochs"]]
    return epochs, stage["best_val_score"], stage["best_epoch"], stage["best_test_res"]


def _weights(record: RunRecord) -> dict[str, torch.Tensor]:
    return torch.load(Path("saved") / record.run_id / "model.pth", weights_only=True)["state_dict"]


def test_a_done_run_is_shown_and_not_run_again(tiny: Workspace, go: Callable[..., Resumed]) -> None:
    tiny.write(TRAIN)
    _, first = go()
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    code, shown = go("--resume")
    (record,) = _records()
    assert code == 0
    assert f"    done already; record and model in saved/{record.run_id}\n" in shown
    assert shown.split("\n\n")[1] == first.split("\n\n")[1], "the same table"
    assert {path: path.stat().st_mtime_ns for path in Path().rglob("*")} == before


@pytest.mark.parametrize("save", [True, False])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("out of memory")], ids=["cancelled", "failed"])
def test_a_cancelled_or_failed_run_goes_on(
    error: BaseException, save: bool, tiny: Workspace, go: Callable[..., Resumed], interrupt: Callable[..., None]
) -> None:
    unbroken = tiny.run(TRAIN, "unbroken", epochs=4).record
    tiny.write(TRAIN, epochs=4, save=save)
    interrupt(2, error)
    assert go()[0] == 1
    broken = next(record for record in _records() if record.run_id != unbroken.run_id)
    kept = sorted(file.name for file in (Path("saved") / broken.run_id / "resume").glob("*.pth"))
    assert kept == ["training-1-best.pth", "training-1.pth"]
    code, shown = go("--resume")
    assert code == 0, shown
    assert f"        resumed {broken.run_id} at epoch 2\n" in shown
    resumed = next(record for record in _records() if record.run_id == broken.run_id)
    assert _numbers(resumed) == _numbers(unbroken)
    assert (resumed.status, resumed.error, resumed.started) == ("done", None, broken.started)
    (entry,) = resumed.resumed
    assert (entry["status_before"], entry["seconds_before"]) == (broken.status, broken.seconds)
    assert (entry["training"], entry["epoch"]) == (1, 2)
    left = sorted(file.name for file in (Path("saved") / resumed.run_id).iterdir())
    assert left == (["model.pth"] if save else []) + ["per_user_0.parquet", "record.json", "resolved.yaml"]
    if save:
        ours, theirs = _weights(resumed), _weights(unbroken)
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert [row["status"] for row in tiny.journal()] == ["done", broken.status, "done"]


def test_a_transfer_goes_on(tiny: Workspace, go: Callable[..., Resumed], interrupt: Callable[..., None]) -> None:
    tiny.save_vectors("u.pt", USERS)
    wrap = [{"wrap_model": {"distil_loss": "cosine", "users_emb_file": "u.pt"}}, {"set_outputs": ["user_embedding"]}]
    steps = ["init_model", *wrap, *TRAIN[1:]]
    unbroken = tiny.run(steps, "unbroken", epochs=4)
    tiny.write(steps, epochs=4)
    interrupt(3)
    go()
    assert go("--resume")[0] == 0
    record = next(record for record in _records() if record.resumed)
    assert record.resumed[0]["epoch"] == 3
    assert [len(epoch["losses"]) for epoch in record.stages["0"]["epochs"]] == [2, 2, 2, 2]
    assert _numbers(record) == _numbers(unbroken.record)


def test_several_losses_go_on_with_their_adapters_masks_and_schedules(
    tiny: Workspace, go: Callable[..., Resumed], interrupt: Callable[..., None]
) -> None:
    tiny.save_vectors("u6.pt", USERS, width=6)
    table = {"users_emb_file": "u6.pt", "outputs": ["user_embedding"]}
    schedule = {"schedule": "linear", "start": 0.1, "end": 1.0, "epochs": 4}
    losses = {
        "near": {"loss": "infonce", "adapter": {"teacher": "mlp"}, "weight": schedule, **table},
        "told": {
            "loss": "masked_reconstruction",
            "adapter": {"student": "linear"},
            "mask": {"users": "user_embedding", "ratio": 0.3},
            "users_emb_file": "u6.pt",
            "outputs": ["get_user_embedding"],
        },
    }
    steps = ["init_model", {"wrap_model": {"losses": losses}}, *TRAIN[1:]]
    unbroken = tiny.run(steps, "unbroken", epochs=4).record
    tiny.write(steps, epochs=4)
    interrupt(2)
    go()
    assert go("--resume")[0] == 0
    record = next(record for record in _records() if record.resumed)
    assert record.resumed[0]["epoch"] == 2
    assert _numbers(record) == _numbers(unbroken)
    assert all(torch.equal(value, _weights(unbroken)[name]) for name, value in _weights(record).items())


def test_with_other_settings_it_is_another_run(
    tiny: Workspace, go: Callable[..., Resumed], interrupt: Callable[..., None]
) -> None:
    tiny.write(TRAIN, epochs=3)
    interrupt(1)
    go()
    code, shown = go("--resume", "--set", "learning_rate=0.01")
    assert code == 0
    assert "resumed" not in shown
    assert sorted(record.status for record in _records()) == ["cancelled", "done"]


def test_without_resume_it_is_a_new_run(
    tiny: Workspace, go: Callable[..., Resumed], interrupt: Callable[..., None]
) -> None:
    tiny.write(TRAIN, epochs=3)
    interrupt(1)
    go()
    _, shown = go()
    assert "resumed" not in shown
    assert len(_records()) == 2


def test_a_scenario_that_was_never_run_is_run(tiny: Workspace, go: Callable[..., Resumed]) -> None:
    tiny.write(TRAIN, epochs=1)
    code, shown = go("--resume")
    assert code == 0
    assert "resumed" not in shown
    assert _records()[0].resumed == []


def test_a_run_that_another_process_works_at_is_left_alone(
    tiny: Workspace, go: Callable[..., Resumed], interrupt: Callable[..., None]
) -> None:
    tiny.write(TRAIN, epochs=3)
    interrupt(1)
    go()
    (record,) = _records()
    with held(Path("saved") / record.run_id):
        code, shown = go("--resume")
    assert code == 1
    assert f"    not resumed: another process is running saved/{record.run_id}\n" in shown
    assert _records() == [record]


def test_a_spoilt_state_is_named_and_the_numbers_are_the_same(
    tiny: Workspace, go: Callable[..., Resumed], interrupt: Callable[..., None]
) -> None:
    tiny.write(TRAIN, epochs=3)
    interrupt(2)
    go()
    (record,) = _records()
    state = Path("saved") / record.run_id / "resume" / "training-1.pth"
    state.write_bytes(b"half")
    code, shown = go("--resume")
    assert code == 0
    assert f"        warning: saved/{record.run_id}/resume/training-1.pth is not a torch file" in shown
    assert "this training starts anew" in shown
    again = tiny.run(TRAIN, "fresh", epochs=3)
    assert _numbers(_records()[0]) == _numbers(again.record)


def test_a_checkpoint_that_was_loaded_first_is_not_taken_for_the_best_model(
    tiny: Workspace, go: Callable[..., Resumed], interrupt: Callable[..., None]
) -> None:
    first = tiny.run(TRAIN, "first", epochs=2)
    steps = ["init_model", "init_trainer", {"load_from_file": str(first.dir / "model.pth")}, "train", "test_eval"]
    unbroken = tiny.run(steps, "unbroken", epochs=6, learning_rate=0.05)
    tiny.write(steps, epochs=6, learning_rate=0.05)
    interrupt(4)
    go()
    code, shown = go("--resume")
    assert code == 0, shown
    record = next(record for record in _records() if record.resumed)
    assert record.resumed[0]["epoch"] == 4
    assert _numbers(record) == _numbers(unbroken.record)
    assert all(torch.equal(value, _weights(unbroken.record)[name]) for name, value in _weights(record).items())


def test_other_software_is_warned_of(
    tiny: Workspace, go: Callable[..., Resumed], interrupt: Callable[..., None]
) -> None:
    tiny.write(TRAIN, epochs=3)
    interrupt(1)
    go()
    (path,) = Path("saved").glob("*/record.json")
    record = json.loads(path.read_text("utf-8"))
    record["environment"]["python"] = "3.10.0"
    path.write_text(json.dumps(record), "utf-8")
    _, shown = go("--resume")
    assert "    warning: python changed since this run began; its numbers may not be an unbroken run's\n" in shown
    assert _records()[0].resumed[0]["environment_before"] == {"python": "3.10.0"}
