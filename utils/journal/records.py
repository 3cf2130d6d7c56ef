"""The record of one run: written at its start, after every step and at its end, whatever the end is."""

from __future__ import annotations

import datetime
import json
import math
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

Status = Literal["running", "done", "failed", "cancelled", "pruned"]
FILE_NAME = "record.json"


@dataclass
class RunRecord:
    """One run: what was asked, on what, what came out. Numbers are numbers; an unknown is null.

    seconds: of the process that ended the run.
    resumed: one entry for each time an unfinished run went on: when, how many seconds the process before had come,
        and the training and epoch where it went on (absent where it had to start from the beginning).
    variant: a hash of the resolved scenario without its seed; runs of one variant differ by chance only.
    experiment: a hash of the same without what it is a control of; a scenario and its controls have one.
    search: of a trial of a search, its study, its number and what was tried.
    rerun_of: the run that this one repeats.
    job: by which a second attempt at an experiment knows the run of the first.
    cost: what the run has taken, see `utils.journal.cost`.
    """

    run_id: str
    scenario: str
    settings: dict[str, Any]
    status: Status = "running"
    started: str = ""
    ended: str | None = None
    seconds: float | None = None
    error: dict[str, Any] | None = None
    environment: dict[str, Any] = field(default_factory=dict)
    dataset: dict[str, Any] = field(default_factory=dict)
    protocol: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    stages: dict[str, dict[str, Any]] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)
    resumed: list[dict[str, Any]] = field(default_factory=list)
    variant: str | None = None
    experiment: str | None = None
    search: dict[str, Any] | None = None
    rerun_of: str | None = None
    job: str | None = None
    cost: dict[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        """Write `record.json` atomically into the run's folder."""
        path = folder / FILE_NAME
        temporary = path.with_name(f".{FILE_NAME}.{os.getpid()}")
        try:
            with temporary.open("w", encoding="utf-8") as file:
                json.dump(_finite(asdict(self)), file, indent=2, default=str)
                file.write("\n")
            os.replace(temporary, path)
        except OSError as error:
            # A full disk does not say which file it has no room for.
            raise type(error)(error.errno, error.strerror, str(path)) from error
        finally:
            temporary.unlink(missing_ok=True)
        return path

    @classmethod
    def read(cls, path: Path) -> RunRecord:
        """A record as it was written."""
        return cls(**json.loads(path.read_text("utf-8")))

    def transfer_weight(self) -> float | None:
        """The weight of the transfer loss in the last stage that had one; None where none had."""
        # Knowledge may come into a model without a loss, and into a language model without any weight.
        weights = [stage.get("distil_loss_weight") for stage in self.stages.values() if stage.get("transferred")]
        return next((weight for weight in reversed(weights) if weight is not None), None)


def new_run_id(model: str, now: datetime.datetime) -> str:
    """RecBole's `NeuMF-Oct-02-2024_22-12-30` and four characters that make it unique."""
    return f"{model}-{now:%b-%d-%Y_%H-%M-%S}-{secrets.token_hex(2)}"


def make_run_dir(saved: Path, model: str, now: datetime.datetime) -> tuple[str, Path]:
    """A run id that no other process has, and its new folder."""
    saved.mkdir(parents=True, exist_ok=True)
    while True:
        run_id = new_run_id(model, now)
        try:
            (saved / run_id).mkdir()
        except FileExistsError:
            continue
        return run_id, saved / run_id


def _finite(value: Any) -> Any:
    """JSON has no NaN or infinity; both become null."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
