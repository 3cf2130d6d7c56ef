"""`load_from_file`: resume a checkpoint."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from utils.commands.base import Command, Complaint, PlanView, StepResult, command
from utils.context import RunContext
from utils.scenario.errors import StepError


@command("load_from_file")
class LoadFromFile(Command):
    """Load weights, optimizer and epoch of a checkpoint; `train` goes on from there."""

    needs: ClassVar[frozenset[str]] = frozenset({"trainer"})
    gives: ClassVar[frozenset[str]] = frozenset({"trained"})
    shorthand: ClassVar[tuple[str, ...]] = ("path",)
    path: str

    def check(self, view: PlanView) -> Iterable[Complaint]:
        if not Path(self.path).is_file():
            yield Complaint(("path",), f"no file {self.path}")

    def run(self, ctx: RunContext) -> StepResult:
        from utils.recbole_port.checkpoints import apply_learner_settings
        from utils.recbole_port.training import message_of

        own = ctx.trainer.saved_model_file
        ctx.trainer.provenance = ctx.provenance()
        try:
            ctx.trainer.resume_checkpoint(self.path)
        except ValueError as error:
            raise StepError("path", message_of(error)) from error
        except (KeyError, RuntimeError, TypeError, EOFError) as error:
            raise StepError("path", f"{self.path} is no checkpoint: {message_of(error)}") from error
        apply_learner_settings(ctx.trainer)
        # RecBole would go on to write into the file that it has just read. Until an epoch is better than
        # what was loaded, that is the best model of this run. The old file may have a second name in `resume`.
        Path(own).unlink(missing_ok=True)
        shutil.copyfile(self.path, own)
        ctx.trainer.saved_model_file = own
        epoch = int(ctx.trainer.start_epoch)
        ctx.weights, ctx.lineage = "file", []
        ctx.loaded_from = {"path": self.path, **ctx.trainer.loaded_provenance}
        counts = ctx.trainer.resumes_score
        note = "" if counts else "; its best score was measured in another way and does not count"
        return StepResult(
            facts={"path": self.path, "start_epoch": epoch, "resumes_score": counts},
            summary=f"{self.path}, goes on at epoch {epoch}{note}",
        )
