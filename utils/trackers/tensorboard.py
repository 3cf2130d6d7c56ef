"""TensorBoard: what RecBole's trainer leaves out, beside its own files in `log/tensorboard/<run_id>`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from utils.journal.index import flat
from utils.journal.outcome import outcome_of
from utils.journal.records import RunRecord
from utils.trackers.base import Tracker, tracker


@tracker("tensorboard")
class TensorBoard(Tracker):
    """Valid metrics of every epoch, test metrics, and the settings for the HPARAMS tab.

    RecBole writes the losses, its valid score and hyper-parameters of its own choice to `trainer-1`, `trainer-2`, ...
    TensorBoard never goes back to an earlier file of a folder, so these lie in `stage-<name>` and `hparams`.
    """

    package: ClassVar[str] = "tensorboard"
    install: ClassVar[str] = "tensorboard"

    def start(self, record: RunRecord, log_dir: Path) -> None:
        self._folder = log_dir / "tensorboard" / record.run_id
        self._writers: dict[str, Any] = {}

    def epoch(self, record: RunRecord, stage: str, facts: Mapping[str, Any]) -> None:
        # A resumed run tells its epochs again.
        writer = self._writer(stage, purge_step=facts["epoch"])
        for metric, value in facts["valid"].items():
            writer.add_scalar(f"Valid/{metric}", value, facts["epoch"])
        writer.flush()

    def end(self, record: RunRecord) -> None:
        for name, stage in record.stages.items():
            for metric, value in (stage.get("best_test_res") or {}).items():
                self._writer(name).add_scalar(f"Test/{metric}", value, stage.get("best_epoch") or 0)
        for writer in self._writers.values():
            writer.close()
        self._write_hparams(record)

    def _writer(self, stage: str, purge_step: int | None = None) -> Any:
        """The writer of a stage, opened where there is something to write."""
        from torch.utils.tensorboard import SummaryWriter

        if stage not in self._writers:
            self._writers[stage] = SummaryWriter(str(self._folder / f"stage-{stage}"), purge_step=purge_step)
        return self._writers[stage]

    def _write_hparams(self, record: RunRecord) -> None:
        from torch.utils.tensorboard import SummaryWriter
        from torch.utils.tensorboard.summary import hparams

        outcome = outcome_of(record)
        metrics = {f"hparam/{name}": value for name, value in outcome.metrics.items()} if outcome else {}
        experiment, session_start, session_end = hparams(flat(record.settings), metrics)
        # torch's `add_hparams` would say of every session that it succeeded.
        summaries = [experiment, session_start, *([session_end] if record.status == "done" else [])]
        with SummaryWriter(str(self._folder / "hparams")) as writer:
            for summary in summaries:
                writer.file_writer.add_summary(summary)
            for name, value in metrics.items():
                writer.add_scalar(name, value, 0)
