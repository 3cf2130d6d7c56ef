"""Real ml-100k, plain and with profiles transferred: journal, records and the printed table agree."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.workspace import metrics
from utils.data.embeddings import read_vectors
from utils.journal.records import RunRecord
from utils.journal.summary import ONE_SEED

ROOT = Path(__file__).parents[2]
SETTINGS = """\
model: BPR
dataset: ml-100k
seed: 2020
threads: 1
embedding_size: 32
epochs: 1
eval_args: {split: {LS: valid_and_test}, order: TO, group_by: user, mode: full}
metrics: [Recall, NDCG]
topk: [10]
valid_metric: NDCG@10
eval_batch_size: 200000
"""
PLAIN = "scenario: [init_model, init_trainer, train, test_eval]\n"
TRANSFERRED = """\
scenario:
  - encode_profiles: {users_file: user384.pt, most_items: 2, batch_size: 64}
  - reduce_dim: {file_in: user384.pt, file_out: user32.pt, dimension: 32, method: pca}
  - init_model
  - wrap_model: {distil_loss: cosine, users_emb_file: user32.pt}
  - set_outputs: [user_embedding]
  - init_trainer
  - train
  - test_eval
"""


@dataclass
class Folder:
    path: Path
    lines: list[str]
    records: list[RunRecord]
    journal: list[dict[str, str]]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Both scenarios as a user runs them: one command in an empty folder."""
    folder = tmp_path_factory.mktemp("e2e")
    (folder / "exps").mkdir()
    (folder / "exps" / "01_plain.yaml").write_text(SETTINGS + PLAIN)
    (folder / "exps" / "02_profiles.yaml").write_text(SETTINGS + TRANSFERRED)
    command = [sys.executable, str(ROOT / "run_exps.py"), "exps"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stderr == ""
    records = [RunRecord.read(path) for path in folder.glob("saved/*/record.json")]
    with (folder / "exps" / "journal.csv").open(encoding="utf-8", newline="") as file:
        journal = list(csv.DictReader(file))
    return Folder(folder, run.stdout.splitlines(), sorted(records, key=lambda record: record.scenario), journal)


def test_both_are_done_on_the_whole_dataset(ran: Folder) -> None:
    assert [record.status for record in ran.records] == ["done", "done"]
    for record in ran.records:
        counted = {name: record.dataset[name] for name in ("name", "users", "items", "interactions")}
        assert counted == {"name": "ml-100k", "users": 943, "items": 1682, "interactions": 100_000}


def test_the_journal_is_a_view_of_the_records(ran: Folder) -> None:
    assert [row["run_id"] for row in ran.journal] == [record.run_id for record in ran.records]
    for row, record in zip(ran.journal, ran.records, strict=True):
        stage = record.stages["0"]
        assert json.loads(row["train_0:best_test_res"]) == stage["best_test_res"]
        assert float(row["train_0:best_val_score"]) == stage["best_val_score"]
        assert (row["train_0:loss_name"] or None) == stage.get("loss_name")


def test_the_table_shows_the_records_numbers(ran: Folder) -> None:
    plain, profiles = map(metrics, ran.records)
    change = (profiles["ndcg@10"] - plain["ndcg@10"]) / plain["ndcg@10"]
    header, _, first, second, ranking, cold, note = ran.lines[-7:]
    assert ranking == "ranking: seen items left out"
    assert cold == "cold: ndcg@10 of items with at most 10 and users with at most 20 interactions in the train part"
    assert note == ONE_SEED
    assert header.split() == ["model", "variant", "recall@10", "ndcg@10", "cold", "items", "cold", "users", "change"]
    cells = []
    for record in ran.records:
        slices = record.stages["0"]["slices"]
        values = [*metrics(record).values(), slices["cold_items"]["ndcg@10"], slices["cold_users"]["ndcg@10"]]
        cells.append([f"{value:.4f}" for value in values])
    assert first.split() == ["BPR", "01_plain", "(plain)", *cells[0]]
    assert second.split() == ["BPR", "02_profiles", "(cosine)", *cells[1], f"{change:+.1%}", "ndcg@10"]


def test_the_profiles_are_of_real_users_under_their_tokens(ran: Folder) -> None:
    file = read_vectors(ran.path / "datasets" / "llm_embeddings" / "ml-100k" / "user32.pt")
    assert file.vectors.shape[1] == 32
    assert set(file.tokens or ()) <= {str(number) for number in range(1, 944)}
    assert len(file.tokens or ()) > 900


def test_the_output_has_no_colours(ran: Folder) -> None:
    assert not [line for line in ran.lines if "\x1b" in line]
