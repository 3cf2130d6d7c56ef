"""`wrap_model`: attach a transfer loss to the model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from utils.commands.base import Command, Complaint, PlanView, StepResult, command
from utils.context import RunContext
from utils.registry import BrokenModule, UnknownName
from utils.scenario.errors import StepError
from utils.scenario.vector_names import VectorFileName

if TYPE_CHECKING:
    from models.transfer.teachers import Side, Teacher


@command("wrap_model")
class WrapModel(Command):
    """Put `distil_loss` between tapped layers (see `set_outputs`) and vectors of users or items.

    Nothing changes in the model until outputs are set.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"model"})
    gives: ClassVar[frozenset[str]] = frozenset({"wrapper"})
    distil_loss: str = Field(description="A loss of ours, one of LLM-KT's names, or a class of your own.")
    users_emb_file: VectorFileName | None = Field(
        None, description="Vectors of users; llm_config's default when absent."
    )
    items_emb_file: VectorFileName | None = Field(
        None, description="Vectors of items; llm_config's default when absent."
    )
    particular: bool = Field(False, description="Compare only the first columns of a wider layer.")
    rows: Literal["auto", "batch", "table"] = Field(
        "auto", description="What dim 0 of a tap is, if it fits two things."
    )

    def files(self, settings: Mapping[str, Any]) -> dict[Side, str]:
        """The vector file of each side that this loss uses."""
        config = settings.get("llm_config") or {}
        users = self.users_emb_file
        items = self.items_emb_file
        if users is None and config.get("use_user_emb", True):
            users = config.get("default_users_emb_file")
        if items is None and config.get("use_item_emb", False):
            items = config.get("default_items_emb_file")
        side = _side_of(self.distil_loss)
        chosen: dict[Side, str] = {}
        if users and side != "items":
            chosen["users"] = users
        if items and side != "users":
            chosen["items"] = items
        return chosen

    def check(self, view: PlanView) -> Iterable[Complaint]:
        from models.losses import find_loss

        try:
            find_loss(self.distil_loss, str(view.settings.get("model")))
        except BrokenModule as error:
            yield Complaint(("distil_loss",), f"looking for '{self.distil_loss}': {error}")
            return
        except UnknownName as error:
            known = (
                " (named in seven of LLM-KT's files, but defined nowhere)"
                if self.distil_loss == "AutoIntUserCosSim"
                else ""
            )
            yield Complaint(("distil_loss",), f"{error}{known}")
            return
        files = self.files(view.settings)
        if not files:
            yield Complaint((), "there are no vectors to transfer; give users_emb_file or items_emb_file")
        for parameter, side in (("users_emb_file", "users"), ("items_emb_file", "items")):
            given = getattr(self, parameter)
            if given is not None and side not in files:
                yield Complaint((parameter,), f"{self.distil_loss} does not compare {side}; remove it")
            told_by = "" if given is not None else f" (llm_config.default_{parameter} names it)"
            yield from view.bad_vectors(parameter, dict(files).get(side), told_by)  # type: ignore[call-overload]

    def run(self, ctx: RunContext) -> StepResult:
        from models.losses import find_loss
        from models.transfer.wrapper import Facts, TransferError, TransferWrapper
        from utils.recbole_port import session

        if ctx.outputs:
            raise StepError(None, "the model still has outputs of an earlier wrap_model; put remove_outputs before it")
        config = ctx.recbole_config()
        teachers, coverage = [], {}
        for side, name in self.files(ctx.settings).items():
            teacher, coverage[side] = self._teacher(ctx, side, name)
            teachers.append(teacher)
        try:
            ctx.wrapper = TransferWrapper(
                ctx.model,
                session.id_fields(config, ctx.data),
                find_loss(self.distil_loss, ctx.settings["model"]),
                teachers,
                weight=ctx.transfer_weight,
                particular=self.particular,
                rows=self.rows,
                facts=Facts(config, ctx.data.full_train._dataset),
            )
        except TransferError as error:
            raise StepError("distil_loss", str(error)) from error
        files = self.files(ctx.settings)
        facts = {
            "loss_name": self.distil_loss,
            "users_emb": files.get("users"),
            "items_emb": files.get("items"),
            "particular": self.particular,
        }
        ctx.transfer, ctx.outputs, ctx.unused_loss = dict(facts), {}, True
        return StepResult(
            facts={**facts, "coverage": coverage},
            summary=f"{self.distil_loss}, vectors for {' and '.join(coverage.values())}",
        )

    def _teacher(self, ctx: RunContext, side: Side, name: str) -> tuple[Teacher, str]:
        from models.transfer.teachers import Teacher
        from utils.data.embeddings import VectorFileError, align, read_vectors
        from utils.recbole_port import session
        from utils.recbole_port.train_part import file_tokens

        config = ctx.recbole_config()
        parameter = f"{side}_emb_file"
        path: Path = ctx.vector_path(name)
        field = config["USER_ID_FIELD" if side == "users" else "ITEM_ID_FIELD"]
        starts_with_1 = bool(ctx.llm_config.get(f"{side}_start_with_1", True))
        try:
            file = read_vectors(path)
            ids = session.id_map(ctx.data, field)
            aligned = align(path, file, ids, side, starts_with_1, lambda: file_tokens(config, side))
        except VectorFileError as error:
            raise StepError(parameter, str(error)) from error
        for key, here in (("side", side), ("dataset", ctx.settings["dataset"])):
            if file.meta.get(key, here) != here:
                raise StepError(parameter, f"{name} holds vectors of {file.meta[key]}, not of {here}")
        written_from = file.meta.get("train_fingerprint")
        if written_from is not None and written_from != ctx.train_fingerprint:
            raise StepError(
                parameter,
                f"{name} was written from another train part than this run's, so it may hold test items; "
                "encode it again (and reduce it again) under this scenario's split and seed",
            )
        if side == "users" and not file.origin_known:
            ctx.console.line(f"        note: {name} does not say what it was written from; test items may be in it")
        return Teacher(side, aligned.vectors, aligned.present, name), aligned.coverage(side)


def _side_of(loss_name: str) -> str | None:
    """The one side that a loss of LLM-KT's compares; None for a loss that takes either."""
    from models.losses.legacy import LEGACY_LOSSES

    legacy = LEGACY_LOSSES.get(loss_name)
    return legacy.side if legacy else None
