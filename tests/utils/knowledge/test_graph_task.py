"""What is trained on: every question once an epoch, its options in another order, its subgraphs as if read alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import utils.knowledge.graph_model
from models.graph.batches import batch_of
from models.training.fitting import FitOptions, fit
from tests.utils.knowledge.graph_llm_runs import World, ready, world
from tests.workspace import Workspace
from utils.knowledge.graph_questions import by_length, n_tokens, read_all
from utils.knowledge.graph_scoring import Scorer
from utils.knowledge.graph_task import Batch, Chosen, GraphTask
from utils.retrieval.base import Retrieved


@pytest.fixture(scope="module")
def here(workspace: Workspace) -> World:
    return world(ready(workspace))


def task(
    here: World, batch_size: int = 7, shuffles: bool = True, loss_on: Any = "options", **changes: Any
) -> GraphTask:
    train, valid = (Chosen(here.asked(split), here.candidates(split)) for split in ("train", "valid"))
    return GraphTask(
        here.model(**changes), here.asker, here.around, train, valid, loss_on, batch_size, shuffles
    )  # fmt: skip


def orders(batches: list[Batch]) -> np.ndarray:
    """[S]: where the right option of each sample stands."""
    rows, gold = (np.concatenate([getattr(batch, name) for batch in batches]) for name in ("rows", "gold"))
    return gold[np.argsort(rows)]


def test_an_epoch_has_every_question_once_the_last_partial_batch_too(here: World) -> None:
    own = task(here)
    batches = own.batches(0)
    # 60 questions in sevens: eight whole batches and one of four.
    assert sorted(own.size(batch) for batch in batches) == [4, *[7] * 8]
    assert sorted(np.concatenate([batch.rows for batch in batches]).tolist()) == list(range(60))


def test_an_epoch_is_the_same_whenever_it_is_asked_for(here: World) -> None:
    first, again = (task(here).batches(1) for _ in range(2))
    assert [batch.rows.tolist() for batch in first] == [batch.rows.tolist() for batch in again]
    assert [batch.bodies for batch in first] == [batch.bodies for batch in again]


def test_every_epoch_has_another_order_of_questions_and_of_options(here: World) -> None:
    epochs = [task(here).batches(epoch) for epoch in range(2)]
    assert [batch.rows.tolist() for batch in epochs[0]] != [batch.rows.tolist() for batch in epochs[1]]
    # One in five stays where it is by chance.
    assert (orders(epochs[0]) != orders(epochs[1])).mean() > 0.5


def test_options_that_are_not_shuffled_stay_where_they_are(here: World) -> None:
    epochs = [task(here, shuffles=False).batches(epoch) for epoch in range(2)]
    np.testing.assert_array_equal(orders(epochs[0]), orders(epochs[1]))


def test_the_right_option_is_the_letter_of_the_target(here: World) -> None:
    own = task(here)
    titles = [str(row["title"]) for row in here.asker.items]
    letters = here.lm.tokenizer.convert_tokens_to_ids(list("ABCDEF"))
    for batch in own.batches(0):
        for row, body, gold in zip(batch.rows.tolist(), batch.bodies, batch.gold.tolist(), strict=True):
            ends = [*body, letters[5]]
            option = ends[ends.index(letters[gold]) + 2 : ends.index(letters[gold + 1]) if gold < 4 else -1]
            assert here.lm.tokenizer.decode(option) == titles[own.train.asked.samples.targets[row]]


def test_a_subgraph_that_many_share_is_read_as_if_each_had_it_alone(here: World) -> None:
    own, asked = task(here), here.ragged()
    together = read_all(own.model, here.asker.subgraphs(own.model.device), asked)
    # Ten centres of 25 samples and 20 of the others, of which few are distinct.
    assert len(together.table) < 60
    graph, centres = here.asker.subgraphs(torch.device("cpu")), torch.from_numpy(asked.retrieved.centres)
    for row, found in enumerate(together.of_each("per_subgraph")):
        assert own.model.reader is not None
        own_centres = [int(node) for node in centres[row].flatten() if node >= 0]
        alone = [own.model.reader(batch_of(graph, torch.tensor([[[node]]]))).table for node in own_centres]
        expected = torch.cat(alone) if alone else torch.empty(0, 32)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_validation_is_the_mean_over_all_samples_whatever_the_size_of_a_batch(here: World) -> None:
    asked, candidates = here.asked("valid"), here.candidates("valid")
    scores = Scorer(here.model(), here.asker, here.around, 16).scores(asked, candidates, True, "valid")
    # The right candidate is in column 0.
    loss = -np.log(np.exp(scores[:, 0]) / np.exp(scores).sum(axis=1)).mean()
    accuracy = (scores.argmax(axis=1) == 0).mean()
    # Twice as many at once as in training: 30 in fourteens, in twenties and in twos.
    for size in (1, 7, 10):
        assert task(here, batch_size=size).validate() == pytest.approx((loss, accuracy), rel=1e-4)


def test_without_samples_nothing_is_validated(here: World) -> None:
    assert replace(task(here), valid=None).validate() is None


@pytest.mark.parametrize("llm_mode", ["frozen", "lora"])
def test_training_lowers_the_loss(here: World, llm_mode: str) -> None:
    fresh = world(Workspace(here.asker.ctx.run_dir))
    own = task(fresh, loss_on="answer", llm_mode=llm_mode)
    before = own.validate()
    epochs = fit(own.model, own, FitOptions(learning_rate=0.03, warmup_epochs=0, clip_grad_norm=None))
    losses = [one[0] for one in (before, own.validate()) if one]
    # Weights of a hundredth or two say little, but the letters and the end are what is ever right.
    assert losses[1] < losses[0] - 0.005
    assert losses[1] == pytest.approx(min(epoch.valid_loss or 0 for epoch in epochs))


def test_a_batch_tells_whom_it_is_about(here: World) -> None:
    own = task(here)
    users = own.train.asked.samples.users
    assert (
        own.describe(Batch(np.array([0, 2]), [[1], [1]], np.array([0, 0]), [[], []])) == f"users {users[0]}, {users[2]}"
    )


def test_batches_of_like_length_begin_with_the_longest() -> None:
    assert [batch.tolist() for batch in by_length([3, 9, 4, 9, 5], 2)] == [[1, 3], [4, 2], [0]]


@pytest.mark.parametrize(
    ("expansion", "kind", "expected"),
    [
        # A star for each centre: 3 and 0; of induced slots those that have a node: 2 and 0.
        ("star", "per_subgraph", [3, 0]),
        ("ball", "per_subgraph", [3, 0]),
        ("induced", "per_subgraph", [2, 0]),
        ("star", "mean", [1, 0]),
        ("star", None, [0, 0]),
    ],
)
def test_how_many_tokens_a_graph_takes(expansion: Any, kind: str | None, expected: list[int]) -> None:
    centres = np.array([[[4, 5], [4, -1]], [[-1, -1], [-1, -1]]], dtype=np.int32)
    retrieved = Retrieved(centres, np.zeros(centres.shape, np.float32), (1, 2), expansion)
    assert n_tokens(retrieved, kind).tolist() == expected


def test_histories_that_lost_items_are_counted_by_split(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def lengths(chosen: Chosen) -> np.ndarray:
        """Of each question, with what is around it, its subgraphs, and a letter."""
        questions = here.asker.questions(chosen.asked, chosen.candidates)
        bodies = here.asker.tokens(questions, here.around, 0).ids
        around = len(here.around.head_ids) + len(here.around.tail_ids)
        return around + np.array([len(body) for body in bodies]) + n_tokens(chosen.asked.retrieved, "per_subgraph") + 1

    whole = task(here)
    train, valid = lengths(whole.train), lengths(Chosen(here.asked("valid"), here.candidates("valid")))
    context = int(np.median([*train, *valid]))
    monkeypatch.setattr(utils.knowledge.graph_model, "context_of", lambda lm: context)
    truncating = replace(here, asker=replace(here.asker, truncate_history=True))
    own = task(truncating)
    assert own.shortened == {"valid": (valid > context).sum()}
    own.batches(0)
    assert own.shortened == {"train": (train > context).sum(), "valid": (valid > context).sum()}
    # Whatever the order, and however often they are asked.
    own.batches(1)
    assert own.shortened["train"] == (train > context).sum()
