"""The layer tree of a scenario's model, without training anything."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path

from utils.console import Console
from utils.context import RunContext
from utils.journal.records import RunRecord
from utils.scenario.errors import StepError
from utils.scenario.plan import Plan


class CannotBuild(ValueError):
    """A model that cannot be built; the message is an error screen."""


def tree_of(plan: Plan, console: Console) -> str:
    """Load the data, build the model, and show its layers with the numbers that `set_outputs` takes."""
    from models.transfer.layers import tree_text
    from utils.commands.init_model import InitModel
    from utils.recbole_port.session import kept_process_state

    with tempfile.TemporaryDirectory() as folder, kept_process_state(plan.settings.get("threads")):
        record = RunRecord("info", str(plan.path), dict(plan.settings))
        ctx = RunContext(copy.deepcopy(plan.settings), record, Path(folder), plan.path, console)
        try:
            InitModel().run(ctx)
        except StepError as error:
            raise CannotBuild(plan.source.problem(("model",), error.message, at_key=True).render()) from error
        return tree_text(ctx.model)
