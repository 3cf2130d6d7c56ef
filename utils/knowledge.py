"""Vectors of users or items as a recommender takes them: the right rows, no leak, gaps and controls as asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from utils.context import RunContext
from utils.scenario.errors import StepError

if TYPE_CHECKING:
    from models.transfer.controls import Control
    from models.transfer.teachers import Side, Teacher
    from utils.data.embeddings import VectorFile

# What stands in for the vector of a row that has none: nothing, zeros, the mean of all others; or none may be missing.
Missing = Literal["skip", "zero", "mean", "error"]


def read_file(path: Path) -> VectorFile:
    """The vectors of a `.pt` file, or of a profile JSON; VectorFileError for one that cannot be used."""
    from utils.data.embeddings import read_vectors
    from utils.data.preprocess import vectors_from_json

    return read_vectors(path) if path.suffix == ".pt" else vectors_from_json(path)


def load_vectors(
    ctx: RunContext,
    side: Side,
    name: str,
    parameter: str,
    missing: Missing = "skip",
    control: Control = "none",
) -> tuple[Teacher, str]:
    """(vectors [n_rows, dim] in RecBole's row order, what to say of their coverage).

    parameter: of the command, for errors. control: the command's own; a scenario that runs as a control is stronger.
    StepError for a file that cannot be used: unreadable, of another dataset or side, or from another train part.
    """
    from models.transfer.teachers import Teacher
    from utils.data.embeddings import VectorFileError, align
    from utils.recbole_port import session
    from utils.recbole_port.train_part import file_tokens

    config = ctx.recbole_config()
    path: Path = ctx.vector_path(name)
    field = config["USER_ID_FIELD" if side == "users" else "ITEM_ID_FIELD"]
    starts_with_1 = bool(ctx.llm_config.get(f"{side}_start_with_1", True))
    try:
        file = read_file(path)
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
    teacher = Teacher(side, aligned.vectors, aligned.present, name)
    return _filled(_controlled(ctx, teacher, control), parameter, missing), aligned.coverage(side)


def _controlled(ctx: RunContext, teacher: Teacher, control: Control) -> Teacher:
    from models.transfer.controls import CONTROLS

    chosen = ctx.settings.get("control") or control
    return CONTROLS[chosen](teacher, ctx.recbole_config()["seed"]) if chosen in CONTROLS else teacher


def _filled(teacher: Teacher, parameter: str, missing: Missing) -> Teacher:
    if missing == "skip" or teacher.complete:
        return teacher
    rows = ~teacher.present
    rows[0] = False
    if missing == "error":
        noun = f"{int(rows.sum()):,} of {len(rows) - 1:,} {teacher.side}"
        raise StepError(parameter, f"{noun} have no vector in {teacher.source}; missing: skip leaves them out")
    vectors = teacher.vectors.clone()
    vectors[rows] = teacher.vectors[teacher.present].mean(dim=0) if missing == "mean" else 0.0
    return replace(teacher, vectors=vectors, present=teacher.present | rows)
