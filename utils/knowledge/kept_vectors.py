"""Vector files that a step has written before: taken as they are, or refused with what is different."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from utils.context import RunContext
from utils.scenario.errors import StepError

if TYPE_CHECKING:
    from utils.data.embeddings import VectorFile


def kept_vectors(
    ctx: RunContext, parameter: str, name: str, told: Mapping[str, Any], other: Mapping[str, str]
) -> VectorFile | None:
    """What the file `name` holds where it says of itself just what is `told`; None where there is no such file.

    other: key of `told` -> what vectors are that say otherwise, in words, in the order in which it is told.
    StepError at `parameter` for vectors of anything else.
    """
    from utils.data.embeddings import VectorFileError, read_vectors

    path = ctx.vector_path(name)
    if not path.exists():
        return None
    try:
        there = read_vectors(path)
    except VectorFileError as error:
        raise StepError(parameter, f"{error}; set overwrite: True, or name another file") from error
    if there.meta == told:
        return there
    why = next((f"of {words}" for key, words in other.items() if there.meta.get(key) != told[key]), "of something else")
    raise StepError(parameter, f"{path} holds vectors {why}; set overwrite: True, or name another file")
