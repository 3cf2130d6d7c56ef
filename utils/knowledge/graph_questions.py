"""The questions of a run: samples, their candidates and subgraphs, as a graph language model is asked about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np

from utils.context import RunContext
from utils.data.facts import Row
from utils.data.fingerprint import short_hash
from utils.data.prompts import PromptError, PromptTemplate
from utils.knowledge.candidates import CandidatesError, Sampling, candidates
from utils.knowledge.graph_prompts import Fitted, PromptTooLong, Questions, fitted, prompt_items
from utils.knowledge.samples import Samples, Split, known_items
from utils.retrieval.base import Retrieved
from utils.scenario.errors import StepError

if TYPE_CHECKING:
    import torch

    from models.graph.subgraphs import Subgraphs
    from models.llm.causal_lm import CausalLM
    from models.llm.chat_layout import ChatLayout
    from models.llm.graph_llm import GraphLLM
    from models.llm.soft_tokens import SoftTokens
    from utils.knowledge.subgraphs import Prepared
    from utils.retrieval.store import SubgraphFile


@dataclass(frozen=True)
class Sampled:
    """S samples and what was retrieved for each. facts [S]: the same in words, where it is asked for."""

    samples: Samples
    retrieved: Retrieved
    facts: Sequence[Sequence[str]] | None = None

    def __len__(self) -> int:
        return len(self.samples.users)


@dataclass(frozen=True)
class Asker:
    """What all questions of a run are made from.

    items [n_items]: as a template sees them. truncate_history: whether a history that is too long is shortened.
    reads_ends: whether the model reads options where they end, which the template then has to mark.
    """

    ctx: RunContext
    ready: Prepared
    file: SubgraphFile
    template: PromptTemplate
    items: Sequence[Row]
    lm: CausalLM
    truncate_history: bool
    reads_ends: bool = False

    @classmethod
    def of(
        cls,
        ctx: RunContext,
        opened: tuple[Prepared, SubgraphFile],
        template: PromptTemplate,
        lm: CausalLM,
        truncate_history: bool,
        reads_ends: bool = False,
    ) -> Asker:
        """From a subgraph file that was opened for this run."""
        from utils.knowledge.graphs import dataset_items

        ready, file = opened
        items = prompt_items(ready.index.items.tokens, ready.opened.item_names, dataset_items(ctx))
        return cls(ctx, ready, file, template, items, lm, truncate_history, reads_ends)

    @property
    def items_fingerprint(self) -> str:
        """A short hash of what a template of one's own may say of items."""
        return short_hash([{name: row[name] for name, _ in row} | {"title": row["title"]} for row in self.items])

    @property
    def seed(self) -> int:
        return int(self.ctx.recbole_config()["seed"])

    def sampled(self, split: Split, limit: int | None, in_words: bool) -> Sampled:
        """The samples of a split, of the first `limit` users that have any; in_words: with facts as sentences."""
        own = self.file.samples[split]
        users = list(dict.fromkeys(own.users))[:limit]
        rows = np.flatnonzero(np.isin(np.array(own.users, dtype=object), np.array(users, dtype=object)))
        samples = Samples(split, tuple(own.users[row] for row in rows), own.targets[rows], own.histories[rows])
        return self.with_facts(samples, picked(own.retrieved, rows), in_words)

    def with_facts(self, samples: Samples, retrieved: Retrieved, in_words: bool = True) -> Sampled:
        """Samples and their subgraphs, in words as well where that is asked for."""
        from utils.knowledge.subgraph_words import subgraph_words

        facts = subgraph_words(self.ready, retrieved, self.file.max_neighbors) if in_words else None
        return Sampled(samples, retrieved, facts)

    def candidates(self, samples: Samples, n: int, sampling: Sampling) -> np.ndarray:
        """[S, n] item rows, the target first; StepError at `num_candidates` where there are fewer."""
        items = self.ready.index.items
        titles = [str(row["title"]) for row in self.items]
        try:
            known = known_items(self.ctx)[samples.split]
            return candidates(samples, known, titles, n, sampling, items.popularity, items.tokens, self.seed)
        except CandidatesError as error:
            raise StepError("num_candidates", str(error)) from error

    def questions(self, asked: Sampled, options: np.ndarray | None) -> Questions:
        """options [S, n]: item rows in the order of their letters."""
        return Questions(self.template, self.items, asked.samples.users, asked.samples.histories, options, asked.facts)

    def instruction(self, asked: Sampled, options: np.ndarray) -> str:
        """What stands before the graph's tokens, as it is without facts.

        StepError at `prompt` where that is not one text for all.
        """
        try:
            return self.questions(replace(asked, facts=None), options).prompts().instruction
        except PromptError as error:
            raise StepError("prompt", str(error)) from error

    def tokens(self, questions: Questions, around: ChatLayout, more: np.ndarray | int) -> Fitted:
        """The bodies as token ids. more: tokens of the graph and of the longest answer, of each or of all.

        StepError for a prompt that is longer than what the language model reads, for one whose instruction is not the
        one that stands in the model's input, and for one that does not mark the end of each option where it has to.
        """
        from utils.knowledge.graph_model import context_of

        more = np.broadcast_to(np.asarray(more), (len(questions.users),))
        try:
            prompts = questions.prompts()
            if prompts.bodies and prompts.instruction != around.instruction:
                raise PromptError(
                    f"{self.template.path}: what stands before {{{{ graph }}}} is read once for all, but it is "
                    f"'{around.instruction}' in one place and '{prompts.instruction}' in another (facts or options may "
                    "be missing); put what differs after it"
                )
            context = context_of(self.lm)
            found = fitted(
                questions,
                prompts,
                self.lm.tokenizer,
                around,
                more,
                context,
                self.truncate_history,
                self.reads_ends,
            )
            if self.reads_ends and questions.options is not None:
                self._check_ends(questions.options.shape[1], found.ends)
            return found
        except PromptError as error:
            raise StepError("prompt", str(error)) from error
        except PromptTooLong as error:
            raise StepError("truncate_history", str(error)) from error

    def _check_ends(self, n_options: int, ends: Sequence[Sequence[int]]) -> None:
        for own in ends:
            if len(own) != n_options or len(set(own)) < n_options or min(own) < 0:
                raise PromptError(
                    f"{self.template.path}: {{{{ option.end }}}} is there {len(own)} times, in {len(set(own))} places, "
                    f"for {n_options} options; accepted: once for each, behind what is said of it"
                )

    def subgraphs(self, device: torch.device) -> Subgraphs:
        """The graph with what its nodes and relations say, on the model's device."""
        from utils.retrieval.expanded import expandable

        index = self.ready.index
        return expandable(index, index.nodes.to(device), index.relations.to(device), self.file.max_neighbors)


