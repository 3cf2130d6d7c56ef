"""`graph_llm_train` on the tiny dataset with a tiny language model: what is trained, kept and refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import models.training.fitting
import utils.knowledge.graph_model
from tests.models.llm.tiny_lm import write_tiny_lm
from tests.utils.knowledge.graph_llm_runs import GNN, done, error_of, problems_of, ready, train
from tests.workspace import Run, Workspace
from utils.knowledge.graph_checkpoint import read_checkpoint
from utils.knowledge.graph_task import GraphTask
from utils.retrieval.store import read_subgraphs


@pytest.fixture(scope="module")
def here(workspace: Workspace) -> Workspace:
    return ready(workspace)


@pytest.fixture(scope="module")
def trained(here: Workspace) -> Run:
    return done(here.run([train(checkpoint="saved/g.pth")], "trained"))


def test_the_record_tells_what_was_trained_on_how_much_and_how_well(trained: Run) -> None:
    facts = trained.facts("graph_llm_train")
    # Two windows of 30 users, and one item of each that is held back.
    assert (facts["train_samples"], facts["valid_samples"], facts["kept"]) == (60, 30, False)
    stage = trained.record.stages["graph_llm"]
    assert (stage["transferred"], stage["knowledge"], stage["lineage"]) == (True, ["graph"], ["graph_llm"])
    assert [epoch["epoch"] for epoch in stage["epochs"]] == [0, 1]
    best = min(facts["epochs"], key=lambda epoch: epoch["valid_loss"])
    assert stage["best_epoch"] == facts["best_epoch"] == best["epoch"]
    assert f"best epoch {best['epoch']}, valid loss {best['valid_loss']:.4f}" in trained.console.text
    assert trained.console.text.count("        epoch   ") == 2
    # What another training must share to be compared fairly, samples included.
    own = {"train_windows": 2, "history_length": 10, "min_rating": 4.0, "num_candidates": 5, "truncate_history": False}
    assert {name: stage["settings"][name] for name in own} == own


def test_the_checkpoint_holds_what_was_trained_and_how_to_build_the_rest(trained: Run, here: Workspace) -> None:
    there = read_checkpoint(here.folder / "saved" / "g.pth")
    assert {name.partition(".")[0] for name in there.tensors} == {"reader"}
    assert sum(tensor.numel() for tensor in there.tensors.values()) == trained.facts("graph_llm_train")["trainable"]
    assert (there.config["llm"], there.config["lora"], there.config["facts_as"]) == ("lm", None, "tokens")
    assert there.config["gnn"] == {**GNN, "type": "gt", "dropout": 0.0, "norm": "layer"}
    assert there.config["in_dim"] == 384
    assert "{{ graph }}" in there.config["prompt"]
    file = read_subgraphs(here.vectors / "subgraphs.pt")
    assert there.meta["subgraphs"] == file.fingerprint
    assert there.meta["train_fingerprint"] == file.meta["train_fingerprint"]
    assert (there.meta["dataset"], there.meta["run_id"]) == ("tiny", trained.record.run_id)


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"llm_mode": "lora", "lora": {"r": 2}}, {"lm", "reader"}),
        ({"llm_mode": "lora", "facts_as": "text", "limit": 4}, {"lm"}),
        ({"llm_mode": "lora", "facts_as": "none", "loss_on": "options"}, {"lm"}),
        ({"gnn": {**GNN, "type": "gat", "norm": "batch"}, "graph_tokens": "mean"}, {"reader"}),
        ({"token_length": "free"}, {"reader"}),
        ({"read_at": "options", "loss_on": "options"}, {"reader", "option_head"}),
        ({"read_at": "options", "loss_on": "options", "facts_as": "none"}, {"option_head"}),
    ],
)
def test_the_language_model_stays_as_it_is_and_all_that_is_trained_moves(
    here: Workspace, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], parts: set[str]
) -> None:
    build, built = utils.knowledge.graph_model.build, []

    def kept(*given: Any) -> Any:
        """The model, with what it is before training."""
        model = build(*given)
        built.append((model, {name: tensor.clone() for name, tensor in model.state_dict().items()}))
        return model

    monkeypatch.setattr(utils.knowledge.graph_model, "build", kept)
    run = done(here.run([train(**changes)], "moved"))
    ((model, before),) = built
    own = {name for name, tensor in model.named_parameters() if tensor.requires_grad}
    assert {name.partition(".")[0] for name in own} == parts
    for name, tensor in model.state_dict().items():
        if name not in own and not name.startswith("reader."):
            assert torch.equal(tensor, before[name]), name
    moved = {name for name in own if not torch.equal(model.state_dict()[name], before[name])}
    # Adapters of queries and values, A and B, in two layers; of the reader every parameter.
    assert moved == own
    there = read_checkpoint(run.dir / "graph_llm.pth")
    assert all(torch.equal(tensor, model.state_dict()[name]) for name, tensor in there.tensors.items())


def test_what_was_trained_before_is_kept(trained: Run, here: Workspace) -> None:
    path = here.folder / "saved" / "g.pth"
    before = path.stat().st_mtime_ns
    run = done(here.run([train(checkpoint="saved/g.pth")], "again"))
    assert run.facts("graph_llm_train") == {**trained.facts("graph_llm_train"), "kept": True}
    assert "saved/g.pth: kept, as it was trained before" in run.console.text
    assert path.stat().st_mtime_ns == before
    # It counts as this run's own training, but for who has done it.
    own, theirs = (one.record.stages["graph_llm"] for one in (run, trained))
    assert own == theirs
    assert own["trained_by"] == trained.record.run_id != run.record.run_id
    assert (own["lineage"], len(own["epochs"])) == (["graph_llm"], 2)


REPLACE = "; set overwrite: True, or name another file"


@pytest.mark.parametrize(
    ("changes", "settings", "why"),
    [
        ({"epochs": 3}, {}, "epochs is 2 there and 3 here"),
        ({"graph_tokens": "mean"}, {}, "graph_tokens is per_subgraph there and mean here"),
        ({"limit": 5}, {}, "limit is None there and 5 here"),
        ({"token_length": "free"}, {}, "token_length is embeddings there and free here"),
        ({"loss_on": "options", "read_at": "options"}, {}, "loss_on is answer there and options here"),
        ({}, {"seed": 8}, "seed is 7 there and 8 here"),
    ],
)
def test_what_was_trained_otherwise_is_refused_and_says_how(
    trained: Run, here: Workspace, changes: dict[str, Any], settings: dict[str, Any], why: str
) -> None:
    run = here.run([train(checkpoint="saved/g.pth", **changes)], "other", **settings)
    assert error_of(run) == f"graph_llm_train.checkpoint: saved/g.pth was trained otherwise ({why}){REPLACE}"


def test_another_prompt_or_language_model_is_another_training(trained: Run, here: Workspace) -> None:
    why = "other subgraphs, other columns of items, another split, prompt or language model"
    (here.folder / "mine.j2").write_text("Choose.\n{{ graph }}\n{% for o in options %}{{ o.letter }}\n{% endfor %}")
    (here.folder / "copy").mkdir()
    path = Path("saved/mine.pth")
    done(here.run([train(checkpoint=str(path), prompt="mine.j2")], "first"))
    (here.folder / "mine.j2").write_text("Select.\n{{ graph }}\n{% for o in options %}{{ o.letter }}\n{% endfor %}")
    run = here.run([train(checkpoint=str(path), prompt="mine.j2")], "other_prompt")
    assert error_of(run) == f"graph_llm_train.checkpoint: {path} was trained otherwise ({why}){REPLACE}"
    write_tiny_lm(here.folder / "lm2")
    done(here.run([train(checkpoint="saved/two.pth", llm="lm2")], "second"))
    write_tiny_lm(here.folder / "lm2", seed=1)
    run = here.run([train(checkpoint="saved/two.pth", llm="lm2")], "other_weights")
    assert error_of(run) == f"graph_llm_train.checkpoint: saved/two.pth was trained otherwise ({why}){REPLACE}"


def test_what_a_prompt_says_of_items_is_part_of_the_training(here: Workspace) -> None:
    (here.folder / "classes.j2").write_text(
        "Choose.\n{{ graph }}\n{% for o in options %}{{ o.letter }}: {{ o.item['class'] }}\n{% endfor %}"
    )
    step = train(checkpoint="saved/classes.pth", prompt="classes.j2")
    done(here.run([step], "classes"))
    path = here.folder / "datasets" / "tiny" / "tiny.item"
    before = path.read_text("utf-8")
    path.write_text(before.replace("Horror", "Western"), "utf-8")
    message = error_of(here.run([step], "other_classes"))
    path.write_text(before, "utf-8")
    why = "other subgraphs, other columns of items, another split, prompt or language model"
    assert message == f"graph_llm_train.checkpoint: saved/classes.pth was trained otherwise ({why}){REPLACE}"
    assert done(here.run([step], "same_classes")).facts("graph_llm_train")["kept"]


def test_what_another_run_trained_meanwhile_under_the_same_name_is_not_lost(
    trained: Run, here: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, fit = here.folder / "saved" / "shared.pth", models.training.fitting.fit

    def beside_another(*given: Any) -> Any:
        epochs = fit(*given)
        path.write_bytes((here.folder / "saved" / "g.pth").read_bytes())
        return epochs

    monkeypatch.setattr(models.training.fitting, "fit", beside_another)
    step = {"checkpoint": "saved/shared.pth", "limit": 2, "epochs": 1, "warmup_epochs": 0}
    message = error_of(here.run([train(**step)], "second"))
    assert message == (
        "graph_llm_train.checkpoint: saved/shared.pth was trained otherwise (epochs is 2 there and 1 here)" + REPLACE
    )
    assert read_checkpoint(path).meta["run_id"] == trained.record.run_id
    run = done(here.run([train(**step, overwrite=True)], "replacing"))
    assert read_checkpoint(path).meta["run_id"] == run.record.run_id


def test_overwrite_replaces_what_was_trained_otherwise(here: Workspace) -> None:
    done(here.run([train(checkpoint="saved/o.pth")], "first"))
    run = done(here.run([train(checkpoint="saved/o.pth", epochs=1, warmup_epochs=0, overwrite=True)], "second"))
    assert run.facts("graph_llm_train")["kept"] is False
    assert read_checkpoint(here.folder / "saved" / "o.pth").meta["run_id"] == run.record.run_id


def test_a_file_that_is_no_checkpoint_is_refused(here: Workspace) -> None:
    (here.folder / "broken.pth").write_bytes(b"half")
    message = error_of(here.run([train(checkpoint="broken.pth")], "broken"))
    assert message == f"graph_llm_train.checkpoint: broken.pth cannot be read: it is no whole torch file{REPLACE}"


def test_only_the_first_users_are_asked_for_a_try(here: Workspace) -> None:
    facts = done(here.run([train(limit=4)], "few")).facts("graph_llm_train")
    # Two windows of four users.
    assert (facts["train_samples"], facts["valid_samples"]) == (8, 4)


@pytest.mark.parametrize(("limits", "asked"), [({"valid_limit": 3}, 3), ({"valid_limit": 9, "limit": 4}, 4)])
def test_fewer_users_may_be_asked_after_an_epoch_than_in_it(
    here: Workspace, limits: dict[str, int], asked: int
) -> None:
    facts = done(here.run([train(epochs=1, **limits)], f"valid-{asked}")).facts("graph_llm_train")
    assert (facts["train_samples"], facts["valid_samples"]) == (2 * limits.get("limit", 30), asked)


def test_the_betas_of_a_scenario_are_those_of_the_optimizer(here: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    adamw, made = torch.optim.AdamW, []

    def kept(*given: Any, **options: Any) -> Any:
        made.append(adamw(*given, **options))
        return made[-1]

    monkeypatch.setattr(torch.optim, "AdamW", kept)
    done(here.run([train(betas=[0.8, 0.95], limit=1, epochs=1)], "betas"))
    assert [group["betas"] for group in made[0].param_groups] == [(0.8, 0.95)] * len(made[0].param_groups)


def without(here: Workspace, split: str) -> str:
    """A file of subgraphs that has no samples of a split."""
    content = torch.load(here.vectors / "subgraphs.pt", weights_only=True)
    own = content["samples"][split]
    content["samples"][split] = {name: part[:0] for name, part in own.items()}
    torch.save(content, here.vectors / f"without_{split}.pt")
    return f"without_{split}.pt"


def test_without_valid_samples_the_last_epoch_is_the_best(here: Workspace) -> None:
    run = done(here.run([train(subgraphs=without(here, "valid"))], "unvalidated"))
    facts = run.facts("graph_llm_train")
    assert (facts["valid_samples"], facts["best_epoch"]) == (0, 1)
    assert [epoch["valid"] for epoch in run.record.stages["graph_llm"]["epochs"]] == [{}, {}]


def test_without_train_samples_there_is_nothing_to_train_on(here: Workspace) -> None:
    run = here.run([train(subgraphs=without(here, "train"))], "untrained")
    assert error_of(run) == "graph_llm_train.subgraphs: without_train.pt has no sample of the train part"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"llm_mode": "lora", "lora": {"target_modules": ["q_prj"]}},
            "lora.target_modules: the model has no linear layer 'q_prj'; did you mean 'q_proj'? (it has down_proj, "
            "gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj)",
        ),
        (
            {"llm_mode": "lora", "lora": {"target_modules": ["lm_head"]}},
            "lora.target_modules: the model has no linear layer 'lm_head' (it has down_proj, ",
        ),
        ({"llm": "short"}, "truncate_history: the prompt of 'u1' takes "),
        (
            {"llm": "abc"},
            "num_candidates: the tokenizer has no token of its own for D, E, so that scores cannot be told apart; take "
            "fewer candidates, or another model",
        ),
        # A user has had 18 items of the train part by then, and no two titles of the other 22 are alike.
        ({"num_candidates": 26}, "num_candidates: num_candidates is 26, and at most "),
        (
            {"prompt": "half.j2", "read_at": "options", "loss_on": "options"},
            "prompt: half.j2: {{ option.end }} is there 1 times, in 1 places, for 5 options; accepted: once for each, "
            "behind what is said of it",
        ),
        ({"prompt": "personal.j2"}, "prompt: personal.j2: what stands before {{ graph }} is read once for all, but it"),
        (
            {"prompt": "of_facts.j2", "llm_mode": "lora", "facts_as": "text"},
            "prompt: of_facts.j2: what stands before {{ graph }} is read once for all, but it is 'Choose.' in one "
            "place and 'Choose by facts.' in another",
        ),
        ({"learning_rate": 1e30, "clip_grad_norm": None, "warmup_epochs": 0}, "the loss is nan at step 1 of epoch 0: "),
    ],
)
def test_what_cannot_be_trained_says_why(here: Workspace, changes: dict[str, Any], message: str) -> None:
    write_tiny_lm(here.folder / "short", context=64)
    write_tiny_lm(here.folder / "abc", letters="ABC")
    (here.folder / "saved").mkdir(exist_ok=True)
    (here.folder / "personal.j2").write_text("{{ history[-1].title }}\n{{ graph }}\n{{ options | length }}")
    (here.folder / "half.j2").write_text("Choose.\n{{ graph }}\n{{ options[0].letter }}{{ options[0].end }}")
    (here.folder / "of_facts.j2").write_text("Choose{% if facts %} by facts{% endif %}.\n{{ graph }}\n{{ options }}")
    run = here.run([train(**changes)], "impossible")
    dot = ": " if message.startswith("the ") else "."
    assert error_of(run).startswith(f"graph_llm_train{dot}{message}")


def test_a_loss_that_is_no_number_names_the_users_of_its_batch(here: Workspace) -> None:
    run = here.run([train(learning_rate=1e30, clip_grad_norm=None, warmup_epochs=0)], "diverged")
    users = error_of(run).partition(": users ")[2].split(", ")
    assert len(users) == 5
    assert set(users) <= {f"u{number}" for number in range(1, 31)}


def test_a_prompt_that_is_too_long_tells_its_tokens_and_can_be_shortened(here: Workspace) -> None:
    # Each item of a history takes three words and a separator.
    write_tiny_lm(here.folder / "short", context=110)
    message = error_of(here.run([train(llm="short")], "long"))
    assert message.endswith("and the language model reads 110; shorten histories, or truncate_history: True")
    run = done(here.run([train(llm="short", truncate_history=True)], "shortened"))
    counts = run.facts("graph_llm_train")["histories_shortened"]
    assert set(counts) == {"train", "valid"}
    total = counts["train"] + counts["valid"]
    assert f"; {total:,} histories are too long for the model and lost their oldest items" in run.console.text
    write_tiny_lm(here.folder / "shorter", context=60)
    message = error_of(here.run([train(llm="shorter", truncate_history=True)], "nothing_left"))
    assert message.endswith("and the language model reads 60; even without its history")


def test_a_valid_prompt_that_is_too_long_is_known_before_anything_is_trained(
    here: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = torch.load(here.vectors / "subgraphs.pt", weights_only=True)
    valid = content["samples"]["valid"]
    # Each item two hundred times: three words and a separator each time are more than 2,048 tokens.
    valid["histories"] = valid["histories"].repeat_interleave(200, dim=1)
    torch.save(content, here.vectors / "long_valid.pt")
    steps: list[Any] = []
    monkeypatch.setattr(GraphTask, "loss", lambda self, batch: steps.append(batch))
    message = error_of(here.run([train(subgraphs="long_valid.pt")], "long_valid"))
    assert message.startswith("graph_llm_train.truncate_history: the prompt of 'u1' takes ")
    assert steps == []


def test_subgraphs_without_samples_are_known_before_anything_runs(here: Workspace) -> None:
    content = torch.load(here.vectors / "subgraphs.pt", weights_only=True)
    torch.save({**content, "samples": {}}, here.vectors / "unasked.pt")
    (here.vectors / "broken.pt").write_bytes(b"half")
    folder = here.vectors.relative_to(here.folder)
    (problem,) = problems_of(here, [train(subgraphs="unasked.pt")])
    assert problem == (
        f"graph_llm_train.subgraphs: {folder}/unasked.pt holds no samples; set train_windows in retrieve_subgraph"
    )
    (problem,) = problems_of(here, [train(subgraphs="broken.pt")])
    assert problem.startswith(f"graph_llm_train.subgraphs: {folder}/broken.pt ")


def test_a_chat_template_is_no_condition(here: Workspace) -> None:
    write_tiny_lm(here.folder / "plain", chat=False)
    done(here.run([train(llm="plain")], "plain"))


def test_other_subgraphs_are_refused(here: Workspace) -> None:
    split = {"split": {"LS": "valid_and_test"}, "order": "RO", "group_by": "user", "mode": "full"}
    message = error_of(here.run([train()], "other_split", eval_args=split))
    assert message.startswith("graph_llm_train.subgraphs: ")
    assert "(written from another train part); run retrieve_subgraph again" in message


def test_a_checkpoint_of_several_seeds_has_no_name_of_its_own(here: Workspace) -> None:
    (problem,) = problems_of(here, [train(checkpoint="saved/s.pth")], seeds=[1, 2])
    assert "graph_llm_train.checkpoint: each of 2 seeds trains a model of its own" in problem
    assert problems_of(here, [train()], seeds=[1, 2]) == []


def test_a_folder_is_no_place_for_a_checkpoint(here: Workspace) -> None:
    (problem,) = problems_of(here, [train(checkpoint="saved")])
    assert "graph_llm_train.checkpoint: saved is a folder; give the name of a file" in problem


def test_where_nothing_can_be_written_nothing_is_trained(here: Workspace) -> None:
    run = here.run([train(checkpoint="lm/config.json/x.pth")], "no_place")
    assert error_of(run).startswith("graph_llm_train.checkpoint: nothing can be written to lm/config.json: ")
    assert not any("epoch" in line for line in run.console.lines)


def test_two_trainings_of_a_run_keep_two_checkpoints(here: Workspace) -> None:
    run = done(here.run([train(), train(learning_rate=1e-4)], "two"))
    kept = [step["facts"]["checkpoint"] for step in run.record.steps]
    assert [name.rpartition("/")[2] for name in kept] == ["graph_llm.pth", "graph_llm-2.pth"]
    assert all((here.folder / name).is_file() for name in kept)


def test_a_folder_without_a_model_is_known_before_anything_runs(here: Workspace) -> None:
    (problem,) = problems_of(here, [train(llm="saved")])
    assert "graph_llm_train.llm: the folder saved holds no config.json, and so no language model" in problem


def test_options_that_are_read_at_their_ends_need_a_loss_and_a_template_of_that_kind(here: Workspace) -> None:
    (here.folder / "unmarked.j2").write_text("{{ graph }}{% for one in options %}{{ one.letter }}{% endfor %}")
    (problem,) = problems_of(here, [train(read_at="options")])
    advice = "read_at: options does not read the letter that loss_on: answer trains; set loss_on: options"
    assert problem == f"graph_llm_train.read_at: {advice}"
    (problem,) = problems_of(here, [train(read_at="options", loss_on="answer")])
    assert problem == f"graph_llm_train.loss_on: {advice}"
    (problem,) = problems_of(here, [train(read_at="options", loss_on="options", prompt="unmarked.j2")])
    assert problem.startswith("graph_llm_train.prompt: unmarked.j2 does not tell where an option ends")
    (problem,) = problems_of(here, [train(read_at="option", loss_on="options")])
    assert problem.startswith("graph_llm_train.read_at: got 'option'; accepted: 'last' or 'options'; did you mean")
