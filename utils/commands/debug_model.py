"""`debug_model`: the parameters of one layer."""

from __future__ import annotations

from typing import ClassVar

from utils.commands.base import Command, StepResult, command
from utils.context import RunContext
from utils.scenario.errors import StepError


@command("debug_model")
class DebugModel(Command):
    """Show each parameter of a layer: shape, mean, deviation, whether it is trainable."""

    needs: ClassVar[frozenset[str]] = frozenset({"model"})
    shorthand: ClassVar[tuple[str, ...]] = ("layer",)
    layer: int | str

    def run(self, ctx: RunContext) -> StepResult:
        from models.transfer.layers import LayerError, select

        try:
            layers = select(ctx.model, [self.layer])
        except LayerError as error:
            raise StepError("layer", str(error)) from error
        lines = []
        for layer in layers:
            lines.append(layer.line())
            for name, value in layer.module.named_parameters():
                spread = float(value.detach().float().std(unbiased=False))
                state = "trainable" if value.requires_grad else "frozen"
                lines.append(
                    f"        {name} {list(value.shape)} mean {float(value.detach().float().mean()):.4g} "
                    f"std {spread:.4g} {state}"
                )
        return StepResult(facts={"layers": [layer.path for layer in layers]}, show="\n".join(lines))
