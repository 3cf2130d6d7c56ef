"""What a graph language model makes of users and items, as vector files that any recommender can be given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from utils.context import RunContext
from utils.knowledge.graph_prompts import Questions
from utils.knowledge.graph_questions import Asker, Sampled
from utils.knowledge.kept_vectors import kept_vectors
from utils.knowledge.samples import Samples
from utils.retrieval.base import NO_NODE, Retrieved
from utils.scenario.errors import StepError

if TYPE_CHECKING:
    from utils.commands.graph_llm_generate import GraphLlmGenerate
    from utils.data.sides import Side
    from utils.knowledge.graph_checkpoint import GraphCheckpoint
    from utils.knowledge.graph_scoring import Scorer

# What a file says of itself, in words for one that says otherwise, in the order in which it is told.
_OTHER = {
    "side": "the other side",
    "dataset": "another dataset",
    "train_fingerprint": "another train part",
    "encoder": "another language model",
    "checkpoint": "another training",
}


def write_vectors_of(
    ctx: RunContext, asked: GraphLlmGenerate, scorer: Scorer, checkpoint: GraphCheckpoint, in_words: bool
) -> dict[str, int]:
    """Write the vectors of users and items that are asked for; how many rows each file has, by parameter.

    Texts hold the train part's histories and no candidates, so that a vector knows of no valid or test item but
    through the choice of the best epoch.
    """
    rows: dict[str, int] = {}
    for side in ("users", "items"):
        name = getattr(asked, f"{side}_emb_file")
        if name is not None:
            rows[f"{side}_emb_file"] = _write(ctx, asked, scorer, checkpoint, side, name, in_words)
    return rows


def _write(
    ctx: RunContext,
    asked: GraphLlmGenerate,
    scorer: Scorer,
    checkpoint: GraphCheckpoint,
    side: Any,
    name: str,
    in_words: bool,
) -> int:
    from utils.data.embeddings import VectorFile, write_vectors

    parameter = f"{side}_emb_file"
    told = {
        "side": side,
        "dataset": ctx.settings["dataset"],
        "encoder": checkpoint.config["llm"],
        "train_fingerprint": ctx.train_fingerprint,
        "checkpoint": checkpoint.meta["fingerprint"],
    }
    if not asked.overwrite and (there := kept_vectors(ctx, parameter, name, told, _OTHER)) is not None:
        return len(there.vectors)
    questions, subjects = _asked_of(scorer.asker, side, in_words)
    if not questions.users:
        raise StepError(parameter, f"there is nothing to say about any of the {side}")
    vectors = scorer.vectors(questions, subjects, f"vectors of {side}")
    write_vectors(ctx.vector_path(name), VectorFile(vectors, tuple(questions.users), told))
    return len(vectors)


def _asked_of(asker: Asker, side: Side, in_words: bool) -> tuple[Questions, Sampled]:
    """The texts whose last state is a row's vector, and the subgraphs ahead of them."""
    if side == "users":
        own, retrieved = asker.ready.histories, asker.file.retrieved
        samples = Samples("train", own.users, np.zeros(len(own.users), dtype=np.int32), own.items)
    else:
        titled = np.flatnonzero([bool(row["title"]) for row in asker.items]).astype(np.int32)
        tokens = tuple(asker.ready.index.items.tokens[item] for item in titled)
        samples, retrieved = Samples("train", tokens, titled, titled[:, None]), _own_nodes(asker, titled)
    subjects = asker.with_facts(samples, retrieved, in_words)
    return asker.questions(subjects, None), subjects


def _own_nodes(asker: Asker, items: np.ndarray) -> Retrieved:
    """The star of each item's own node; of the first, where it has several, and none, where it has none."""
    of_items, index = asker.ready.index.items, asker.ready.index
    starts = of_items.link_indptr[items]
    nodes = np.full(len(items), NO_NODE, dtype=np.int32)
    linked = of_items.linked[items]
    nodes[linked] = of_items.link_nodes[starts[linked]]
    centres = nodes[:, None, None]
    return Retrieved(centres, np.zeros(centres.shape, dtype=np.float32), (index.highest_order,))
