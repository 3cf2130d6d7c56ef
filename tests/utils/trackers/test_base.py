"""Trackers are chosen by name, told of everything, and cannot break a run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.utils.trackers.one_run import EPOCHS, new_record
from utils.journal.records import RunRecord
from utils.registry import Registry, UnknownName
from utils.trackers import base
from utils.trackers.base import TRACKERS, Tracker, Trackers, check_installed, epoch_values

CALLS: list[str] = []


class Calm(Tracker):
    package, install = "json", "json"

    def start(self, record: RunRecord, log_dir: Path) -> None:
        CALLS.append(f"{self.name} starts {record.run_id} in {log_dir}")

    def epoch(self, record: RunRecord, stage: str, facts: Mapping[str, Any]) -> None:
        CALLS.append(f"{self.name} {stage}:{facts['epoch']}")

    def end(self, record: RunRecord) -> None:
        CALLS.append(f"{self.name} ends {record.status}")


class Shaky(Calm):
    def epoch(self, record: RunRecord, stage: str, facts: Mapping[str, Any]) -> None:
        raise ConnectionError("no server")


@pytest.fixture(autouse=True)
def own_trackers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A registry with a tracker that works and one that does not, beside the real one."""
    registry: Registry[type[Tracker]] = Registry("tracker")
    with monkeypatch.context() as patch:
        patch.setattr(base, "TRACKERS", registry)
        base.tracker("calm")(Calm)
        base.tracker("shaky")(Shaky)
        CALLS.clear()
        yield


def _play(trackers: Trackers) -> None:
    record = new_record()
    trackers.start(record, Path("log"))
    for stage, facts in EPOCHS[:2]:
        trackers.epoch(record, stage, facts)
    record.status = "done"
    trackers.end(record)


def test_all_tracker_names_and_each_has_a_file_of_its_own() -> None:
    assert TRACKERS.names() == ["mlflow", "tensorboard", "wandb"]
    assert [cls.__module__ for _, cls in TRACKERS.items()] == [f"utils.trackers.{name}" for name in TRACKERS.names()]


def test_the_chosen_ones_are_told_everything_in_order() -> None:
    _play(Trackers(["calm", "calm"], pytest.fail))
    assert CALLS == ["calm starts BPR-Nov-26-2026_10-00-00-4f1c in log", "calm 0:0", "calm 0:1", "calm ends done"]


def test_one_that_fails_is_told_of_once_and_no_more_and_the_others_go_on() -> None:
    warnings: list[str] = []
    _play(Trackers(["shaky", "calm"], warnings.append))
    assert warnings == ["warning: shaky is told no more of this run: ConnectionError: no server"]
    assert [call for call in CALLS if call.startswith("shaky")] == ["shaky starts BPR-Nov-26-2026_10-00-00-4f1c in log"]
    assert CALLS[-1] == "calm ends done"


def test_a_run_that_fails_before_its_start_has_no_end() -> None:
    Trackers(["calm"], pytest.fail).end(new_record())
    assert CALLS == []


def test_one_that_fails_fails_anew_in_the_next_run() -> None:
    warnings: list[str] = []
    for _ in range(2):
        _play(Trackers(["shaky"], warnings.append))
    assert len(warnings) == 2


def test_the_user_can_stop_a_run_inside_a_tracker(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*told: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Calm, "epoch", stopped)
    with pytest.raises(KeyboardInterrupt):
        _play(Trackers(["calm"], pytest.fail))


def test_an_unknown_name_is_an_error_with_the_nearest_right_one() -> None:
    with pytest.raises(UnknownName, match=r"unknown tracker 'clam'; did you mean 'calm'\?"):
        Trackers(["clam"], pytest.fail)


def test_a_package_that_is_there_needs_nothing() -> None:
    assert check_installed("calm") is None


@pytest.mark.parametrize("folder_of_that_name", [False, True])
def test_a_missing_package_is_told_with_the_command_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder_of_that_name: bool
) -> None:
    monkeypatch.setattr(Calm, "package", "nowhere_to_be_found")
    monkeypatch.setattr(Calm, "install", "'.[nowhere]'")
    if folder_of_that_name:
        # W&B leaves a folder `wandb` where one stands, which Python takes for a package.
        (tmp_path / "nowhere_to_be_found").mkdir()
        monkeypatch.syspath_prepend(str(tmp_path))
    assert check_installed("calm") == "nowhere_to_be_found is not installed; run: pip install '.[nowhere]'"


def test_looking_for_the_packages_imports_none_of_them() -> None:
    code = (
        "import sys; from utils.trackers.base import TRACKERS, check_installed;"
        "[check_installed(name) for name in TRACKERS.names()];"
        "print([name for name in ('torch', 'recbole', 'tensorboard', 'mlflow', 'wandb') if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(base.__file__).parents[2]
    )
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("losses", "transferred", "names"),
    [
        ([1.0], False, ["loss/model"]),
        ([1.0, 2.0], True, ["loss/model", "loss/transfer"]),
        # Some models have several losses of their own.
        ([1.0, 2.0], False, ["loss/0", "loss/1"]),
        ([1.0, 2.0, 3.0], True, ["loss/0", "loss/1", "loss/2"]),
    ],
)
def test_loss_parts_are_named_where_it_is_known_what_they_are(
    losses: list[float], transferred: bool, names: list[str]
) -> None:
    record = new_record()
    record.stages["0"] = {"transferred": transferred}
    facts = {"losses": losses, "valid": {"ndcg@10": 0.5}, "train_s": 2.0, "valid_s": 1.0}
    rest = {"valid/ndcg@10": 0.5, "seconds/train": 2.0, "seconds/valid": 1.0}
    assert epoch_values(record, "0", facts) == {**dict(zip(names, losses, strict=True)), **rest}


def test_a_stage_of_another_name_stands_in_front() -> None:
    facts = {"losses": [1.0], "valid": {}, "train_s": 2.0, "valid_s": 0.0}
    assert list(epoch_values(new_record(), "fine", facts)) == [
        "fine/loss/model",
        "fine/seconds/train",
        "fine/seconds/valid",
    ]
