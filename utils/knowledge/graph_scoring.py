"""Scores of candidates by a graph language model, and by the same model otherwise: untouched, or without its graph."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from utils.knowledge.candidates import option_order
from utils.knowledge.graph_questions import Asker, Sampled, by_length, n_tokens, read_all

if TYPE_CHECKING:
    from models.llm.chat_layout import ChatLayout
    from models.llm.graph_llm import GraphLLM, QuestionBatch
    from utils.knowledge.graph_prompts import Questions


@dataclass(frozen=True)
class Scorer:
    """A model in evaluation mode and what it is asked from.

    around: where questions stand in its input. room: tokens that are left free for an answer by all who ask, so that
    who writes as well reads the same question. shortened: what was asked -> how many histories lost their oldest items.
    """

    model: GraphLLM
    asker: Asker
    around: ChatLayout
    batch_size: int
    room: int = 1
    shortened: dict[str, int] = field(default_factory=dict)

    def look(self, asked: Sampled, candidates: np.ndarray) -> None:
        """StepError for questions without graph tokens that cannot be asked."""
        self.asker.tokens(self._ordered(asked, candidates)[1], self.around, self.room)

    def scores(self, asked: Sampled, candidates: np.ndarray, with_graph: bool, what: str) -> np.ndarray:
        """[S, n] float32: the raw logit of each candidate; the order of the options is undone.

        with_graph: whether the subgraphs are read as tokens. what: is scored, for the bar.
        """
        order, questions = self._ordered(asked, candidates)
        by_option = np.empty(order.shape, dtype=np.float32)
        for rows, batch in self._batches(questions, asked, with_graph, 1, what):
            by_option[rows] = self.model.option_logits(batch).cpu().numpy()
        found = np.empty_like(by_option)
        np.put_along_axis(found, order, by_option, axis=1)
        return found

    def written(self, asked: Sampled, candidates: np.ndarray, with_graph: bool, max_new_tokens: int) -> list[str]:
        """[S]: what the model writes after each question; nobody ranks by it."""
        _, questions = self._ordered(asked, candidates)
        texts = [""] * len(asked)
        for rows, batch in self._batches(questions, asked, with_graph, max_new_tokens, "writing"):
            said = self.model.generate(batch, max_new_tokens, self.asker.lm.tokenizer)
            for row, text in zip(rows.tolist(), said, strict=True):
                texts[row] = text
        return texts

    def vectors(self, questions: Questions, asked: Sampled, what: str) -> torch.Tensor:
        """[S, hidden] float32 on the CPU: the last state after each text, with the subgraphs ahead of it."""
        parts: list[Any] = [None] * len(questions.users)
        for rows, batch in self._batches(questions, asked, self.model.reader is not None, 0, what):
            for row, vector in zip(rows.tolist(), self.model.last_hidden(batch).cpu(), strict=True):
                parts[row] = vector
        return torch.stack(parts)

    @contextmanager
    def untouched(self) -> Iterator[None]:
        """Inside the block the language model is as it was before any training."""
        with self.model.untouched():
            yield

    def _ordered(self, asked: Sampled, candidates: np.ndarray) -> tuple[np.ndarray, Questions]:
        """[S, n]: the column of each option's candidate; and the questions with these options."""
        order = option_order(asked.samples, candidates.shape[1], self.asker.seed, None)
        return order, self.asker.questions(asked, np.take_along_axis(candidates, order, axis=1))

    def _batches(
        self, questions: Questions, asked: Sampled, with_graph: bool, answer: int, what: str
    ) -> Iterator[tuple[np.ndarray, QuestionBatch]]:
        """Rows and questions, the longest first, without gradients. answer: tokens to be left free for it."""
        from models.llm.graph_llm import QuestionBatch

        soft = read_all(self.model, self.asker.subgraphs(self.model.device), asked) if with_graph else None
        more = n_tokens(asked.retrieved, self.model.graph_tokens if with_graph else None)
        fitted = self.asker.tokens(questions, self.around, more + max(answer, self.room))
        bodies = fitted.ids
        if fitted.shortened:
            self.shortened[what] = fitted.shortened
        bar = self.asker.ctx.console.bar(len(bodies), what)
        try:
            with torch.inference_mode():
                for rows in by_length([len(body) + n for body, n in zip(bodies, more, strict=True)], self.batch_size):
                    own = None if soft is None else soft[torch.from_numpy(rows).to(soft.places.device)]
                    yield rows, QuestionBatch([bodies[row] for row in rows], own, [fitted.ends[row] for row in rows])
                    bar.update(len(rows))
        finally:
            bar.close()
