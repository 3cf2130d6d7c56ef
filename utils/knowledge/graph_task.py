"""What a graph language model is trained on: the questions of the train part, asked anew in every epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from utils.knowledge.candidates import option_order
from utils.knowledge.graph_questions import Asker, Sampled, by_length, n_tokens, read_all

if TYPE_CHECKING:
    from models.graph.subgraphs import Subgraphs
    from models.llm.chat_layout import ChatLayout
    from models.llm.graph_llm import Answered, GraphLLM, LossOn, QuestionBatch
    from models.llm.soft_tokens import SoftTokens

# So many batches are shuffled together and then cut by length: padding costs little, and order stays random.
_POOL = 16


@dataclass(frozen=True)
class Chosen:
    """Samples with candidates [S, n], the target in column 0."""

    asked: Sampled
    candidates: np.ndarray

    def options(self, order: np.ndarray) -> np.ndarray:
        """[S, n]: item rows in the order of their letters."""
        return np.take_along_axis(self.candidates, order, axis=1)


@dataclass(frozen=True)
class Batch:
    """rows [B]: of the samples; bodies [B]: their token ids; gold [B]: the right option; ends [B]: those of options."""

    rows: np.ndarray
    bodies: Sequence[Sequence[int]]
    gold: np.ndarray
    ends: Sequence[Sequence[int]]


@dataclass
class GraphTask:
    """`models.training.fitting.Task` of a graph language model.

    around: where questions stand in its input. valid: None where nothing is validated.
    shuffle_options: another order of the options in each epoch, else that of epoch 0.
    shortened: split -> how many of its histories have lost their oldest items to the model's context.
    """

    model: GraphLLM
    asker: Asker
    around: ChatLayout
    train: Chosen
    valid: Chosen | None
    loss_on: LossOn
    batch_size: int
    shuffle_options: bool

    def __post_init__(self) -> None:
        self._subgraphs: Subgraphs | None = None
        if self.model.reader is not None:
            self._subgraphs = self.asker.subgraphs(self.model.device)
        self.shortened: dict[str, int] = {}
        # Asked in one order all along, and read now, so that one that is too long is known before an epoch is over.
        self._valid = None if self.valid is None else self._all(self.valid, self._order(self.valid, None))

    def batches(self, epoch: int) -> list[Batch]:
        order = self._order(self.train, epoch if self.shuffle_options else 0)
        whole = self._all(self.train, order)
        rng = np.random.default_rng([self.asker.seed, epoch])
        rows = rng.permutation(len(whole.rows))
        found: list[Batch] = []
        for start in range(0, len(rows), pool := _POOL * self.batch_size):
            some = rows[start : start + pool]
            cut = by_length([len(whole.bodies[row]) for row in some], self.batch_size)
            found += [_part(whole, some[places]) for places in cut]
        return [found[place] for place in rng.permutation(len(found))]

    def size(self, batch: Batch) -> int:
        return len(batch.rows)

    def loss(self, batch: Batch) -> torch.Tensor:
        soft = None
        if self.model.reader is not None and self._subgraphs is not None:
            from models.graph.batches import batch_of

            got = self.train.asked.retrieved
            centres = torch.from_numpy(got.centres[batch.rows])
            soft = self.model.reader(batch_of(self._subgraphs, centres, got.expansion, got.hops))
        return self._answered(batch, soft).loss

    def validate(self) -> tuple[float, float] | None:
        """Mean loss and accuracy of the valid samples; the model is left in evaluation mode."""
        if self.valid is None or self._valid is None:
            return None
        whole = self._valid
        self.model.eval()
        soft = None if self._subgraphs is None else read_all(self.model, self._subgraphs, self.valid.asked)
        loss = right = 0.0
        with torch.no_grad():
            for rows in by_length([len(body) for body in whole.bodies], 2 * self.batch_size):
                batch = _part(whole, rows)
                found = self._answered(batch, None if soft is None else soft[torch.from_numpy(rows)])
                loss += float(found.loss) * len(rows)
                right += float((found.logits.argmax(dim=1).cpu().numpy() == batch.gold).sum())
        return loss / len(whole.rows), right / len(whole.rows)

    def describe(self, batch: Batch) -> str:
        users = [self.train.asked.samples.users[row] for row in batch.rows]
        return f"users {', '.join(users)}"

    def _order(self, chosen: Chosen, epoch: int | None) -> np.ndarray:
        return option_order(chosen.asked.samples, chosen.candidates.shape[1], self.asker.seed, epoch)

    def _all(self, chosen: Chosen, order: np.ndarray) -> Batch:
        """All samples as one batch, in their own order."""
        more = n_tokens(chosen.asked.retrieved, self.model.graph_tokens if self.model.reader else None) + 1
        fitted = self.asker.tokens(self.asker.questions(chosen.asked, chosen.options(order)), self.around, more)
        if fitted.shortened:
            self.shortened[chosen.asked.samples.split] = fitted.shortened
        return Batch(np.arange(len(fitted.ids)), fitted.ids, (order == 0).argmax(axis=1), fitted.ends)

    def _answered(self, batch: Batch, soft: SoftTokens | None) -> Answered:
        gold = torch.from_numpy(batch.gold).to(self.model.device)
        return self.model.answer(_questions(batch, soft), gold, self.loss_on)


def _questions(batch: Batch, soft: SoftTokens | None) -> QuestionBatch:
    from models.llm.graph_llm import QuestionBatch

    return QuestionBatch(batch.bodies, soft, batch.ends)


def _part(whole: Batch, rows: np.ndarray) -> Batch:
    bodies, ends = ([of_all[row] for row in rows] for of_all in (whole.bodies, whole.ends))
    return Batch(whole.rows[rows], bodies, whole.gold[rows], ends)
