"""A folder in which tests write scenarios on the tiny dataset, run them, and read what they left behind."""

from __future__ import annotations

import copy
import csv
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from tests.contracts.tiny_dataset import write_tiny_dataset
from utils.console import Console
from utils.data.embeddings import VectorFile, write_vectors
from utils.journal.outcome import outcome_of
from utils.journal.records import RunRecord

# Small, on one thread, and quick: a training of two epochs takes a fraction of a second.
SETTINGS: dict[str, Any] = {
    "model": "BPR",
    "dataset": "tiny",
    "seed": 7,
    "threads": 1,
    "show_progress": False,
    "epochs": 2,
    "embedding_size": 8,
    "train_batch_size": 256,
    "eval_batch_size": 4000,
    "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user", "mode": "full"},
    "load_col": {"inter": ["user_id", "item_id", "rating", "timestamp"]},
    "metrics": ["Recall", "NDCG"],
    "topk": [5],
    "valid_metric": "NDCG@5",
}
SASREC: dict[str, Any] = {
    "model": "SASRec",
    "train_neg_sample_args": None,
    "MAX_ITEM_LIST_LENGTH": 5,
    "hidden_size": 8,
    "inner_size": 8,
}
USERS = [f"u{number}" for number in range(1, 31)]
ITEMS = [f"i{number}" for number in range(1, 41)]
TRAIN: list[Any] = ["init_model", "init_trainer", "train", "test_eval"]


class Lines(Console):
    """A console that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str = "") -> None:
        self.lines += text.split("\n")

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@dataclass
class Run:
    """A scenario that was run: its record, what the user saw, and where it happened."""

    record: RunRecord
    console: Lines
    folder: Path

    @property
    def dir(self) -> Path:
        return self.folder / "saved" / self.record.run_id

    def facts(self, command: str) -> dict[str, Any]:
        """What the last step of that name found out."""
        return [step["facts"] for step in self.record.steps if step["command"] == command][-1]

    def log(self) -> str:
        model = self.record.settings["model"]
        return (self.folder / "log" / model / f"{self.record.run_id}.log").read_text("utf-8")


@dataclass
class Workspace:
    """One folder with `datasets/tiny`; scenarios run as if the user stood in it."""

    folder: Path

    def __post_init__(self) -> None:
        write_tiny_dataset(self.folder / "datasets")

    @property
    def vectors(self) -> Path:
        return self.folder / "datasets" / "llm_embeddings" / "tiny"

    def write(self, steps: list[Any], name: str = "case", **settings: Any) -> Path:
        """`<name>.yaml` with these steps; `settings` are put on top of SETTINGS."""
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump({**_merged(settings), "scenario": steps}, sort_keys=False), encoding="utf-8")
        return path

    def run(self, steps: list[Any], name: str = "case", **settings: Any) -> Run:
        """Write a scenario, check it, run it."""
        return self.run_file(self.write(steps, name, **settings))

    def run_file(self, path: Path) -> Run:
        from utils.runner import run_plan
        from utils.scenario import plan, source

        console = Lines()
        with standing_in(self.folder):
            record = run_plan(plan.build(source.read(path.relative_to(self.folder))), console)
        return Run(record, console, self.folder)

    def save_vectors(self, name: str, tokens: Iterable[str], width: int = 8, seed: int = 0, **meta: Any) -> None:
        """A vector file with tokens, the same numbers every time."""
        kept = tuple(tokens)
        vectors = torch.randn(len(kept), width, generator=torch.Generator().manual_seed(seed))
        write_vectors(self.vectors / name, VectorFile(vectors, kept, meta))

    def context(self, **settings: Any) -> Any:
        """A run context without a run, for what lies below the commands."""
        from utils.context import RunContext

        merged = _merged({"data_path": str(self.folder / "datasets"), **settings})
        record = RunRecord("test", "case.yaml", merged)
        return RunContext(merged, record, self.folder, self.folder / "case.yaml", Lines())

    def journal(self, name: str = "journal.csv") -> list[dict[str, str]]:
        with (self.folder / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


def metrics(record: RunRecord) -> Mapping[str, float]:
    """Test metrics of the last tested stage; none when nothing was tested."""
    outcome = outcome_of(record)
    return outcome.metrics if outcome else {}


def transferred(record: RunRecord) -> bool:
    """Whether the last tested model was trained with a transfer loss."""
    outcome = outcome_of(record)
    return outcome is not None and outcome.transferred


def _merged(settings: dict[str, Any]) -> dict[str, Any]:
    merged = {**copy.deepcopy(SETTINGS), **settings}
    if merged["model"] != "BPR" and "embedding_size" not in settings:
        del merged["embedding_size"]
    return merged


@contextmanager
def standing_in(folder: Path) -> Iterator[None]:
    """Relative paths are relative to `folder` inside the block."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
