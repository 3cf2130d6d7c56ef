"""`init_model`: the recommender of `model:`."""

from __future__ import annotations

from typing import ClassVar

from utils.commands.base import Command, StepResult, command
from utils.context import RunContext
from utils.scenario.errors import StepError


@command("init_model")
class InitModel(Command):
    """Load the dataset, if that is not done, and build a freshly seeded model."""

    needs: ClassVar[frozenset[str]] = frozenset({"data"})
    gives: ClassVar[frozenset[str]] = frozenset({"model"})
    drops: ClassVar[frozenset[str]] = frozenset({"wrapper", "trainer", "trained"})
    draws: ClassVar[bool] = True

    def run(self, ctx: RunContext) -> StepResult:
        from models.transfer.layers import count_parameters
        from utils.recbole_port import session
        from utils.recbole_port.training import message_of

        data = ctx.data
        try:
            model = session.build_model(ctx.recbole_config(), data)
        except (ValueError, TypeError, KeyError, AssertionError, ImportError) as error:
            raise StepError(None, f"{ctx.settings['model']} cannot be built: {message_of(error)}") from error
        ctx.drop_trainer()
        ctx.model, ctx.wrapper = model, None
        ctx.transfer, ctx.outputs, ctx.trainable = {}, {}, []
        ctx.lineage, ctx.weights, ctx.loaded_from, ctx.unused_loss = [], "fresh", None, False
        total, _ = count_parameters(model)
        return StepResult(facts={"parameters": total}, summary=f"{type(model).__name__}, {total:,} parameters")
