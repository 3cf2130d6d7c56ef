"""The layer tree of a scenario's model, without training anything."""

from __future__ import annotations

from utils.commands.base import Command
from utils.console import Console
from utils.scenario.errors import StepError
from utils.scenario.plan import Plan
from utils.scratch import changes_of_settings, scratch_context


class CannotBuild(ValueError):
    """A model that cannot be built; the message is an error screen."""


def tree_of(plan: Plan, console: Console) -> str:
    """Load the data, build the model, and show its layers with the numbers that `set_outputs` takes."""
    from models.transfer.layers import tree_text

    with scratch_context(plan, console) as ctx:
        for command in _up_to_the_model(plan):
            try:
                command.run(ctx)
            except StepError as error:
                raise CannotBuild(plan.source.problem(("model",), error.message, at_key=True).render()) from error
        return tree_text(ctx.model)


def _up_to_the_model(plan: Plan) -> list[Command]:
    """What changes the first model, and making it."""
    from utils.commands.init_model import InitModel

    commands = [step.command for step in plan.steps]
    first = next((index for index, one in enumerate(commands) if isinstance(one, InitModel)), 0)
    return [*changes_of_settings(commands[:first]), InitModel()]
