"""Runs that were killed with SIGKILL and resumed leave what an unbroken run leaves, bit for bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.contracts.recbole_models import CASES
from tests.workspace import SASREC, TRAIN, Workspace
from utils.journal.records import RunRecord

ROOT = Path(__file__).parents[2]
EPOCHS = 3
# The second stage goes on with the model of the first, so it is right only where all of the first was put back.
TWO_STAGES: list[Any] = [*TRAIN, {"set": {"train_part": 1}}, {"set_config": {"learning_rate": 0.01}}, *TRAIN[1:]]

GRAPH_COLUMNS = {
    "inter": ["user_id", "item_id", "timestamp"],
    "kg": ["head_id", "relation_id", "tail_id"],
    "link": ["item_id", "entity_id"],
}

_BATCH = "recbole.trainer.trainer:Trainer._check_nan"
_VALIDATED = "recbole.evaluator.collector:Collector.eval_batch_collect"
_WRITTEN = "utils.recbole_port.resume:save_checkpoint"
_BEST = "recbole.trainer.trainer:Trainer._save_checkpoint"
# Moments at which successive processes of one run are killed. Each training of NeuMF has 9 batches an epoch.
NEUMF: dict[str, list[str]] = {
    "in the first epoch": [f"{_BATCH}:4"],
    "in the third epoch": [f"{_BATCH}:22"],
    "in the second epoch of the second training": [f"{_BATCH}:40"],
    "while the second epoch is validated": [f"{_VALIDATED}:2"],
    "after the best model was written": [f"{_BEST}:1:after"],
    "while a best model is written": ["torch:save:1:after"],
    "while a state is written": ["torch:save:2:after"],
    "right after a state was written": [f"{_WRITTEN}:1:after"],
    "right after a training was complete": [f"{_WRITTEN}:3:after"],
    "between the trainings": ["utils.commands.init_trainer:InitTrainer.run:2"],
    "while the second training is tested": ["utils.recbole_port.training:test:2"],
    "before the journal": ["utils.journal.csv_journal:append:1"],
    "three times": [f"{_BATCH}:12", f"{_BATCH}:12", f"{_BATCH}:15"],
    "as it was resumed": [f"{_BATCH}:22", "utils.recbole_port.training_state:TrainingState.put_back:1:after"],
}
OTHERS: dict[str, list[str]] = {
    "SASRec": [f"{_WRITTEN}:5:after"],
    "LightGCN": [f"{_VALIDATED}:5"],
    "KGAT": [f"{_WRITTEN}:2:after", f"{_WRITTEN}:2:after"],
    "NCL": [f"{_WRITTEN}:2:after", f"{_WRITTEN}:3"],
    "MultiVAE": [f"{_WRITTEN}:2:after", f"{_WRITTEN}:2"],
}
RUNS = {**{f"NeuMF, {when}": ("NeuMF", moments) for when, moments in NEUMF.items()}}
RUNS |= {name: (name, moments) for name, moments in OTHERS.items()}


@dataclass
class Left:
    """What the one run in a folder has left."""

    record: RunRecord
    files: list[str]
    models: dict[str, dict[str, torch.Tensor]]
    console: str
    journal: list[dict[str, str]]
    codes: list[int]

    def numbers(self) -> dict[str, Any]:
        """The stages of the record without what was measured in seconds, and whose run it was."""
        stages = json.loads(json.dumps(self.record.stages))
        for stage in stages.values():
            stage["bestmodel_file"] = Path(stage["bestmodel_file"]).name
            for epoch in stage["epochs"]:
                del epoch["train_s"], epoch["valid_s"]
        return stages


def _settings(name: str) -> dict[str, Any]:
    case = next(case for case in CASES if case.name == name)
    more = {"SASRec": SASREC, "KGAT": {"load_col": GRAPH_COLUMNS}}.get(name, {})
    return {**case.settings, **more, "train_batch_size": 128, "epochs": EPOCHS}


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Left]:
    """All runs, the unbroken ones by the model's name with `unbroken` before it."""
    base = tmp_path_factory.mktemp("killed")
    jobs: list[dict[str, Any]] = []
    folders: dict[str, tuple[Path, list[int]]] = {}

    def add(name: str, model: str, moments: list[str]) -> None:
        folder = base / str(len(folders))
        Workspace(folder).write(TWO_STAGES, **{"model": model, **_settings(model)})
        first = len(jobs)
        for moment in (*moments, ""):
            jobs.append({"folder": str(folder), "arguments": ["case.yaml", "--resume"], "moment": moment})
        folders[name] = (folder, list(range(first, len(jobs))))

    for model in dict.fromkeys(model for model, _ in RUNS.values()):
        add(f"unbroken {model}", model, [])
    for name, (model, moments) in RUNS.items():
        add(name, model, moments)
    (base / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    command = [sys.executable, "-m", "tests.e2e.killable", str(base / "jobs.json")]
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False, env=alone)
    assert done.returncode == 0, done.stdout + done.stderr
    codes = json.loads(done.stdout)
    return {name: _left(folder, [codes[job] for job in own]) for name, (folder, own) in folders.items()}


