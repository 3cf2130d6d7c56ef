"""What occurs together in the train part, for a reduction that keeps it close: of the rows of one vector file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from utils.context import RunContext
from utils.scenario.errors import StepError

if TYPE_CHECKING:
    import scipy.sparse as sp

    from models.transfer.teachers import Side
    from utils.data.embeddings import VectorFile


def fitted_to(ctx: RunContext, name: str, file: VectorFile, side: Side | None) -> dict[str, Any]:
    """What is true of vectors that this run's train part went into: whose they are, and which split they fit.

    name: of the file, for errors. side: whose vectors they are, where the file does not say.
    StepError for a file of another dataset, side or train part.
    """
    from utils.data.embeddings import UNKNOWN

    said, dataset = file.meta.get("side"), file.meta.get("dataset")
    whose = side or said
    if whose is None:
        raise StepError("side", f"{name} does not say whose vectors it holds; give side: users or side: items")
    if said not in (None, whose):
        raise StepError("side", f"{name} holds vectors of {said}, not of {whose}")
    if dataset not in (None, ctx.settings["dataset"]):
        raise StepError("file_in", f"{name} holds vectors of {dataset}, not of {ctx.settings['dataset']}")
    if file.meta.get("train_fingerprint") not in (None, ctx.train_fingerprint):
        raise StepError(
            "file_in",
            f"{name} was written from another train part than this run's, so it may hold test items; "
            "encode it again under this scenario's split and seed",
        )
    found = {"side": whose, "train_fingerprint": ctx.train_fingerprint}
    return found if file.origin_known else {**found, "origin": UNKNOWN}


def baskets(ctx: RunContext, name: str, file: VectorFile, side: Side) -> tuple[sp.csr_matrix, str]:
    """(the train part's baskets over the rows of the file [n_baskets, n_rows], how many of the rows are in any).

    A basket is a user's items, or where the rows are users, an item's users. StepError where no row is in any.
    """
    from utils.data.embeddings import VectorFileError, row_tokens
    from utils.data.reduce.baskets import baskets_of
    from utils.recbole_port.train_part import file_tokens, train_pairs

    config = ctx.recbole_config()
    users, items = config["USER_ID_FIELD"], config["ITEM_ID_FIELD"]
    pairs = train_pairs(config, ctx.data)
    members, holders = (pairs[users], pairs[items]) if side == "users" else (pairs[items], pairs[users])
    starts_with_1 = bool(ctx.llm_config.get(f"{side}_start_with_1", True))
    try:
        tokens = row_tokens(ctx.vector_path(name), file, side, starts_with_1, lambda: file_tokens(config, side))
    except VectorFileError as error:
        raise StepError("file_in", str(error)) from error
    found = baskets_of(tokens, members, holders)
    occurring = len(set(found.indices.tolist()))
    if occurring == 0:
        examples = [", ".join(map(str, some[:3])) for some in (tokens, members.unique())]
        raise StepError(
            "file_in",
            f"none of its tokens ({examples[0]}, ...) is one of the {side} of the train part ({examples[1]}, ...); "
            "it was made for another dataset, or for the other side",
        )
    return found, f", smooth over {occurring:,} of {len(tokens):,} {side}"
