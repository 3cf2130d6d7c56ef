"""Vectors of users and items: of which texts, behind which subgraphs, and that nothing held back is in them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.llm.chat_layout import ChatLayout
from tests.utils.knowledge.graph_llm_runs import World, ready, world
from tests.workspace import ITEMS, USERS, Workspace
from utils.commands.graph_llm_generate import GraphLlmGenerate
from utils.data.embeddings import read_vectors
from utils.data.fingerprint import short_hash
from utils.data.prompts import compile_template
from utils.knowledge.graph_checkpoint import GraphCheckpoint
from utils.knowledge.graph_model import layout
from utils.knowledge.graph_prompts import Questions
from utils.knowledge.graph_questions import Asker, Sampled
from utils.knowledge.graph_vectors import Vectors
from utils.scenario.errors import StepError

CHECKPOINT = GraphCheckpoint({"llm": "lm"}, {"w": torch.tensor([1.0, 2.0])}, {"fingerprint": "c1"})


@dataclass
class Remembers:
    """In place of a scorer: remembers what it is asked for, and numbers the rows."""

    asker: Asker
    asked: list[tuple[Questions, Sampled]] = field(default_factory=list)

    @property
    def around(self) -> ChatLayout:
        """Where questions with options and without facts stand."""
        own = self.asker.sampled("test", None, False)
        options = np.tile(np.arange(5), (len(own), 1))
        return layout(self.asker.lm, self.asker.instruction(own, options))

    def vectors(self, questions: Questions, asked: Sampled, what: str) -> torch.Tensor:
        self.asked.append((questions, asked))
        return torch.arange(len(questions.users), dtype=torch.float32)[:, None].expand(-1, 3)


@pytest.fixture(scope="module")
def here(workspace: Workspace) -> World:
    return world(ready(workspace))


def written(here: World, in_words: bool = False, asker: Asker | None = None, **files: Any) -> tuple[Any, list[Any]]:
    scorer = Remembers(asker or here.asker)
    asked: Any = GraphLlmGenerate(overwrite=True, **files)
    vectors = Vectors(here.asker.ctx, asked, CHECKPOINT, scorer)  # type: ignore[arg-type]
    return vectors.write(in_words), scorer.asked


def looked_at(here: World, checkpoint: GraphCheckpoint = CHECKPOINT, asker: Asker | None = None, **files: Any) -> None:
    """Look at files as a second run does, which may replace nothing."""
    scorer: Any = Remembers(asker or here.asker)
    Vectors(here.asker.ctx, GraphLlmGenerate(**files), checkpoint, scorer).look()


def test_a_user_is_the_history_of_the_train_part_behind_its_subgraphs(here: World) -> None:
    rows, ((questions, subjects),) = written(here, users_emb_file="u.pt")
    assert rows == {"users_emb_file": 30}
    file = here.asker.file
    assert tuple(questions.users) == file.users
    np.testing.assert_array_equal(subjects.retrieved.centres, file.retrieved.centres)
    bodies = questions.prompts().bodies
    titles = [str(row["title"]) for row in here.asker.items]
    inter = here.asker.ctx.dataset_file("inter").read_text("utf-8").splitlines()[1:]
    items = here.asker.ready.index.items.tokens
    for user, body in zip(questions.users, bodies, strict=True):
        # In order of time; the last two are held back, and a history has what was rated 4 or more, ten at most.
        own = [line.split("\t") for line in inter if line.startswith(f"{user}\t")][:-2]
        liked = [item for _, item, rating, _ in own if float(rating) >= 4][-10:]
        assert body == f"History: {'; '.join(titles[items.index(item)] for item in liked)}"


def test_an_item_is_its_title_behind_the_star_of_its_own_node(here: World) -> None:
    rows, ((questions, subjects),) = written(here, items_emb_file="i.pt")
    assert rows == {"items_emb_file": 40}
    assert sorted(questions.users) == sorted(ITEMS)
    titles = [str(row["title"]) for row in here.asker.items]
    assert questions.prompts().bodies == [f"History: {title}" for title in titles]
    entities = here.asker.ready.index.graph.entities
    centres = subjects.retrieved.centres[:, 0, 0].tolist()
    # The item i7 is linked to the entity e7.
    assert [entities[node] for node in centres] == [f"e{token[1:]}" for token in questions.users]
    assert subjects.retrieved.expansion == "star"


def test_an_item_without_a_node_has_no_subgraph_and_one_without_a_title_no_vector(here: World) -> None:
    index = here.asker.ready.index
    links: dict[str, Any] = {
        "link_indptr": np.array([0, 0, 2, *[2] * 38]),
        "link_nodes": np.array([5, 9], dtype=np.int32),
    }
    ready = replace(here.asker.ready, index=replace(index, items=replace(index.items, **links)))
    untitled = [*here.asker.items[:2], here.asker.items[2].with_values(title=""), *here.asker.items[3:]]
    asker = replace(here.asker, ready=ready, items=untitled)
    _, ((questions, subjects),) = written(here, asker=asker, items_emb_file="i.pt")
    tokens = index.items.tokens
    assert tuple(questions.users) == (*tokens[:2], *tokens[3:])
    # Of two nodes the first, and none where there is none.
    assert subjects.retrieved.centres[:3, 0, 0].tolist() == [-1, 5, -1]


def test_where_no_item_has_a_title_there_is_nothing_to_say(here: World) -> None:
    asker = replace(here.asker, items=[row.with_values(title="") for row in here.asker.items])
    with pytest.raises(StepError) as caught:
        written(here, asker=asker, items_emb_file="i.pt")
    assert caught.value.parameter == "items_emb_file"
    assert caught.value.message == "there is nothing to say about any of the items"


def test_facts_are_in_the_text_where_the_model_was_trained_on_words(here: World) -> None:
    _, ((questions, subjects),) = written(here, in_words=True, users_emb_file="u.pt")
    assert subjects.facts is not None
    assert questions.prompts().bodies[0].split("\n")[1:] == ["Facts:", *subjects.facts[0]]


def test_a_file_has_the_rows_of_its_tokens_and_says_what_made_them(here: World) -> None:
    written(here, users_emb_file="u.pt", items_emb_file="i.pt")
    users = read_vectors(here.asker.ctx.vector_path("u.pt"))
    assert users.tokens == tuple(USERS)
    assert users.vectors[:, 0].tolist() == list(range(30))
    assert users.meta == {
        "side": "users",
        "dataset": "tiny",
        "encoder": "lm",
        "train_fingerprint": here.asker.ctx.train_fingerprint,
        "subgraphs": here.asker.file.fingerprint,
        # Of the sum of each trained tensor.
        "checkpoint": short_hash({"w": 1.0 + 2.0}),
    }


def test_vectors_of_the_same_are_kept_and_of_other_subgraphs_or_tensors_refused(here: World) -> None:
    written(here, users_emb_file="u.pt")
    looked_at(here, users_emb_file="u.pt")
    moved = replace(CHECKPOINT, tensors={"w": torch.tensor([1.0, 2.5])})
    elsewhere = replace(here.asker, file=replace(here.asker.file, fingerprint="another"))
    for changes, what in (({"checkpoint": moved}, "another training"), ({"asker": elsewhere}, "other subgraphs")):
        with pytest.raises(StepError) as caught:
            looked_at(here, users_emb_file="u.pt", **changes)
        assert caught.value.parameter == "users_emb_file"
        path = here.asker.ctx.vector_path("u.pt")
        assert caught.value.message == f"{path} holds vectors of {what}; set overwrite: True, or name another file"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Pick.{{ graph }}{{ options[0].letter }}", "mine.j2:1: "),
        (
            "{% if options %}Pick.{% else %}Read.{% endif %}{{ graph }}",
            "mine.j2: what stands before {{ graph }} is read once for all, but it is 'Pick.' in one place and 'Read.' ",
        ),
    ],
)
def test_a_template_that_needs_options_makes_no_vectors(here: World, text: str, message: str) -> None:
    asker = replace(here.asker, template=compile_template(text, Path("mine.j2")))
    for side in ("users", "items"):
        files: dict[str, Any] = {f"{side}_emb_file": "new.pt"}
        with pytest.raises(StepError) as caught:
            looked_at(here, asker=asker, **files)
        assert caught.value.parameter == "prompt"
        assert caught.value.message.startswith(message)