def _left(folder: Path, codes: list[int]) -> Left:
    (run,) = (folder / "saved").iterdir()
    models = {file.name: torch.load(file, weights_only=True)["state_dict"] for file in run.glob("*.pth")}
    return Left(
        RunRecord.read(run / "record.json"),
        sorted(file.name for file in run.iterdir()),
        models,
        (folder / "console.txt").read_text("utf-8"),
        Workspace(folder).journal(),
        codes,
    )


@pytest.mark.parametrize("name", RUNS)
def test_the_resumed_run_leaves_what_an_unbroken_one_leaves(name: str, left: dict[str, Left]) -> None:
    model, moments = RUNS[name]
    resumed, unbroken = left[name], left[f"unbroken {model}"]
    assert resumed.codes == [-9] * len(moments) + [0], resumed.console
    assert resumed.record.status == "done", resumed.console
    assert resumed.numbers() == unbroken.numbers()
    kept = ["model-2.pth", "model.pth", "per_user_0.parquet", "per_user_1.parquet", "record.json", "resolved.yaml"]
    assert resumed.files == unbroken.files == kept
    for file, weights in unbroken.models.items():
        assert weights.keys() == resumed.models[file].keys()
        assert all(torch.equal(value, resumed.models[file][key]) for key, value in weights.items()), file


def test_a_run_has_one_row_in_the_journal_however_often_it_was_killed(left: dict[str, Left]) -> None:
    for name, run in left.items():
        assert [(row["run_id"], row["status"]) for row in run.journal] == [(run.record.run_id, "done")], name


def test_the_record_tells_how_often_it_went_on_and_where(left: dict[str, Left]) -> None:
    places = [(entry.get("training"), entry.get("epoch")) for entry in left["NeuMF, three times"].record.resumed]
    # Of 9 batches an epoch, the 12th is in epoch 1, the 12th from there in epoch 2, and the 15th from there in the
    # first epoch of the second training, which leaves the end of the first to go on from.
    assert places == [(1, 1), (1, 2), (1, EPOCHS)]
    entry = left["NeuMF, in the first epoch"].record.resumed[0]
    assert entry.keys() == {"at", "status_before", "seconds_before", "cost_before"}
    assert left["unbroken NeuMF"].record.resumed == []


def test_the_console_says_where_it_goes_on(left: dict[str, Left]) -> None:
    run = left["NeuMF, in the second epoch of the second training"]
    resumed = [line.strip() for line in run.console.splitlines() if "resumed" in line]
    run_id = run.record.run_id
    assert resumed == [f"resumed {run_id}: this training was complete", f"resumed {run_id} at epoch 1"]
