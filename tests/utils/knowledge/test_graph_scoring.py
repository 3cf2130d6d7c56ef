"""Scores belong to candidates, whatever the batch, the order of the options and whoever else is asked."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

from models.llm.graph_llm import QuestionBatch
from tests.utils.knowledge.graph_llm_runs import World, ready, world
from tests.workspace import Workspace
from utils.knowledge.candidates import option_order
from utils.knowledge.graph_prompts import LETTERS
from utils.knowledge.graph_questions import Sampled, picked
from utils.knowledge.graph_scoring import Scorer
from utils.knowledge.samples import Samples


@pytest.fixture(scope="module")
def here(workspace: Workspace) -> World:
    return world(ready(workspace))


@dataclass
class ByTitle:
    """In place of a model: an option's logit is a number that its title has, wherever it stands."""

    tokenizer: Any
    reader: None = None
    graph_tokens: str = "per_subgraph"

    def option_logits(self, batch: QuestionBatch) -> torch.Tensor:
        return torch.tensor([self._of(self.tokenizer.decode(body)) for body in batch.bodies])

    @staticmethod
    def _of(text: str) -> list[float]:
        titles = re.split(r" [A-Z] : ", text.partition("Options :")[2])[1:]
        return [number_of(title.strip()) for title in titles]


def number_of(title: str) -> float:
    return zlib.crc32(title.encode()) % 10007 / 10007


def scorer(here: World, model: Any, batch_size: int = 16) -> Scorer:
    return Scorer(model, here.asker, here.around, batch_size)


@dataclass
class ByEnd(ByTitle):
    """An option's logit is a number that the title before its end has."""

    def option_logits(self, batch: QuestionBatch) -> torch.Tensor:
        assert batch.ends is not None
        each = zip(batch.bodies, batch.ends, strict=True)
        return torch.tensor(
            [[self._of(self.tokenizer.decode(body[: end + 1]))[-1] for end in ends] for body, ends in each]
        )


