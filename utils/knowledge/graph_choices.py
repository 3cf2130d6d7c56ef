"""Who is to choose among what: the samples of a `graph_llm_generate`, their candidates, and rows of metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from utils.context import RunContext
from utils.knowledge.graph_questions import Asker, Sampled, picked
from utils.knowledge.samples import Samples
from utils.scenario.errors import StepError

if TYPE_CHECKING:
    from utils.commands.graph_llm_generate import GraphLlmGenerate


@dataclass(frozen=True)
class Choices:
    """S samples, what each may choose among, and which of it is right.

    candidates [S, n]: item rows. right [S, n] bool: at most one a row; none where the right item is no candidate.
    ranked [S, n]: scores of the recommender that the candidates come from; None of sampled ones.
    others: what the candidates are besides the right one, in words.
    """

    asked: Sampled
    candidates: np.ndarray
    right: np.ndarray
    ranked: np.ndarray | None
    others: str

    def metrics(self, scores: np.ndarray, names: Sequence[str]) -> Mapping[str, np.ndarray]:
        """Metric -> its value for each sample [S]; 0 where the right item is no candidate."""
        from utils.report.choice_metrics import per_sample

        there = self.right.any(axis=1)
        gold = np.where(there, np.where(self.right, scores, 0).sum(axis=1), -np.inf)
        # The right one's column is its own; what is left of it in its old place ranks last.
        rest = np.where(self.right, -np.inf, scores)
        found = per_sample(np.column_stack([gold, rest]), names)
        return {name: values * there for name, values in found.items()}


def choices_of(ctx: RunContext, asked: GraphLlmGenerate, asker: Asker, n: int) -> Choices:
    """The samples of a split with `n` candidates each; StepError where there are none."""
    sampled = asker.sampled(asked.split, asked.limit, in_words=False)
    if not len(sampled):
        raise StepError("subgraphs", f"{asked.subgraphs} has no sample of the {asked.split} part")
    if asked.candidates == "model":
        return _by_model(ctx, asked, asker, sampled, n)
    found = asker.candidates(sampled.samples, n, asked.negative_sampling)
    right = np.zeros(found.shape, dtype=bool)
    right[:, 0] = True
    return Choices(sampled, found, right, None, f"{asked.negative_sampling} negatives{_of_split(asked)}")


def _of_split(asked: GraphLlmGenerate) -> str:
    """What tells choices of the valid part from those of the test part, wherever they are compared."""
    return "" if asked.split == "test" else f", {asked.split} part"


def _by_model(ctx: RunContext, asked: GraphLlmGenerate, asker: Asker, sampled: Sampled, n: int) -> Choices:
    """The best items of the trained recommender for those users of the split whom it ranks."""
    from utils.recbole_port.top_items import TopItemsError, top_items

    if ctx.trainer is None:
        raise StepError("candidates", "there is no trained recommender any more; put train before it")
    titled = np.array([bool(row["title"]) for row in asker.items])
    try:
        # What has no title is no option, so that as many more are asked for.
        top = top_items(ctx.trainer, ctx.data, asked.split, n + int((~titled).sum()))
    except TopItemsError as error:
        raise StepError("num_candidates", str(error)) from error
    best = np.argsort(~titled[top.items], axis=1, kind="stable")[:, :n]
    items, scores = (np.take_along_axis(found, best, axis=1) for found in (top.items, top.scores))
    place = {user: row for row, user in enumerate(top.users)}
    rows = np.array([row for row, user in enumerate(sampled.samples.users) if user in place], dtype=np.int64)
    old = sampled.samples
    samples = Samples(old.split, tuple(old.users[row] for row in rows), old.targets[rows], old.histories[rows])
    of_top = [place[user] for user in samples.users]
    candidates = items[of_top]
    return Choices(
        Sampled(samples, picked(sampled.retrieved, rows)),
        candidates,
        candidates == samples.targets[:, None],
        scores[of_top],
        f"the top of {ctx.settings['model']}{_of_split(asked)}",
    )
