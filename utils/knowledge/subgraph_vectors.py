"""What subgraphs say of users and items, as vector files that any recommender can be given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from utils.context import RunContext
from utils.knowledge.kept_vectors import kept_vectors
from utils.scenario.errors import StepError

# What a file says of itself, in words for one that says otherwise, in the order in which it is told.
_OTHER = {
    "side": "the other side",
    "dataset": "another dataset",
    "train_fingerprint": "another train part",
    "encoder": "another encoder",
    "subgraphs": "other subgraphs, or of a graph with other parameters",
}

if TYPE_CHECKING:
    import torch

    from utils.commands.retrieve_subgraph import RetrieveSubgraph
    from utils.data.sides import Side
    from utils.retrieval.base import Index
    from utils.retrieval.store import SubgraphFile


def write_vectors_of(ctx: RunContext, asked: RetrieveSubgraph, index: Index, file: SubgraphFile) -> dict[str, int]:
    """Write the vectors of users and items that are asked for; how many rows each has, by parameter."""
    from utils.retrieval.pooled import item_vectors, user_vectors

    rows: dict[str, int] = {}
    if asked.users_emb_file is not None:
        vectors, present = user_vectors(index, file.retrieved)
        rows["users_emb_file"] = _write(ctx, asked, "users", file.users, vectors, present, file.fingerprint)
    if asked.items_emb_file is not None:
        vectors, present = item_vectors(index)
        rows["items_emb_file"] = _write(ctx, asked, "items", index.items.tokens, vectors, present, index.fingerprint)
    return rows


def _write(
    ctx: RunContext,
    asked: RetrieveSubgraph,
    side: Side,
    tokens: Sequence[str],
    vectors: torch.Tensor,
    present: torch.Tensor,
    content: str,
) -> int:
    from utils.data.embeddings import VectorFile, write_vectors

    parameter = f"{side}_emb_file"
    name = getattr(asked, parameter)
    told = {
        "side": side,
        "dataset": ctx.settings["dataset"],
        "encoder": asked.text_encoder,
        # What nodes are called, and who is popular, the train part decides.
        "train_fingerprint": ctx.train_fingerprint,
        "subgraphs": content,
    }
    if not asked.overwrite and kept_vectors(ctx, parameter, name, told, _OTHER) is not None:
        return int(present.sum())
    if not bool(present.any()):
        raise StepError(parameter, f"none of the {len(tokens):,} {side} has a subgraph")
    kept = tuple(token for token, there in zip(tokens, present.tolist(), strict=True) if there)
    write_vectors(ctx.vector_path(name), VectorFile(vectors[present], kept, told))
    return len(kept)