@pytest.mark.parametrize(
    "changes",
    [{"graph_tokens": "per_subgraph"}, {"graph_tokens": "mean"}, {"read_at": "options", "loss_on": "options"}],
)
def test_a_sample_has_the_same_scores_alone_and_in_a_batch(here: World, changes: dict[str, Any]) -> None:
    here = replace(here, asker=replace(here.asker, reads_ends="read_at" in changes))
    model, asked, candidates = here.model(**changes), here.ragged(), here.candidates()
    # Questions differ in length and in tokens of the graph, so that most of a batch are padded.
    bodies = here.asker.tokens(here.asker.questions(asked, candidates), here.around, 1).ids
    assert len({len(body) for body in bodies}) > 2
    assert (asked.retrieved.centres >= 0).sum(axis=(1, 2)).tolist() == [0, 2, 4, 6, 8, *[10] * 25]
    # 30 samples: in sixteens the last batch has fourteen, in sevens two.
    alone = scorer(here, model, 1).scores(asked, candidates, True, "alone")
    assert np.isfinite(alone).all()
    for size in (7, 16, 30):
        np.testing.assert_allclose(
            scorer(here, model, size).scores(asked, candidates, True, "batched"), alone, rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("kind", [ByTitle, ByEnd])
def test_a_candidate_has_the_score_of_its_title(here: World, kind: type[ByTitle]) -> None:
    here, candidates = replace(here, asker=replace(here.asker, reads_ends=kind is ByEnd)), here.candidates()
    found = scorer(here, kind(here.lm.tokenizer)).scores(here.asked(), candidates, False, "titles")
    titles = [str(row["title"]) for row in here.asker.items]
    expected = [[number_of(titles[item]) for item in row] for row in candidates.tolist()]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_candidates_in_another_order_have_their_scores_in_that_order(here: World) -> None:
    candidates, by_title = here.candidates(), scorer(here, ByTitle(here.lm.tokenizer))
    places = np.array([2, 0, 4, 1, 3])
    whole = by_title.scores(here.asked(), candidates, False, "one order")
    other = by_title.scores(here.asked(), candidates[:, places], False, "another order")
    np.testing.assert_array_equal(other, whole[:, places])


def test_options_in_another_order_are_ranked_alike(here: World) -> None:
    # The order of the options is drawn from the seed, as the order of the candidates is not.
    there = world(Workspace(here.asker.ctx.run_dir), seed=8)
    asked, candidates = here.asked(), here.candidates()
    orders = [option_order(asked.samples, 5, one.asker.seed, None) for one in (here, there)]
    assert (orders[0] != orders[1]).any(axis=1).mean() > 0.9
    np.testing.assert_array_equal(
        scorer(there, ByTitle(there.lm.tokenizer)).scores(asked, candidates, False, "seed 8"),
        scorer(here, ByTitle(here.lm.tokenizer)).scores(asked, candidates, False, "seed 7"),
    )


def test_what_others_are_asked_changes_no_score(here: World) -> None:
    model, asked, candidates = here.model(), here.asked(), here.candidates()
    rows = np.array([3, 17, 4])
    own = asked.samples
    some = Sampled(
        Samples("test", tuple(own.users[row] for row in rows), own.targets[rows], own.histories[rows]),
        picked(asked.retrieved, rows),
    )
    np.testing.assert_allclose(
        scorer(here, model).scores(some, candidates[rows], True, "some"),
        scorer(here, model).scores(asked, candidates, True, "all")[rows],
        rtol=1e-4,
        atol=1e-5,
    )


def test_the_graph_is_read_only_where_it_is_asked_for(here: World) -> None:
    model, asked, candidates = here.model(), here.asked(), here.candidates()
    # Soft tokens of random weights are small beside a model's own; so they are made larger here.
    assert model.reader is not None
    with torch.no_grad():
        model.reader.projector.output.bias.normal_(std=1.0, generator=torch.Generator().manual_seed(0))
    with_graph, without = (scorer(here, model).scores(asked, candidates, reads, "graph") for reads in (True, False))
    assert (np.abs(with_graph - without) > 1e-3).any(axis=1).all()
    plain = scorer(here, here.model(facts_as="none", llm_mode="lora")).scores(asked, candidates, False, "plain")
    np.testing.assert_allclose(without, plain, rtol=1e-4, atol=1e-5)


def test_what_is_written_belongs_to_its_sample(here: World) -> None:
    class Repeats(ByTitle):
        """Writes the title of option A."""

        def generate(self, batch: QuestionBatch, max_new_tokens: int, tokenizer: Any) -> list[str]:
            texts = [tokenizer.decode(body) for body in batch.bodies]
            return [re.split(r" [A-Z] : ", text.partition("Options :")[2])[1].strip() for text in texts]

    asked, candidates = here.asked(), here.candidates()
    order = option_order(asked.samples, 5, here.asker.seed, None)
    titles = [str(row["title"]) for row in here.asker.items]
    first = [titles[item] for item in np.take_along_axis(candidates, order, axis=1)[:, 0]]
    assert scorer(here, Repeats(here.lm.tokenizer), 4).written(asked, candidates, False, 8) == first


def test_vectors_are_the_states_after_each_text_alone(here: World) -> None:
    model, asked = here.model(), here.asked()
    questions = here.asker.questions(asked, None)
    whole = scorer(here, model, 16).vectors(questions, asked, "together")
    assert whole.shape == (30, 32)
    torch.testing.assert_close(scorer(here, model, 1).vectors(questions, asked, "alone"), whole, rtol=1e-3, atol=1e-4)


def test_untouched_is_without_adapters_and_only_inside_the_block(here: World) -> None:
    fresh = world(Workspace(here.asker.ctx.run_dir))
    model, asked, candidates = fresh.model(llm_mode="lora"), fresh.asked(), fresh.candidates()
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            if "lora_B" in name:
                tensor.normal_(std=0.5, generator=torch.Generator().manual_seed(1))
    own = scorer(fresh, model)
    adapted = own.scores(asked, candidates, False, "adapted")
    with own.untouched():
        untouched = own.scores(asked, candidates, False, "untouched")
    plain = scorer(here, here.model()).scores(asked, candidates, False, "plain")
    np.testing.assert_allclose(untouched, plain, rtol=1e-4, atol=1e-5)
    assert (np.abs(adapted - untouched) > 1e-3).any(axis=1).all()
    np.testing.assert_array_equal(own.scores(asked, candidates, False, "adapted again"), adapted)


def test_letters_stand_for_options_in_their_order() -> None:
    assert ByTitle._of(f"History : x Options : {LETTERS[0]} : blue city {LETTERS[1]} : night") == [
        number_of("blue city"),
        number_of("night"),
    ]