def read_all(model: GraphLLM, subgraphs: Subgraphs, asked: Sampled) -> SoftTokens:
    """The soft tokens of all samples, each distinct subgraph read once, without gradients."""
    import torch

    assert model.reader is not None
    got = asked.retrieved
    centres = torch.from_numpy(got.centres).to(model.device)
    return model.reader.read_all(subgraphs, centres, got.expansion, got.hops)


def picked(retrieved: Retrieved, rows: np.ndarray) -> Retrieved:
    """What was retrieved for some of the samples."""
    return Retrieved(
        retrieved.centres[rows], retrieved.scores[rows], retrieved.orders, retrieved.expansion, retrieved.hops
    )


def n_tokens(retrieved: Retrieved, graph_tokens: str | None) -> np.ndarray:
    """[S]: how many tokens each sample's subgraphs take."""
    if graph_tokens is None:
        return np.zeros(len(retrieved.centres), dtype=np.int64)
    slots = retrieved.centres >= 0
    there = slots.any(axis=2) if retrieved.expansion == "induced" else slots
    counts = there.sum(axis=tuple(range(1, there.ndim)))
    return cast(np.ndarray, np.minimum(counts, 1) if graph_tokens == "mean" else counts)


def by_length(lengths: Sequence[int], size: int) -> list[np.ndarray]:
    """Batches of up to `size` rows of like length, the longest first: what exceeds the memory is known at once."""
    order = np.argsort(-np.asarray(lengths), kind="stable")
    return [order[start : start + size] for start in range(0, len(order), size)]
