"""Metrics of choices: the right candidate wherever it stands, and nothing where it is none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.utils.knowledge.graph_llm_runs import ready, world
from tests.workspace import Workspace
from utils.commands.graph_llm_generate import GraphLlmGenerate
from utils.knowledge.graph_choices import Choices, choices_of
from utils.knowledge.graph_questions import Sampled
from utils.knowledge.samples import Samples
from utils.recbole_port import top_items
from utils.recbole_port.top_items import TopItems
from utils.retrieval.base import Retrieved


def choices(right: np.ndarray) -> Choices:
    """Of samples whose candidates are numbered alike."""
    n_samples, n = right.shape
    samples = Samples("test", ("u",) * n_samples, np.zeros(n_samples, np.int32), np.zeros((n_samples, 1), np.int32))
    nothing = Retrieved(np.full((n_samples, 1, 1), -1, np.int32), np.zeros((n_samples, 1, 1), np.float32), (1,))
    candidates = np.tile(np.arange(n, dtype=np.int32), (n_samples, 1))
    return Choices(Sampled(samples, nothing), candidates, right, None, "uniform negatives")


def test_the_right_candidate_counts_wherever_it_stands() -> None:
    right = np.array([[True, False, False], [False, False, True], [False, True, False]])
    scores = np.array([[3.0, 1.0, 2.0], [3.0, 1.0, 2.0], [3.0, 1.0, 2.0]])
    found = choices(right).metrics(scores, ["accuracy", "recall@2", "mrr"])
    # It is first, second and third.
    assert found["accuracy"].tolist() == [1, 0, 0]
    assert found["recall@2"].tolist() == [1, 1, 0]
    assert found["mrr"].tolist() == pytest.approx([1, 1 / 2, 1 / 3])


def test_a_right_item_that_is_no_candidate_is_never_found() -> None:
    right = np.array([[False, False], [True, False]])
    found = choices(right).metrics(np.array([[1.0, 2.0], [2.0, 1.0]]), ["accuracy", "recall@2", "ndcg@2", "mrr"])
    assert {name: values.tolist() for name, values in found.items()} == {name: [0, 1] for name in found}


@pytest.mark.parametrize("place", [0, 3])
def test_scores_without_knowledge_are_at_chance(place: int) -> None:
    right = np.zeros((20_000, 5), dtype=bool)
    right[:, place] = True
    drawn = np.random.default_rng(3).normal(size=right.shape)
    found = choices(right).metrics(drawn, ["accuracy", "recall@3", "mrr"])
    # Of 20,000 draws a share of .2 or .6 has a standard deviation of .003; mrr is (1 + 1/2 + 1/3 + 1/4 + 1/5) / 5.
    assert found["accuracy"].mean() == pytest.approx(1 / 5, abs=0.015)
    assert found["recall@3"].mean() == pytest.approx(3 / 5, abs=0.015)
    assert found["mrr"].mean() == pytest.approx(137 / 300, abs=0.015)
    ties = choices(right).metrics(np.zeros(right.shape), ["accuracy", "recall@3"])
    assert (ties["accuracy"][0], ties["recall@3"][0]) == pytest.approx((1 / 5, 3 / 5))


def test_the_top_of_a_recommender_passes_over_what_has_no_title(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = world(ready(workspace))
    users = here.asked("test").samples.users
    asker = replace(
        here.asker, items=[row.with_values(title="") if n == 1 else row for n, row in enumerate(here.asker.items)]
    )

    def first(trainer: Any, data: Any, part: str, n: int) -> TopItems:
        # Two are asked for, and one more since one has no title.
        assert (part, n) == ("test", 3)
        items = np.tile(np.array([4, 1, 7], dtype=np.int32), (len(users), 1))
        return TopItems(users, items, np.tile(np.array([3.0, 2.0, 1.0], dtype=np.float32), (len(users), 1)))

    monkeypatch.setattr(top_items, "top_items", first)
    monkeypatch.setattr(asker.ctx, "trainer", object())
    asked = GraphLlmGenerate(candidates="model", num_candidates=2)
    found = choices_of(asker.ctx, asked, asker, 2)
    assert found.candidates.tolist() == [[4, 7]] * len(users)
    assert found.ranked is not None
    assert found.ranked.tolist() == [[3.0, 1.0]] * len(users)
