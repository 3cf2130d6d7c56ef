"""`set_outputs`: tap layers or methods for the transfer loss."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar

from pydantic import Field

from utils.commands.base import Command, Complaint, PlanView, StepResult, command
from utils.context import RunContext
from utils.scenario.errors import StepError

Taps = Annotated[list[int | str], Field(min_length=1)]


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
        from models.transfer.taps import Tap, TapError

        if self.layers is None and self.users is None and self.items is None:
            yield Complaint((), "there is nothing to tap; give a list of layers")
        for name in ("layers", "users", "items"):
            for index, selector in enumerate(getattr(self, name) or []):
                if isinstance(selector, int) and selector < 1:
                    yield Complaint((name, index), f"no layer {selector}: layers start at 1 (the model itself)")
                    continue
                try:
                    Tap.parse(selector)
                except TapError as error:
                    yield Complaint((name, index), str(error))

    def run(self, ctx: RunContext) -> StepResult:
        from models.transfer.layers import LayerError
        from models.transfer.taps import TapError
        from models.transfer.wrapper import TransferError

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
