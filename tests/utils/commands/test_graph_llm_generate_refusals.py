"""`graph_llm_generate`: what it refuses, and how early."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import utils.knowledge.graph_generation
from tests.models.llm.tiny_lm import write_tiny_lm
from tests.utils.knowledge.graph_llm_runs import (
    GNN,
    done,
    error_of,
    generate,
    problems_of,
    ready,
    retrieve,
    rewrite,
    train,
)
from tests.workspace import TRAIN, USERS, Workspace
from utils.knowledge.graph_scoring import Scorer

KEPT = {"checkpoint": "saved/g.pth"}


@pytest.fixture(scope="module")
def here(workspace: Workspace) -> Workspace:
    """With a checkpoint of a trained model."""
    done(ready(workspace).run([train(**KEPT)], "trained"))
    return workspace


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"config": {"gnn": {**GNN, "type": "gt", "dropout": 0.0, "norm": "layer", "hidden_dim": 16}}},
            "saved/edited.pth does not fit this model: ",
        ),
        ({"config": {"projector_hidden": 9}}, "saved/edited.pth does not fit this model: "),
        (
            {"config": {"gnn": {**GNN, "type": "gt", "dropout": 0.0, "norm": "layer", "hidden_dim": 9}}},
            "hidden_dim is 9, which 2 heads cannot share; nearest: 8 or 10",
        ),
        (
            {"config": {"llm_fingerprint": "0"}},
            "saved/edited.pth was trained with other weights of lm than those that are here",
        ),
        (
            {"meta": {"subgraphs": "0"}},
            "saved/edited.pth was trained on other subgraphs than those of subgraphs.pt",
        ),
        (
            {"meta": {"train_fingerprint": "0"}},
            "saved/edited.pth was trained on another train part, which may hold this run's test items",
        ),
        (
            {"meta": {"dataset": "huge"}},
            "saved/edited.pth was trained on another dataset, which may hold this run's test items",
        ),
    ],
)
def test_a_checkpoint_that_does_not_fit_this_run_is_refused(
    here: Workspace, changes: dict[str, Any], message: str
) -> None:
    path = here.folder / "saved" / "edited.pth"
    path.write_bytes((here.folder / "saved" / "g.pth").read_bytes())
    rewrite(path, **changes)
    run = here.run([generate(checkpoint="saved/edited.pth")], "edited")
    assert error_of(run).startswith(f"graph_llm_generate.checkpoint: {message}")


def test_a_checkpoint_that_another_run_has_replaced_since_is_refused(
    here: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, generate_ = here.folder / "saved" / "shared.pth", utils.knowledge.graph_generation.generate

    def once_replaced(*given: Any) -> Any:
        rewrite(path, meta={"fingerprint": "another"})
        return generate_(*given)

    monkeypatch.setattr(utils.knowledge.graph_generation, "generate", once_replaced)
    few = {"limit": 2, "epochs": 1}
    message = error_of(here.run([train(checkpoint="saved/shared.pth", **few), generate()], "replaced"))
    why = "saved/shared.pth is no longer what this run has trained; give each run a file of its own"
    assert message == f"graph_llm_generate.checkpoint: {why}"
    # Whoever has not trained it takes it as it is.
    done(here.run([generate(checkpoint="saved/shared.pth", limit=2)], "foreign"))


def test_subgraphs_of_other_parameters_are_not_what_it_was_trained_on(here: Workspace) -> None:
    steps = [retrieve(file_out="three.pt", rerank_top_n=3), generate(**KEPT, subgraphs="three.pt")]
    why = "saved/g.pth was trained on other subgraphs than those of three.pt"
    assert error_of(here.run(steps, "three")) == f"graph_llm_generate.checkpoint: {why}"


def test_another_language_model_under_the_same_name_is_refused(here: Workspace) -> None:
    write_tiny_lm(here.folder / "renewed")
    done(here.run([train(llm="renewed", checkpoint="saved/r.pth")], "before"))
    write_tiny_lm(here.folder / "renewed", seed=1)
    why = "saved/r.pth was trained with other weights of renewed than those that are here"
    message = error_of(here.run([generate(checkpoint="saved/r.pth")], "after"))
    assert message == f"graph_llm_generate.checkpoint: {why}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_candidates": 26}, "num_candidates: num_candidates is 26, and at most "),
        ({"candidates": "model", "num_candidates": 25}, "num_candidates: user 'u"),
    ],
)
def test_more_candidates_than_there_are_is_an_error(here: Workspace, changes: dict[str, Any], message: str) -> None:
    run = here.run([*TRAIN, generate(**{**KEPT, **changes})], "many")
    assert error_of(run).startswith(f"graph_llm_generate.{message}")


@pytest.mark.parametrize(
    ("config", "step", "message"),
    [
        (
            {"scoring": "logits"},
            {},
            "checkpoint: saved/edited.pth was written by another version of RecBridge: 'scoring'",
        ),
        ({"llm": "gone"}, {}, "checkpoint: no model 'gone' (accepted: "),
        ({"prompt": "{{ graph"}, {}, "checkpoint: saved/edited.pth:1: unexpected end of template"),
        (
            {"prompt": "{{ graph }} {{ options }}"},
            {"baselines": ["random", "llm_text"]},
            "baselines: the prompt of the training does not read 'facts'; llm_text would tell none",
        ),
        (
            {"facts_as": "none"},
            {"baselines": ["no_graph"]},
            "baselines: the model was trained with facts_as: none and reads no graph; remove it",
        ),
        (
            {"facts_as": "none"},
            {"no_graph": True},
            "no_graph: the model was trained with facts_as: none and reads no graph; remove it",
        ),
    ],
)
def test_a_checkpoint_is_looked_into_before_anything_runs(
    here: Workspace, config: dict[str, Any], step: dict[str, Any], message: str
) -> None:
    path = here.folder / "saved" / "edited.pth"
    path.write_bytes((here.folder / "saved" / "g.pth").read_bytes())
    rewrite(path, config=config)
    (problem,) = problems_of(here, [generate(checkpoint="saved/edited.pth", **step)])
    assert problem.startswith(f"graph_llm_generate.{message}")


def prompt_of(here: Workspace, text: str) -> str:
    """A checkpoint whose training had another prompt."""
    path = here.folder / "saved" / "prompted.pth"
    path.write_bytes((here.folder / "saved" / "g.pth").read_bytes())
    rewrite(path, config={"prompt": text})
    return "saved/prompted.pth"


@pytest.mark.parametrize(
    ("text", "step", "message"),
    [
        (
            "Pick.\n{{ graph }}\n{{ options[0].letter }}",
            {"users_emb_file": "v.pt"},
            "checkpoint: saved/prompted.pth:3: ",
        ),
        (
            "{% if options %}Pick.{% endif %}\n{{ graph }}\n{{ history | length }}",
            {"items_emb_file": "v.pt"},
            "checkpoint: saved/prompted.pth: what stands before {{ graph }} is read once for all, but it is 'Pick.' in",
        ),
        (
            "Pick{% if facts %} by facts{% endif %}.\n{{ graph }}\n{{ options }}",
            {"baselines": ["llm_text"]},
            "checkpoint: saved/prompted.pth: what stands before {{ graph }} is read once for all, but it is 'Pick.' in "
            "one place and 'Pick by facts.' in another",
        ),
        (
            "Pick.\n{{ graph }}\n{{ options | length }}{% for fact in facts %}{{ 'blue ' * 999 }}{% endfor %}",
            {"baselines": ["llm_text"]},
            "truncate_history: the prompt of 'u1' takes ",
        ),
    ],
)
def test_what_a_row_or_a_vector_cannot_be_asked_is_known_before_anything_is_scored(
    here: Workspace, monkeypatch: pytest.MonkeyPatch, text: str, step: dict[str, Any], message: str
) -> None:
    scored: list[Any] = []
    monkeypatch.setattr(Scorer, "scores", lambda *given: scored.append(given))
    run = here.run([generate(checkpoint=prompt_of(here, text), **step)], "early")
    assert error_of(run).startswith(f"graph_llm_generate.{message}")
    assert scored == []


def test_vectors_of_something_else_are_known_before_anything_is_scored(
    here: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: list[Any] = []
    monkeypatch.setattr(Scorer, "scores", lambda *given: scored.append(given))
    here.save_vectors("foreign.pt", USERS, side="users")
    message = error_of(here.run([generate(**KEPT, users_emb_file="foreign.pt")], "foreign_vectors"))
    assert "foreign.pt holds vectors of another dataset; set overwrite: True" in message
    assert scored == []


def test_without_samples_nobody_is_asked(here: Workspace) -> None:
    content = torch.load(here.vectors / "subgraphs.pt", weights_only=True)
    content["samples"]["test"] = {name: part[:0] for name, part in content["samples"]["test"].items()}
    torch.save(content, here.vectors / "untested.pt")
    message = error_of(here.run([generate(**KEPT, subgraphs="untested.pt")], "untested"))
    assert message == "graph_llm_generate.subgraphs: untested.pt has no sample of the test part"


def test_a_metric_is_asked_for_once(here: Workspace) -> None:
    (problem,) = problems_of(here, [generate(**KEPT, metrics=["recall@1", "accuracy", "recall@1"])])
    assert "graph_llm_generate.metrics: recall@1 is there already" in problem


def test_vectors_of_several_seeds_need_overwrite(here: Workspace) -> None:
    steps = [train(), generate(users_emb_file="seeds.pt")]
    (problem,) = problems_of(here, steps, seeds=[1, 2])
    assert "graph_llm_generate.users_emb_file: each of 2 seeds trains a model of its own" in problem
    assert problems_of(here, [train(), generate(users_emb_file="seeds.pt", overwrite=True)], seeds=[1, 2]) == []
    # The vectors of one checkpoint are the same under each seed.
    assert problems_of(here, [generate(**KEPT, users_emb_file="seeds.pt")], seeds=[1, 2]) == []
