"""The real MLflow, with a store in a file of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.utils.trackers.one_run import RUN_ID, new_record, play
from utils.journal.records import Status
from utils.trackers.base import Trackers
from utils.trackers.mlflow import MLflow

NO_TELEMETRY = ("MLFLOW_DISABLE_TELEMETRY", "true")

with pytest.MonkeyPatch.context() as environment:
    # It asks a server how much it may tell as soon as it is imported.
    environment.setenv(*NO_TELEMETRY)
    mlflow = pytest.importorskip("mlflow")


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow takes a second to make its tables, which are the same for all tests."""
    store = tmp_path_factory.mktemp("mlflow") / "store.db"
    with pytest.MonkeyPatch.context() as environment:
        environment.chdir(store.parent)
        environment.setenv(*NO_TELEMETRY)
        mlflow.MlflowClient(f"sqlite:///{store}").search_experiments()
    return store


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_store: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(*NO_TELEMETRY)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    (tmp_path / "store.db").write_bytes(empty_store.read_bytes())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'store.db'}")


def _runs() -> list[Any]:
    client = mlflow.MlflowClient()
    return client.search_runs([client.get_experiment_by_name("quickstart").experiment_id])


def _history(name: str) -> list[tuple[int, float]]:
    [run] = _runs()
    return [(metric.step, metric.value) for metric in mlflow.MlflowClient().get_metric_history(run.info.run_id, name)]


def test_a_run_lies_in_the_experiment_of_its_scenarios_folder(tmp_path: Path) -> None:
    play(MLflow(), new_record(), tmp_path / "log")
    [run] = _runs()
    assert run.info.run_name == RUN_ID
    assert run.info.status == "FINISHED"
    assert run.data.params == {"model": "BPR", "seed": "7", "topk": "[10]", "eval_args.split.LS": "valid_only"}
    tags = {key: value for key, value in run.data.tags.items() if not key.startswith("mlflow.")}
    assert tags == {
        "git_commit": "abc123",
        "status": "done",
        "seed": "7",
        "scenario": "experiments/quickstart/01_bpr.yaml",
    }


def test_metrics_stand_at_their_epochs(tmp_path: Path) -> None:
    play(MLflow(), new_record(), tmp_path / "log")
    assert _history("loss/model") == [(0, 2.0), (1, 1.5), (2, 1.0)]
    assert _history("loss/transfer") == [(0, 1.0), (1, 0.5), (2, 0.25)]
    assert _history("valid/ndcg_at_10") == [(0, 0.125), (2, 0.25)]
    assert _history("fine/valid/ndcg_at_10") == [(0, 0.5)]
    assert _history("test/ndcg_at_10") == [(0, 0.375)]


@pytest.mark.parametrize(("status", "theirs"), [("failed", "FAILED"), ("cancelled", "KILLED"), ("pruned", "KILLED")])
def test_how_a_run_ended_is_told_in_mlflows_words(tmp_path: Path, status: Status, theirs: str) -> None:
    play(MLflow(), new_record(), tmp_path / "log", status)
    [run] = _runs()
    assert run.info.status == theirs
    assert run.data.tags["status"] == status
    assert "test/ndcg_at_10" not in run.data.metrics


def test_the_record_is_an_artifact(tmp_path: Path) -> None:
    play(MLflow(), new_record(), tmp_path / "log")
    [run] = _runs()
    path = mlflow.MlflowClient().download_artifacts(run.info.run_id, "record.json", str(tmp_path))
    record = json.loads(Path(path).read_text())
    assert (record["run_id"], record["status"]) == (RUN_ID, "done")


def test_a_resumed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    play(MLflow(), new_record(), tmp_path / "log", "failed", last=1)
    again = new_record()
    again.resumed = [{"at": "2026-11-26T11:00:00"}]
    play(MLflow(), again, tmp_path / "log", first=1)
    [run] = _runs()
    assert run.info.status == "FINISHED"
    assert _history("loss/model") == [(0, 2.0), (1, 1.5), (2, 1.0)]


def test_two_runs_of_a_folder_are_two_runs_of_one_experiment(tmp_path: Path) -> None:
    for _ in range(2):
        play(MLflow(), new_record(), tmp_path / "log")
    assert len(_runs()) == 2


def test_more_settings_than_mlflow_takes_at_once_and_longer_ones(tmp_path: Path) -> None:
    many = {f"setting_{number}": number for number in range(150)}
    play(MLflow(), new_record(**many, note="x" * 7000), tmp_path / "log")
    [run] = _runs()
    # model, seed, topk and eval_args.split.LS, 150 numbers, and the note as far as it fits.
    assert len(run.data.params) == 4 + 150 + 1
    assert run.data.params["note"] == "x" * 6000


def test_a_store_that_cannot_be_opened_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nosuchstore://somewhere")
    warnings: list[str] = []
    trackers = Trackers(["mlflow"], warnings.append)
    trackers.start(new_record(), tmp_path / "log")
    trackers.end(new_record())
    assert len(warnings) == 1
    assert warnings[0].startswith("warning: mlflow is told no more of this run: ")
