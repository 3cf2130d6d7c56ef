"""A training that was cut short goes on: its state is kept on disk before each epoch, and at its end.

The files are removed when the run is done. A state is put back at the place where
it was taken, the entry of an epoch, so that whatever RecBole's `fit` does before an epoch has been done.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from utils.recbole_port.checkpoints import load_checkpoint, save_checkpoint
from utils.recbole_port.training_state import TrainingState

# Of the time since the last state was written, what writing may cost. Where it costs more, the next epochs are not
# written, and would be trained again.
SHARE = 0.02
_FORMAT = 2
_LOG = logging.getLogger(__name__)


class Progress:
    """How far one training of a run has come, here and on disk.

    epoch: where it goes on; None where nothing usable was left, and it starts as any training.
    complete: nothing is left to train, only to be put back.
    unusable: why the state that was found is not used; the training starts anew, which is always right, since the
        steps before it have been executed.
    """

    def __init__(self, folder: Path, number: int, trainer: Any, train: Any, valid: Any) -> None:
        """folder: for the states of this run. number: which training of the run this is, from 1."""
        self._trainer, self._first = trainer, trainer.start_epoch
        self.path = folder / f"training-{number}.pth"
        self._best = self.path.with_name(f"training-{number}-best.pth")
        self._state = TrainingState(trainer, train, valid)
        self._cost, self._written = 0.0, time.perf_counter()
        self._found: Mapping[str, Any] | None = None
        self.unusable: str | None = None
        if self.path.exists():
            self._found, self.unusable = self._read()
        self.epoch: int | None = None if self._found is None else self._found["epoch"]
        self.complete: bool = self._found is not None and self._found["complete"]

    def put_back(self) -> list[dict[str, Any]] | None:
        """Put back what was found, once; the epochs that were trained before, or None where there is nothing."""
        if self._found is None:
            return None
        found, self._found = self._found, None
        self._state.put_back(found["state"])
        self._trainer.start_epoch = self._first
        if found["best"] is not None:
            own = Path(self._trainer.saved_model_file).with_name(found["best"])
            _copy(self._best, own)
            self._trainer.saved_model_file = str(own)
        return list(found["epochs"])

    def before(self, epoch: int, epochs: Sequence[Mapping[str, Any]]) -> None:
        """Keep the state before `epoch`, unless it is there already or writing would cost too much."""
        # What is before the first epoch the steps make again.
        if epoch not in (self._first, self.epoch) and self._cost <= SHARE * (time.perf_counter() - self._written):
            self._write(epoch, epochs, complete=False)

    def finished(self, epochs: Sequence[Mapping[str, Any]]) -> None:
        """Keep the state at the end of the training."""
        self._write(self._first + len(epochs), epochs, complete=True)

    def _write(self, epoch: int, epochs: Sequence[Mapping[str, Any]], complete: bool) -> None:
        started = time.perf_counter()
        state = self._state.take()
        best = Path(self._trainer.saved_model_file)
        whole = {
            "format": _FORMAT,
            "device": str(self._trainer.device),
            "provenance": _provenance(self._trainer),
            "epoch": epoch,
            "complete": complete,
            "epochs": [dict(facts) for facts in epochs],
            "best": best.name if best.is_file() else None,
            "state": state,
            # What `load_checkpoint` asks of every checkpoint.
            "state_dict": state["state_dict"],
        }
        try:
            self.path.parent.mkdir(exist_ok=True)
            # Before the state: it may be newer than the state, whose next epochs will make the same one, but not older.
            if best.is_file():
                _copy(best, self._best)
            else:
                self._best.unlink(missing_ok=True)
            save_checkpoint(whole, self.path)
        except (OSError, RuntimeError) as error:
            # torch's writer raises RuntimeError on a full disk, which is no reason to lose the training itself.
            _LOG.warning("%s could not be written, a resumed run would train more again: %s", self.path, error)
        self._written = time.perf_counter()
        self._cost = self._written - started

    def _read(self) -> tuple[Mapping[str, Any] | None, str | None]:
        """(the state on disk, None), or (None, why it is of no use)."""
        try:
            # On the CPU: random states and Adam's step counts belong there, and all else finds its own device.
            found = load_checkpoint(self.path, "cpu")
        except (ValueError, OSError) as error:
            return None, str(error)
        if found.get("format") != _FORMAT:
            return None, f"{self.path} was not written by this version of RecBridge"
        if found["device"] != str(self._trainer.device):
            return None, f"{self.path} is of a training on {found['device']}, and this is {self._trainer.device}"
        if found["provenance"] != _provenance(self._trainer):
            return None, f"{self.path} is of other data or another split"
        if found["best"] is not None and not self._best.is_file():
            return None, f"{self._best}, the best model of that training, is missing"
        misfit = self._state.misfit(found["state"])
        return (None, f"{self.path} does not fit this training: {misfit}") if misfit else (found, None)


def _provenance(trainer: Any) -> dict[str, Any]:
    return dict(getattr(trainer, "provenance", {}))


def _copy(source: Path, target: Path) -> None:
    """Give a file a second name in one step; it keeps its content, as checkpoints are replaced, never written into."""
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
    try:
        try:
            os.link(source, part)
        except OSError:
            shutil.copyfile(source, part)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
