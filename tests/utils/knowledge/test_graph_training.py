"""A training that was stopped goes on where it was, and leaves what an unbroken one leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import run_exps
from models.training import fit_progress
from tests.utils.knowledge.graph_llm_runs import done, generate, ready, train
from tests.workspace import Run, Workspace
from utils.journal.records import RunRecord
from utils.knowledge.graph_checkpoint import GraphCheckpoint, read_checkpoint
from utils.knowledge.graph_task import GraphTask

# 60 questions in fives: twelve batches, of which two make a step, so that an epoch has six steps.
BATCHES = 12
STEPS = [train(epochs=3, llm_mode="lora"), generate()]


@pytest.fixture(scope="module")
def here(workspace: Workspace) -> Workspace:
    return ready(workspace)


@pytest.fixture(scope="module")
def unbroken(here: Workspace) -> Run:
    return done(here.run(STEPS, "unbroken"))


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """Let the user press Ctrl-C at a batch, once; the rows of the first sample of each batch that was read."""
    # A step of the tiny model takes less time than writing how far it came.
    monkeypatch.setattr(fit_progress, "SHARE", float("inf"))
    loss = GraphTask.loss

    def at(batch: int) -> list[int]:
        read: list[int] = []

        def counted(self: GraphTask, batch_: Any) -> torch.Tensor:
            read.append(int(batch_.rows[0]))
            if len(read) == batch:
                raise KeyboardInterrupt
            return loss(self, batch_)

        monkeypatch.setattr(GraphTask, "loss", counted)
        return read

    return at


def resumed(here: Workspace, monkeypatch: pytest.MonkeyPatch, name: str) -> tuple[int, RunRecord]:
    """The exit code of `run_exps.py NAME.yaml --resume`, and the record of the run that it went on with."""
    monkeypatch.chdir(here.folder)
    code = run_exps.main([f"{name}.yaml", "--resume"])
    records = [RunRecord.read(path) for path in Path("saved").glob("*/record.json")]
    return code, next(record for record in records if record.scenario == f"{name}.yaml")


def checkpoint(folder: Path) -> GraphCheckpoint:
    return read_checkpoint(folder / "graph_llm.pth")


@pytest.mark.parametrize("batch", [BATCHES + 7, 2 * BATCHES + 1], ids=["within the second epoch", "after it"])
def test_a_stopped_training_goes_on_and_ends_as_an_unbroken_one(
    here: Workspace,
    unbroken: Run,
    interrupt: Callable[[int], list[int]],
    monkeypatch: pytest.MonkeyPatch,
    batch: int,
) -> None:
    name = f"stopped_{batch}"
    read = interrupt(batch)
    here.write(STEPS, name)
    monkeypatch.chdir(here.folder)
    assert run_exps.main([f"{name}.yaml"]) == 1
    code, record = resumed(here, monkeypatch, name)
    assert code == 0
    # The batch at which it was stopped is the first of a step, which is begun again; nothing else is trained twice.
    assert len(read) == 3 * BATCHES + 1
    assert read[batch - 1] == read[batch]
    run = here.folder / "saved" / record.run_id
    ours, theirs = checkpoint(run), checkpoint(unbroken.dir)
    assert ours.tensors.keys() == theirs.tensors.keys()
    assert all(torch.equal(tensor, theirs.tensors[name]) for name, tensor in ours.tensors.items())
    assert (run / "generations.jsonl").read_text() == (unbroken.dir / "generations.jsonl").read_text()
    assert _numbers(record) == _numbers(unbroken.record)
    assert [entry["status_before"] for entry in record.resumed] == ["cancelled"]
    assert not (run / "resume").exists()


def _numbers(record: RunRecord) -> Any:
    """The stage of the training without times and names of this run."""
    stage = json.loads(json.dumps(record.stages["graph_llm"]))
    for epoch in stage["epochs"]:
        del epoch["train_s"], epoch["valid_s"]
    assert stage.pop("trained_by") == record.run_id
    return stage


def test_a_training_that_was_done_when_the_run_was_stopped_is_not_done_again(
    here: Workspace, unbroken: Run, interrupt: Callable[[int], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from utils.knowledge import graph_generation

    read = interrupt(-1)
    generate_, waiting = graph_generation.generate, [True]

    def pressed(*given: Any) -> Any:
        if waiting:
            waiting.clear()
            raise KeyboardInterrupt
        return generate_(*given)

    monkeypatch.setattr(graph_generation, "generate", pressed)
    here.write(STEPS, "trained")
    monkeypatch.chdir(here.folder)
    assert run_exps.main(["trained.yaml"]) == 1
    code, record = resumed(here, monkeypatch, "trained")
    assert (code, len(read)) == (0, 3 * BATCHES)
    assert _numbers(record) == _numbers(unbroken.record)


def test_progress_of_a_training_with_other_parameters_is_not_gone_on_with(
    here: Workspace, interrupt: Callable[[int], list[int]], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    read = interrupt(BATCHES + 7)
    here.write(STEPS, "other")
    monkeypatch.chdir(here.folder)
    run_exps.main(["other.yaml"])
    (progress,) = Path("saved").glob("*/resume/graph-llm-1.pth")
    content = torch.load(progress, weights_only=True)
    torch.save({**content, "fingerprint": "another"}, progress)
    capsys.readouterr()
    assert resumed(here, monkeypatch, "other")[0] == 0
    assert (
        f"warning: {progress} is of a training with other parameters or on other data; this training started anew"
        in (capsys.readouterr().out)
    )
    assert len(read) == BATCHES + 7 + 3 * BATCHES
