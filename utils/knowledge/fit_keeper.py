"""The progress of a training on disk, so that one that was killed goes on where it was."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from utils.data.torch_files import load_plain, save_plain

_FORMAT = 1
_LOG = logging.getLogger(__name__)


class _ProgressError(ValueError):
    """A file of progress that cannot be read."""


class FileKeeper:
    """One training's progress in one file; a `models.training.fit_progress.Keeper`.

    unusable: why a file that was there is not used. The training then starts anew, which is always right.
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        """fingerprint: of all that decides on the training: parameters, data, module, kind of device. Progress that was
        made under another one is not gone on with."""
        self.path, self._fingerprint = path, fingerprint
        self.unusable: str | None = None

    def load(self) -> dict[str, Any] | None:
        """The state that was saved last, its tensors on the CPU; None where there is none, or none of use."""
        if not self.path.exists():
            return None
        try:
            content = load_plain(self.path, _ProgressError)
        except (_ProgressError, OSError) as error:
            self.unusable = str(error)
            return None
        if not isinstance(content, dict) or content.get("format") != _FORMAT:
            self.unusable = f"{self.path} was not written by this version of RecBridge"
        elif content["fingerprint"] != self._fingerprint:
            self.unusable = f"{self.path} is of a training with other parameters or on other data"
        else:
            return content["state"]
        return None

    def save(self, state: dict[str, Any]) -> None:
        """Write the state, whole or not at all. A disk that takes nothing is no reason to lose the training itself."""
        try:
            save_plain(self.path, {"format": _FORMAT, "fingerprint": self._fingerprint, "state": state})
        except (OSError, RuntimeError) as error:
            # torch's writer raises RuntimeError on a full disk.
            _LOG.warning("%s could not be written, a resumed training would train more again: %s", self.path, error)
