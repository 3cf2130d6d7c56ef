"""The layer tree of a scenario's model, without training anything."""

from __future__ import annotations

import copy
import tempfile
import warnings
from pathlib import Path

from utils.commands.base import Command
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
    from utils.recbole_port.session import kept_process_state

    with tempfile.TemporaryDirectory() as folder, kept_process_state(plan.settings.get("threads")):
        record = RunRecord("info", str(plan.path), dict(plan.settings))
        ctx = RunContext(copy.deepcopy(plan.settings), record, Path(folder), plan.path, console)
        # RecBole's and torch's warnings are for developers; a run keeps them in its log.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for command in _up_to_the_model(plan):
                try:
                    command.run(ctx)
                except StepError as error:
                    raise CannotBuild(plan.source.problem(("model",), error.message, at_key=True).render()) from error
        return tree_text(ctx.model)


def _up_to_the_model(plan: Plan) -> list[Command]:
    """What changes the first model, and making it."""
    from utils.commands.init_model import InitModel
    from utils.commands.set import Set
    from utils.commands.set_config import SetConfig

    commands = [step.command for step in plan.steps]
    first = next((index for index, one in enumerate(commands) if isinstance(one, InitModel)), 0)
    return [*(one for one in commands[:first] if isinstance(one, (Set, SetConfig))), InitModel()]
