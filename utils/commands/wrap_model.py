"""`wrap_model`: attach transfer losses to the model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from utils.commands.base import Command, Complaint, PlanView, StepResult, command
from utils.commands.loss_checks import check_loss, check_taps
from utils.commands.loss_spec import Loaded, LossParameters, NamedLoss, term_of
from utils.context import RunContext, told_of
from utils.journal.outcome import CONTROL_NAMES
from utils.scenario.errors import StepError

if TYPE_CHECKING:
    from models.transfer.teachers import Side
    from models.transfer.wrapper import Term

# It stands in the line of each epoch, in record and curves.
_NAME = re.compile(r"[A-Za-z][\w-]*")
# What the model's own loss is called among several.
MODEL = "model"


@command("wrap_model")
class WrapModel(LossParameters, Command):
    """Put one loss between tapped layers and vectors of users or items, or several.

    With one, whose layers `set_outputs` names, nothing changes in the model until outputs are set. Several are named
    under `losses`, each with its outputs, vectors and weight; their weighted sum is the transfer loss.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"model"})
    gives: ClassVar[frozenset[str]] = frozenset({"wrapper"})
    distil_loss: str | None = Field(None, description="A loss of ours, one of LLM-KT's names, or a class of your own.")
    losses: Annotated[dict[str, NamedLoss], Field(min_length=1)] | None = Field(
        None, description="Several losses by names of your own, instead of distil_loss."
    )

    def takes_vectors(self, settings: Mapping[str, Any]) -> bool:
        return True

    def check(self, view: PlanView) -> Iterable[Complaint]:
        if (self.distil_loss is None) == (self.losses is None):
            what = "both are given" if self.losses else "there is no loss"
            yield Complaint((), f"{what}; give distil_loss, whose layers set_outputs names, or several under losses")
        elif self.distil_loss is not None:
            yield from check_loss(self.distil_loss, self, (), "distil_loss", view)
        elif given := sorted(self.model_fields_set & LossParameters.model_fields.keys()):
            yield Complaint((given[0],), f"each of several losses has its own {given[0]}; put it under losses")
        for taken in {MODEL, "loss"} & set(self.losses or ()):
            yield Complaint(("losses", taken), "the model's own loss has this name; take another")
        for name, loss in (self.losses or {}).items():
            if not _NAME.fullmatch(name):
                yield Complaint(("losses", name), f"got '{name}'; accepted: a name of letters, digits, _ and -")
            yield from check_loss(loss.loss, loss, ("losses", name), "loss", view)
            if isinstance(loss.outputs, list):
                yield from check_taps({"outputs": loss.outputs}, ("losses", name))
            else:
                if not loss.taps():
                    yield Complaint(("losses", name, "outputs"), "there is nothing to tap; give users, items or a list")
                yield from check_taps(loss.taps(), ("losses", name, "outputs"))
        masking = [name for name, loss in (self.losses or {}).items() if loss.mask is not None]
        if len(masking) > 1:
            message = f"'{masking[0]}' hides rows already; one loss can say what is hidden from the model"
            yield Complaint(("losses", masking[1], "mask"), message)

    def run(self, ctx: RunContext) -> StepResult:
        from models.transfer.layers import LayerError
        from models.transfer.wrapper import Facts, TransferError, TransferWrapper
        from utils.recbole_port import session

        if ctx.outputs:
            raise StepError(None, "the model still has outputs of an earlier wrap_model; put remove_outputs before it")
        config = ctx.recbole_config()
        terms: dict[str, Term] = {}
        coverage: dict[str, dict[Side, str]] = {}
        loaded: Loaded = {}
        for name, (loss_name, given, at) in self._given().items():
            terms[name], coverage[name] = term_of(ctx, loss_name, given, at, loaded)
        if ctx.is_plain:
            return StepResult(facts={"plain": True}, summary="the plain twin: nothing is transferred")
        fields = session.id_fields(config, ctx.data)
        facts = Facts(config, ctx.data.full_train._dataset)
        try:
            ctx.wrapper = TransferWrapper(ctx.model, fields, terms, ctx.transfer_weight, facts)
        except (TransferError, LayerError) as error:
            raise StepError("losses" if self.losses else "distil_loss", str(error)) from error
        ctx.transfer, ctx.outputs, ctx.unused_loss = self._told(ctx), {}, self.losses is None
        ctx.transfer["vectors"] = [told_of(teacher) for term in terms.values() for teacher in term.teachers]
        for name, loss in (self.losses or {}).items():
            self._tap(ctx, name, loss)
        covered = dict.fromkeys(text for sides in coverage.values() for text in sides.values())
        names = ", ".join(loss_name for loss_name, *_ in self._given().values())
        return StepResult(
            facts={**ctx.transfer, "coverage": coverage if self.losses else coverage[""]},
            summary=f"{names}, vectors for {' and '.join(covered)}{_in_words(terms)}",
        )

    def _given(self) -> dict[str, tuple[str, LossParameters, str]]:
        """Name -> (loss, its parameters, where these stand); the only one has no name."""
        if self.losses is None:
            return {"": (str(self.distil_loss), self, "")}
        return {name: (loss.loss, loss, f"losses.{name}.") for name, loss in self.losses.items()}

    def _tap(self, ctx: RunContext, name: str, loss: NamedLoss) -> None:
        from models.transfer.layers import LayerError
        from models.transfer.taps import TapError
        from models.transfer.wrapper import TransferError

        assert ctx.wrapper is not None
        for side, taps in loss.taps().items():
            try:
                ctx.wrapper.set_outputs(taps, None if side == "layers" else side, name)  # type: ignore[arg-type]
            except (LayerError, TapError, TransferError) as error:
                raise StepError(f"losses.{name}.outputs", str(error)) from error
        ctx.outputs[name] = loss.taps()

    def _told(self, ctx: RunContext) -> dict[str, Any]:
        """What the record says of the transfer: in LLM-KT's words, and in full where there is more."""
        given = list(self._given().values())
        files = [parameters.files(loss_name, ctx.settings) for loss_name, parameters, _ in given]
        told: dict[str, Any] = {
            "loss_name": " + ".join(loss_name for loss_name, *_ in given),
            "users_emb": _together(chosen.get("users") for chosen in files),
            "items_emb": _together(chosen.get("items") for chosen in files),
            "particular": any(parameters.particular for _, parameters, _ in given),
        }
        if self.losses is not None:
            told["losses"] = {name: loss.model_dump(exclude_unset=True) for name, loss in self.losses.items()}
            told["loss_parts"] = [MODEL, *self.losses]
        return told


def _in_words(terms: Mapping[str, Term]) -> str:
    """What the vectors are, where they are no knowledge."""
    kinds = dict.fromkeys(teacher.control for term in terms.values() for teacher in term.teachers)
    named = [CONTROL_NAMES[kind] for kind in kinds if kind != "none"]
    return f" ({' and '.join(named)})" if named else ""


def _together(names: Iterable[str | None]) -> str | None:
    distinct = dict.fromkeys(name for name in names if name)
    return ", ".join(distinct) or None
