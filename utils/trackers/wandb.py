"""Weights & Biases: a run per run, its curves by epoch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from utils.journal.index import flat
from utils.journal.outcome import outcome_of
from utils.journal.records import RunRecord
from utils.trackers.base import Tracker, epoch_values, prefix, tracker

DEFAULT_PROJECT = "recbridge"

# As a shell tells them: 130 is what Ctrl-C leaves. A search that gives up a trial is no failure.
_EXIT_CODES = {"done": 0, "failed": 1, "cancelled": 130, "pruned": 0}


@tracker("wandb")
class WandB(Tracker):
    """The project is the setting `wandb_project`; the key and all else are told by W&B's own environment variables.

    Its files lie in `log/wandb`. A resumed run goes on in the run that it had.
    """

    package: ClassVar[str] = "wandb"
    install: ClassVar[str] = "'.[wandb]'"

    def start(self, record: RunRecord, log_dir: Path) -> None:
        import wandb

        self._curves: set[str] = set()
        log_dir.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(
            project=str(record.settings.get("wandb_project") or DEFAULT_PROJECT),
            name=record.run_id,
            id=record.run_id,
            resume="allow",
            dir=str(log_dir),
            config={**flat(record.settings), "scenario": record.scenario},
            # Otherwise it takes over standard output, which is the console's.
            settings=wandb.Settings(console="off"),
        )

    def epoch(self, record: RunRecord, stage: str, facts: Mapping[str, Any]) -> None:
        values = epoch_values(record, stage, facts)
        # W&B's own step may never go back, and each stage begins with epoch 0.
        axis = f"{prefix(stage)}epoch"
        for name in sorted(values.keys() - self._curves):
            self._run.define_metric(name, step_metric=axis)
        self._curves |= values.keys()
        self._run.log({**values, axis: facts["epoch"]})

    def end(self, record: RunRecord) -> None:
        outcome = outcome_of(record)
        metrics = {f"test/{name}": value for name, value in outcome.metrics.items()} if outcome else {}
        self._run.summary.update({**metrics, "status": record.status})
        self._run.finish(exit_code=_EXIT_CODES[record.status])
