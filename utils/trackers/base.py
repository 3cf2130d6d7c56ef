"""What a tracker is, and how a run tells all that were chosen; none of them can break it."""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from utils.interrupts import held_back
from utils.journal.records import RunRecord
from utils.registry import Registry

TRACKERS: Registry[type[Tracker]] = Registry("tracker", package="utils.trackers")

T = TypeVar("T", bound="type[Tracker]")


def tracker(name: str) -> Callable[[T], T]:
    """Decorator that makes a Tracker known under `name`."""

    def enter(cls: T) -> T:
        cls.name = name
        TRACKERS.register(name)(cls)
        return cls

    return enter


class Tracker(ABC):
    """Carries one run to one place; a new one is made for each run.

    package: what it imports; install: what pip takes to bring that.
    """

    name: ClassVar[str]
    package: ClassVar[str]
    install: ClassVar[str]

    @abstractmethod
    def start(self, record: RunRecord, log_dir: Path) -> None:
        """The run begins; `log_dir` is the folder of all logs, `log`."""

    @abstractmethod
    def epoch(self, record: RunRecord, stage: str, facts: Mapping[str, Any]) -> None:
        """An epoch is over: `epoch`, `losses` (the parts in order), `valid`, `train_s`, `valid_s`."""

    @abstractmethod
    def end(self, record: RunRecord) -> None:
        """The run is over, whatever its end is."""


class Trackers:
    """The trackers that were chosen for one run. One that fails is reported once and told nothing more."""

    def __init__(self, names: Iterable[str], console_warn: Callable[[str], None]) -> None:
        """UnknownName where there is no tracker of a name."""
        self._warn = console_warn
        self._chosen = [TRACKERS.get(name)() for name in dict.fromkeys(names)]
        self._active: list[Tracker] = []

    def start(self, record: RunRecord, log_dir: Path) -> None:
        # A run that fails before has nothing to end.
        self._active = list(self._chosen)
        self._tell(lambda tracker: tracker.start(record, log_dir))

    def epoch(self, record: RunRecord, stage: str, facts: Mapping[str, Any]) -> None:
        self._tell(lambda tracker: tracker.epoch(record, stage, facts))

    def end(self, record: RunRecord) -> None:
        self._tell(lambda tracker: tracker.end(record))

    def _tell(self, what: Callable[[Tracker], None]) -> None:
        for tracker in list(self._active):
            try:
                with held_back():
                    what(tracker)
            except Exception as error:
                # These packages and their servers raise anything, and the run is worth more than its copy.
                self._active.remove(tracker)
                self._warn(f"warning: {tracker.name} is told no more of this run: {type(error).__name__}: {error}")


def check_installed(name: str) -> str | None:
    """What to do where the package of this tracker is missing; None where it is there. Nothing is imported."""
    cls = TRACKERS.get(name)
    spec = importlib.util.find_spec(cls.package)
    # A folder without code is found as well, such as the `wandb` that W&B leaves where one stands.
    if spec is not None and spec.origin is not None:
        return None
    return f"{cls.package} is not installed; run: pip install {cls.install}"


def epoch_values(record: RunRecord, stage: str, facts: Mapping[str, Any]) -> dict[str, float]:
    """Numbers of an epoch by name: `loss/model`, `loss/transfer`, `valid/ndcg@10`, `seconds/train`, ..."""
    losses = facts["losses"]
    transferred = record.stages.get(stage, {}).get("transferred")
    # Some models have several parts of their own, and no names for them.
    named = len(losses) == 1 or (len(losses) == 2 and transferred)
    parts = ("model", "transfer") if named else [str(number) for number in range(len(losses))]
    values = {
        **{f"loss/{part}": loss for part, loss in zip(parts, losses, strict=False)},
        **{f"valid/{metric}": value for metric, value in facts["valid"].items()},
        "seconds/train": facts["train_s"],
        "seconds/valid": facts["valid_s"],
    }
    return {f"{prefix(stage)}{name}": value for name, value in values.items()}


def prefix(stage: str) -> str:
    """What the names of a stage begin with; nothing for the one that a scenario has that names none."""
    return "" if stage == "0" else f"{stage}/"
