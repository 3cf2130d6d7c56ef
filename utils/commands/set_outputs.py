"""`set_outputs`: tap layers or methods for the transfer loss."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from utils.commands.base import Command, Complaint, PlanView, StepResult, command
from utils.commands.loss_checks import check_taps
from utils.commands.loss_spec import Taps
from utils.commands.wrap_model import WrapModel
from utils.context import RunContext
from utils.scenario.errors import StepError


@command("set_outputs", "set_output")
class SetOutputs(Command):
    """Compare these layers with the vectors; numbers as in `info`, dotted names, globs, or methods.

    A tap is `name[item]:io#call`: `9`, `item_embedding#2`, `forward[0]`, `mlp_layers:input`.
    With vectors of both sides, say whose each tap is: {users: [...], items: [...]}.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"wrapper"})
    shorthand: ClassVar[tuple[str, ...]] = ("layers",)
    layers: Taps | None = None
    users: Taps | None = None
    items: Taps | None = None

    def check(self, view: PlanView) -> Iterable[Complaint]:
        wraps = [earlier for earlier in view.earlier if isinstance(earlier, WrapModel)]
        if wraps and wraps[-1].losses is not None:
            yield Complaint((), "the losses of wrap_model have outputs of their own; remove this step")
        if self.layers is None and self.users is None and self.items is None:
            yield Complaint((), "there is nothing to tap; give a list of layers")
        given = {name: getattr(self, name) for name in ("layers", "users", "items")}
        yield from check_taps({name: taps for name, taps in given.items() if taps})

    def run(self, ctx: RunContext) -> StepResult:
        from models.transfer.layers import LayerError
        from models.transfer.taps import TapError
        from models.transfer.wrapper import TransferError

        if ctx.is_plain:
            return StepResult(summary="the plain twin: nothing is tapped")
        assert ctx.wrapper is not None
        places: list[str] = []
        for name, side in (("layers", None), ("users", "users"), ("items", "items")):
            selectors = getattr(self, name)
            if not selectors:
                continue
            try:
                places += ctx.wrapper.set_outputs(selectors, side)  # type: ignore[arg-type]
            except (LayerError, TapError, TransferError) as error:
                raise StepError(name, str(error)) from error
            ctx.outputs[name] = [*ctx.outputs.get(name, []), *selectors]
        ctx.unused_loss = False
        return StepResult(facts={"taps": places}, summary="; ".join(places))
