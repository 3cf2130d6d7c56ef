"""`init_embeddings`: start user or item tables from vectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from utils.commands.base import Command, Complaint, PlanView, StepResult, command
from utils.context import RunContext
from utils.journal.outcome import CONTROL_NAMES
from utils.knowledge.vectors import Missing, load_vectors
from utils.scenario.errors import StepError
from utils.scenario.vector_names import VectorFileName

if TYPE_CHECKING:
    from models.transfer.tables import Table
    from models.transfer.teachers import Side, Teacher

SIDES: tuple[Side, Side] = ("users", "items")


@command("init_embeddings")
class InitEmbeddings(Command):
    """Let tables of users or items start from their vectors, as long as the rows that they replace.

    Vectors wider than the table are reduced by PCA. Everything else of the model stays as init_model made it.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"model"})
    users_emb_file: VectorFileName | None = Field(None, description="Vectors of users.")
    items_emb_file: VectorFileName | None = Field(None, description="Vectors of items.")
    users_table: int | str | None = Field(None, description="The table of users, where the model has several.")
    items_table: int | str | None = Field(None, description="The table of items, where the model has several.")
    scale: Literal["table", "none"] = Field(
        "table", description="table: the mean length becomes that of the rows that are replaced."
    )
    trainable: bool = Field(True, description="False: the tables stay as they start.")
    missing: Missing = Field("skip", description="What stands in for rows without a vector; skip: their own start.")
    control: Literal["none", "random", "shuffled"] = Field(
        "none", description="random: directions that say nothing, as long as the vectors; shuffled: wrong owners."
    )

    def takes_vectors(self, settings: Mapping[str, Any]) -> bool:
        return True

    def check(self, view: PlanView) -> Iterable[Complaint]:
        if self.users_emb_file is None and self.items_emb_file is None:
            yield Complaint((), "there are no vectors to start from; give users_emb_file or items_emb_file")
        for side in SIDES:
            name, table = getattr(self, f"{side}_emb_file"), getattr(self, f"{side}_table")
            yield from view.bad_vectors(f"{side}_emb_file", name)
            if table is not None and name is None:
                yield Complaint(
                    (f"{side}_table",), f"no vectors of {side} are given; give {side}_emb_file, or remove it"
                )
            if isinstance(table, int) and table < 1:
                yield Complaint((f"{side}_table",), f"no layer {table}: layers start at 1 (the model itself)")
        since = [step.name for step in view.earlier]
        if "train" in since and "init_model" not in since[since.index("train") :]:
            yield Complaint((), "the model has been trained; put it before 'train', or a new 'init_model' before it")

    def run(self, ctx: RunContext) -> StepResult:
        from models.transfer.tables import start_from

        facts: dict[str, Any] = {}
        teachers: dict[str, Teacher] = {}
        told = []
        for side in SIDES:
            name = getattr(self, f"{side}_emb_file")
            if name is None:
                continue
            table, parameter = self._table(ctx, side), f"{side}_emb_file"
            teacher, coverage = load_vectors(
                ctx, side, name, parameter, self.missing, self.control, partial(_as_wide_as, table, parameter)
            )
            if ctx.is_plain:
                continue
            teachers[table.path] = teacher
            factor = start_from(table.module, teacher, self.scale == "table", not self.trainable)
            facts[side] = {"table": table.path, "factor": factor, "coverage": coverage}
            if not self.trainable:
                ctx.frozen_vectors = [*ctx.frozen_vectors, f"{table.path}.weight"]
            kind = "" if teacher.control == "none" else f" ({CONTROL_NAMES[teacher.control]})"
            told.append(f"{table.path} from {teacher.source}{kind}, {coverage}, times {factor:.3g}")
        if ctx.is_plain:
            return StepResult(facts={"plain": True}, summary="the plain twin: the tables keep their own start")
        ctx.carry(self.name, self.model_dump(exclude_unset=True), teachers)
        return StepResult(facts=facts, summary="; ".join(told) + ("" if self.trainable else ", frozen"))

    def _table(self, ctx: RunContext, side: Side) -> Table:
        from models.transfer.layers import LayerError
        from models.transfer.tables import named_table, only_table
        from utils.recbole_port import session

        fields, name = session.id_fields(ctx.recbole_config(), ctx.data), getattr(self, f"{side}_table")
        try:
            if name is None:
                return only_table(ctx.model, side, fields)
            return named_table(ctx.model, name, side, fields)
        except LayerError as error:
            how = f" (here: {side}_table: NAME)" if name is None else ""
            raise StepError(None if name is None else f"{side}_table", f"{error}{how}") from error


def _as_wide_as(table: Table, parameter: str, teacher: Teacher) -> Teacher:
    """The vectors as wide as the table, by PCA where they are wider; StepError where they are narrower."""
    from utils.data.reduce.base import ReduceError
    from utils.data.reduce.methods import reduce_vectors

    width = table.module.embedding_dim
    if teacher.width == width:
        return teacher
    if teacher.width < width:
        raise StepError(
            parameter, f"{teacher.source} is {teacher.width} wide, {table.path} {width}; encode wider vectors"
        )
    try:
        reduced = reduce_vectors(teacher.vectors[teacher.present], width, "pca").vectors
    except ReduceError as error:
        raise StepError(parameter, f"{teacher.source}: {error}") from error
    vectors = reduced.new_zeros(len(teacher.vectors), width)
    vectors[teacher.present] = reduced
    return replace(teacher, vectors=vectors, source=f"{teacher.source} ({teacher.width} -> {width} by pca)")
