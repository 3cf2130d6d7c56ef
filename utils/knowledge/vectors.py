"""Vectors of users or items as a recommender takes them: the right rows, no leak, gaps and controls as asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from utils.context import RunContext
from utils.scenario.errors import StepError

if TYPE_CHECKING:
    from models.transfer.teachers import Control, Side, Teacher
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
    shape: Callable[[Teacher], Teacher] = lambda teacher: teacher,
) -> tuple[Teacher, str]:
    """(vectors [n_rows, dim] in RecBole's row order, what to say of their coverage).

    parameter: of the command, for errors. control: the command's own; a scenario that runs as a control is stronger.
    shape: makes the vectors as wide as they are wanted, before anything is put in their place: random ones shall be
        as long as these, and a reduction would shorten them.
    StepError for a file that cannot be used: unreadable, of another dataset or side, or from another train part.
    """
    from models.transfer.teachers import Teacher
    from utils.data.embeddings import RANDOM, VectorFileError, align
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
    kind: Control = "random" if file.meta.get("source") == RANDOM else "none"
    teacher = shape(Teacher(side, aligned.vectors, aligned.present, name, kind))
    chosen = ctx.settings.get("control") or control
    return _controlled(teacher, chosen, config["seed"], parameter, missing), aligned.coverage(side)


def _controlled(teacher: Teacher, control: str, seed: int, parameter: str, missing: Missing) -> Teacher:
    """The control of these vectors, or they themselves, with their gaps filled."""
    from models.transfer.controls import random_directions, shuffled

    if control == "shuffled":
        # Before the gaps are filled: what stands in for a missing vector has no owner.
        return _filled(shuffled(teacher, seed), parameter, missing)
    filled = _filled(teacher, parameter, missing)
    return random_directions(filled, seed) if control == "random" else filled


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
