"""What a transfer loss adds to a training step: `python -m tests.bench.transfer [--steps N] [--only NAME]`.

A model with `rmse` on one tap and the same model without take steps on the same batches of ml-100k in turn, in one
process on one thread; figures are medians of CPU seconds, without those of the loader. Settings are those of
`experiments/science`.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from models.losses.base import LOSSES
from models.transfer.teachers import Side, Teacher
from models.transfer.wrapper import Term, TransferWrapper
from tests.bench.tasks import build
from utils.scenario.source import read

SCIENCE = Path(__file__).parents[2] / "experiments" / "science"
GOAL = 0.05
WARM_UP = 5
WIDTH = 64


@dataclass(frozen=True)
class Task:
    """A scenario whose model is trained, what is tapped, and with whose vectors it is compared."""

    scenario: str
    tap: int | str
    side: Side


TASKS = {
    "NeuMF": Task("02_neumf_profiles.yaml", 9, "users"),
    "LightGCN": Task("04_lightgcn_profiles.yaml", "forward", "users"),
    "SASRec": Task("06_sasrec_profiles.yaml", "item_embedding", "items"),
}


def added(task: Task, n_steps: int) -> tuple[float, float]:
    """(median CPU seconds of a step without the loss, median of what the same step takes more with it)."""
    with tempfile.TemporaryDirectory() as folder:
        given = read(SCIENCE / task.scenario).data
        settings = {name: value for name, value in given.items() if name not in ("scenario", "seeds")}
        # Both on one dataset, which the second finds read and split.
        plain, wrapped = (build("ours", Path(folder), settings) for _ in range(2))
        _wrap(wrapped.trainer, plain.train, task)
        steps = [_step(built.trainer) for built in (plain, wrapped)]
        batches = [batch for batch, _ in zip(plain.train, range(20), strict=False)]
        times: tuple[list[float], list[float]] = ([], [])
        for number in range(WARM_UP + n_steps):
            # Each goes first in every other turn: whoever is second finds the batch in the cache.
            for which in (0, 1) if number % 2 else (1, 0):
                batch = copy.copy(batches[number % len(batches)])
                started = time.process_time()
                steps[which](batch)
                times[which].append(time.process_time() - started)
    without, with_loss = (taken[WARM_UP:] for taken in times)
    more = [ours - theirs for ours, theirs in zip(with_loss, without, strict=True)]
    return statistics.median(without), statistics.median(more)


def _wrap(trainer: Any, train: Any, task: Task) -> None:
    from utils.recbole_port import session

    fields = session.id_fields(trainer.config, session.Data(train._dataset, [train], None, None, 0))
    rows = fields.count(task.side)
    vectors = torch.randn(rows, WIDTH, generator=torch.Generator().manual_seed(0))
    term = Term(LOSSES.get("rmse"), [Teacher(task.side, vectors, torch.arange(rows) > 0, "at random")])
    TransferWrapper(trainer.model, fields, {"": term}, weight=0.3).set_outputs([task.tap])


def _step(trainer: Any) -> Callable[[Any], None]:
    """One batch as RecBole's trainer takes it."""
    model, optimizer, clip = trainer.model, trainer.optimizer, trainer.clip_grad_norm
    model.train()

    def step(batch: Any) -> None:
        optimizer.zero_grad()
        losses = model.calculate_loss(batch)
        parts = losses if isinstance(losses, tuple) else (losses,)
        for part in parts:
            part.item()
        sum(parts).backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), **clip)
        optimizer.step()

    return step


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.transfer", description=__doc__)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--only", choices=list(TASKS))
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    for name, task in TASKS.items():
        if given.only in (None, name):
            step_s, more_s = added(task, given.steps)
            print(
                f"{name}: a step takes {1e3 * step_s:.2f} ms, the loss {1e3 * more_s:+.2f} ms "
                f"({more_s / step_s:+.1%}); goal at most {GOAL:.0%}"
            )


if __name__ == "__main__":
    main()
