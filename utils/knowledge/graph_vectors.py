"""What a graph language model makes of users and items, as vector files that any recommender can be given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from utils.context import RunContext
from utils.data.fingerprint import short_hash
from utils.knowledge.graph_prompts import Questions
from utils.knowledge.graph_questions import Asker, Sampled
from utils.knowledge.kept_vectors import kept_vectors
from utils.knowledge.samples import Samples
from utils.retrieval.base import NO_NODE, Retrieved
from utils.scenario.errors import StepError

if TYPE_CHECKING:
    from utils.commands.graph_llm_generate import GraphLlmGenerate
    from utils.data.embeddings import VectorFile
    from utils.data.sides import Side
    from utils.knowledge.graph_checkpoint import GraphCheckpoint
    from utils.knowledge.graph_scoring import Scorer

# What a file says of itself, in words for one that says otherwise, in the order in which it is told.
_OTHER = {
    "side": "the other side",
    "dataset": "another dataset",
    "train_fingerprint": "another train part",
    "encoder": "another language model",
    "subgraphs": "other subgraphs",
    "checkpoint": "another training",
}


@dataclass(frozen=True)
class Vectors:
    """The vector files that a `graph_llm_generate` is to write.

    Texts hold the train part's histories and no candidates, so that a vector knows of no valid or test item but
    through the choice of the best epoch.
    """

    ctx: RunContext
    asked: GraphLlmGenerate
    checkpoint: GraphCheckpoint
    scorer: Scorer

    def look(self) -> None:
        """StepError for files of anything else that are there, and for a template that fails on such texts."""
        for side in self._sides():
            self._kept(side)
            questions = _asked_of(self.scorer.asker, side, False)[0]
            if questions.users:
                self.scorer.asker.tokens(questions.first(1), self.scorer.around, 0)

    def write(self, in_words: bool) -> dict[str, int]:
        """Write what is not there; how many rows each file has, by parameter."""
        return {f"{side}_emb_file": self._write(side, in_words) for side in self._sides()}

    def _sides(self) -> list[Side]:
        sides: tuple[Side, Side] = ("users", "items")
        return [side for side in sides if self._name(side) is not None]

    def _name(self, side: Side) -> str | None:
        return self.asked.users_emb_file if side == "users" else self.asked.items_emb_file

    def _kept(self, side: Side) -> VectorFile | None:
        if self.asked.overwrite:
            return None
        return kept_vectors(self.ctx, f"{side}_emb_file", str(self._name(side)), self._told(side), _OTHER)

    def _told(self, side: Side) -> dict[str, Any]:
        tensors = self.checkpoint.tensors
        return {
            "side": side,
            "dataset": self.ctx.settings["dataset"],
            "encoder": self.checkpoint.config["llm"],
            "train_fingerprint": self.ctx.train_fingerprint,
            "subgraphs": self.scorer.asker.file.fingerprint,
            # Of the numbers themselves: another machine trains others from the same parameters.
            "checkpoint": short_hash({name: tensors[name].double().sum().item() for name in sorted(tensors)}),
        }

    def _write(self, side: Side, in_words: bool) -> int:
        from utils.data.embeddings import VectorFile, write_vectors

        if (there := self._kept(side)) is not None:
            return len(there.vectors)
        questions, subjects = _asked_of(self.scorer.asker, side, in_words)
        if not questions.users:
            raise StepError(f"{side}_emb_file", f"there is nothing to say about any of the {side}")
        vectors = self.scorer.vectors(questions, subjects, f"vectors of {side}")
        file = VectorFile(vectors, tuple(questions.users), self._told(side))
        write_vectors(self.ctx.vector_path(str(self._name(side))), file)
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
