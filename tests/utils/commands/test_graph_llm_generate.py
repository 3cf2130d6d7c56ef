"""`graph_llm_generate` on the tiny dataset with a tiny language model: tables, files and vectors."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from tests.models.llm.tiny_lm import write_tiny_lm
from tests.utils.knowledge.graph_llm_runs import (
    done,
    error_of,
    generate,
    problems_of,
    ready,
    retrieve,
    train,
)
from tests.workspace import SASREC, TRAIN, USERS, Run, Workspace, metrics, transferred
from utils.data.embeddings import read_vectors
from utils.retrieval.store import read_subgraphs

KEPT = {"checkpoint": "saved/g.pth"}
VECTORS = {"users_emb_file": "gu.pt", "items_emb_file": "gi.pt"}
ROWS = ["random", "popularity", "llm", "llm_text", "no_graph"]


@pytest.fixture(scope="module")
def here(workspace: Workspace) -> Workspace:
    """With a checkpoint of a trained model."""
    done(ready(workspace).run([train(**KEPT)], "trained"))
    return workspace


@pytest.fixture(scope="module")
def whole(here: Workspace) -> Run:
    """The whole way: retrieve, train, generate, reduce, wrap, and train a recommender with it."""
    steps = [
        retrieve(file_out="own.pt"),
        train(subgraphs="own.pt"),
        generate(subgraphs="own.pt", baselines=ROWS, max_new_tokens=3, **VECTORS),
        {"reduce_dim": {"file_in": "gu.pt", "file_out": "gu4.pt", "dimension": 4}},
        TRAIN[0],
        {"wrap_model": {"distil_loss": "cka", "users_emb_file": "gu4.pt"}},
        {"set_outputs": ["user_embedding"]},
        *TRAIN[1:],
    ]
    return done(here.run(steps, "whole"))


def lines(run: Run, name: str = "generations.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.dir / name).read_text("utf-8").splitlines()]


def rows(run: Run) -> dict[str, dict[str, float]]:
    return run.facts("graph_llm_generate")["table"]["rows"]


def probabilities(run: Run) -> np.ndarray:
    return np.array([line["probs"] for line in lines(run)])


def test_each_user_has_a_line_with_all_that_was_asked_and_chosen(whole: Run, here: Workspace) -> None:
    own = read_subgraphs(here.vectors / "own.pt").samples["test"]
    with (here.folder / "datasets" / "tiny" / "tiny.inter").open() as file:
        latest = {line.split("\t")[0]: line.split("\t")[1] for line in file}
    entities = {int(node) for node in own.retrieved.centres.flatten() if node >= 0}
    found = lines(whole)
    assert [line["user"] for line in found] == list(own.users) == USERS
    for line in found:
        assert list(line) == ["user", "options", "gold", "ranking", "probs", "centres", "written"]
        assert list(line["options"]) == list("ABCDE")
        assert line["options"][line["gold"]] == latest[line["user"]]
        by_letter = dict(zip("ABCDE", line["probs"], strict=True))
        assert [by_letter[letter] for letter in line["ranking"]] == sorted(line["probs"], reverse=True)
        assert sum(line["probs"]) == pytest.approx(1, abs=1e-5)
        assert [len(slot) for slot in line["centres"]] == [5, 5]
    assert len({centre for line in found for slot in line["centres"] for centre in slot}) == len(entities)
    # The right option is anywhere.
    assert {line["gold"] for line in found} == set("ABCDE")


def test_the_table_has_a_row_for_each_and_chance_is_exact(whole: Run) -> None:
    found = rows(whole)
    assert list(found) == ["graph_llm", *ROWS]
    assert found["random"] == pytest.approx({"accuracy": 1 / 5, "recall@3": 3 / 5})
    right = [line["ranking"].index(line["gold"]) for line in lines(whole)]
    shares = {"accuracy": np.mean(np.equal(right, 0)), "recall@3": np.mean(np.less(right, 3))}
    assert found["graph_llm"] == pytest.approx(shares)
    assert set(whole.facts("graph_llm_generate")["table"]["against"]) == set(ROWS)
    assert "graph_llm against popularity: " in whole.console.text


def test_popularity_is_that_of_the_train_part(whole: Run, here: Workspace) -> None:
    inter = pd.read_csv(here.folder / "datasets" / "tiny" / "tiny.inter", sep="\t")
    inter.columns = [name.partition(":")[0] for name in inter.columns]
    # The last two of each user are held back.
    counts = inter.groupby("user_id").head(18)["item_id"].value_counts()
    expected = []
    for line in lines(whole):
        own = {letter: counts[item] for letter, item in line["options"].items()}
        better = sum(count > own[line["gold"]] for count in own.values())
        tied = sum(count == own[line["gold"]] for count in own.values())
        expected.append(1 / tied if better == 0 else 0)
    assert rows(whole)["popularity"]["accuracy"] == pytest.approx(np.mean(expected))


def test_every_row_is_kept_by_user(whole: Run) -> None:
    facts = whole.facts("graph_llm_generate")
    assert list(facts["files"]) == ["graph_llm", *ROWS]
    for name, file in facts["files"].items():
        by_user = pd.read_parquet(whole.dir / file)
        assert len(by_user) == 30
        assert by_user["accuracy"].mean() == pytest.approx(rows(whole)[name]["accuracy"])


def test_what_the_model_writes_is_kept_and_ranks_nothing(whole: Run) -> None:
    assert all(isinstance(line["written"], str) for line in lines(whole))
    assert "written" not in lines(done(_again(whole, max_new_tokens=0)))[0]
    assert rows(_again(whole, max_new_tokens=0))["graph_llm"] == rows(whole)["graph_llm"]


def _again(run: Run, **changes: Any) -> Run:
    return Workspace(run.folder).run([train(**KEPT), generate(**changes)], "again")


def test_the_vectors_are_keyed_by_token_and_say_what_made_them(whole: Run, here: Workspace) -> None:
    users, items = (read_vectors(here.vectors / name) for name in ("gu.pt", "gi.pt"))
    assert whole.facts("graph_llm_generate")["rows"] == {"users_emb_file": 30, "items_emb_file": 40}
    assert (users.vectors.shape, items.vectors.shape) == ((30, 32), (40, 32))
    assert (set(users.tokens or ()), len(set(items.tokens or ()))) == (set(USERS), 40)
    assert len(torch.unique(users.vectors, dim=0)) == 30
    assert users.meta["train_fingerprint"] == read_subgraphs(here.vectors / "own.pt").meta["train_fingerprint"]
    assert (users.meta["side"], items.meta["side"], users.meta["encoder"]) == ("users", "items", "lm")


def test_a_recommender_is_trained_with_what_the_language_model_made_of_users(whole: Run) -> None:
    # The run stands for its recommender; the choices are a stage of their own.
    assert transferred(whole.record)
    assert set(metrics(whole.record)) == {"recall@5", "ndcg@5"}
    stage = whole.record.stages["graph_llm"]
    assert stage["tested_model"] == "lm"
    assert stage["candidates"] == {"number": 5, "others": "uniform negatives"}
    assert stage["best_test_res"] == rows(whole)["graph_llm"]
    assert (stage["lineage"], stage["loaded_from"]) == (["graph_llm"], None)


def test_without_checkpoint_it_is_that_of_the_training_before(here: Workspace) -> None:
    kept, own = here.run([train(**KEPT), generate()], "kept"), here.run([train(), generate()], "own")
    assert done(kept).facts("graph_llm_generate")["checkpoint"] == "saved/g.pth"
    assert done(own).facts("graph_llm_generate")["checkpoint"] == f"saved/{own.record.run_id}/graph_llm.pth"
    assert rows(kept) == rows(own)
    np.testing.assert_array_equal(probabilities(kept), probabilities(own))


def test_a_checkpoint_of_another_run_is_asked_alike(whole: Run, here: Workspace) -> None:
    run = done(here.run([generate(**KEPT)], "other_run"))
    trained = torch.load(here.folder / "saved" / "g.pth", weights_only=True)["meta"]["run_id"]
    stage = run.record.stages["graph_llm"]
    assert (stage["lineage"], stage["loaded_from"]) == ([], {"run_id": trained, "transferred": True})
    assert rows(run)["graph_llm"] == rows(whole)["graph_llm"]


def test_the_size_of_a_batch_changes_no_choice(here: Workspace) -> None:
    whole, sevens = (done(here.run([generate(**KEPT, batch_size=size)], "sizes")) for size in (30, 7))
    # A model may compute in bfloat16.
    np.testing.assert_allclose(probabilities(sevens), probabilities(whole), atol=2e-3)


def test_without_its_graph_the_model_is_the_baseline_of_that_name(here: Workspace) -> None:
    with_row = done(here.run([generate(**KEPT, baselines=["no_graph", "llm"])], "row"))
    alone = done(here.run([generate(**KEPT, no_graph=True, baselines=["llm"])], "alone"))
    assert list(rows(alone)) == ["graph_llm_no_graph", "llm"]
    assert rows(alone)["graph_llm_no_graph"] == rows(with_row)["no_graph"]
    # Nothing but the reader of graphs was trained.
    assert rows(alone)["graph_llm_no_graph"] == rows(alone)["llm"]


@pytest.mark.parametrize(
    ("changes", "main", "baselines"),
    [
        ({"facts_as": "text"}, "text_llm", ["random", "llm", "llm_text", "no_graph"]),
        ({"facts_as": "none"}, "tuned_llm", ["random", "llm", "llm_text"]),
        ({"graph_tokens": "mean"}, "graph_llm", ["llm", "no_graph"]),
    ],
)
def test_every_way_of_telling_facts_is_asked_as_it_was_trained(
    here: Workspace, changes: dict[str, Any], main: str, baselines: list[str]
) -> None:
    step = train(llm_mode="lora", limit=4, **changes)
    run = done(here.run([step, generate(baselines=baselines, users_emb_file=f"{main}.pt")], main))
    assert list(rows(run)) == [main, *baselines]
    assert read_vectors(here.vectors / f"{main}.pt").vectors.shape == (30, 32)
    assert run.record.stages["graph_llm"]["transferred"] is (main != "tuned_llm")


def test_the_valid_part_is_asked_about_its_own_items(here: Workspace) -> None:
    run = done(here.run([generate(**KEPT, split="valid", limit=7)], "valid"))
    own = read_subgraphs(here.vectors / "subgraphs.pt").samples["valid"]
    found = lines(run)
    assert [line["user"] for line in found] == USERS[:7]
    items = [f"i{number}" for number in range(1, 41)]
    with (here.folder / "datasets" / "tiny" / "tiny.inter").open() as file:
        order = list(dict.fromkeys(line.split("\t")[1] for line in file))[1:]
    assert set(order) == set(items)
    assert [line["options"][line["gold"]] for line in found] == [order[target] for target in own.targets[:7]]


def test_popular_negatives_make_popularity_a_weaker_row(here: Workspace) -> None:
    few = {"baselines": ["popularity"], "metrics": ["mrr"], "num_candidates": 5}
    uniform = done(here.run([generate(**{**KEPT, **few})], "uniform"))
    popular = done(here.run([generate(**{**KEPT, **few, "negative_sampling": "popularity"})], "popular"))
    assert rows(popular)["popularity"]["mrr"] < rows(uniform)["popularity"]["mrr"]
    assert popular.record.stages["graph_llm"]["candidates"]["others"] == "popularity negatives"


# Candidates are items that a user has not had, whatever the test of a sequential model ranks.
@pytest.mark.parametrize("settings", [{}, {**SASREC, "filter_seen": True}], ids=["BPR", "SASRec"])
def test_the_top_of_a_recommender_is_ranked_again(here: Workspace, settings: dict[str, Any]) -> None:
    asked = {"candidates": "model", "metrics": ["accuracy", "recall@5"], "baselines": ["recommender", "random"]}
    run = done(here.run([*TRAIN, generate(**KEPT, **asked)], "model", **settings))
    found = rows(run)
    # All five are looked at, so that whoever ranks them has what the recommender has.
    recall = run.record.stages["0"]["best_test_res"]["recall@5"]
    assert {name: row["recall@5"] for name, row in found.items()} == pytest.approx(
        dict.fromkeys(found, recall), abs=1e-4
    )
    assert run.facts("graph_llm_generate")["right_among_candidates"] == pytest.approx(recall, abs=1e-4)
    assert run.record.stages["graph_llm"]["candidates"]["others"] == f"the top of {run.record.settings['model']}"
    golds = [line["gold"] for line in lines(run)]
    assert sum(gold is not None for gold in golds) == round(recall * 30)


def test_a_reranking_is_compared_with_its_recommender_unless_rows_are_named(here: Workspace) -> None:
    asked = {**KEPT, "candidates": "model"}
    steps = [*TRAIN, generate(**asked), generate(**asked, baselines=["random"], file_out="named.jsonl")]
    run = done(here.run(steps, "compared"))
    found = [step["facts"] for step in run.record.steps if step["command"] == "graph_llm_generate"]
    assert [list(facts["table"]["rows"]) for facts in found] == [
        ["graph_llm", "recommender", "random", "popularity"],
        ["graph_llm", "random"],
    ]
    share = sum(line["gold"] is not None for line in lines(run)) / 30
    assert 0 < share < 1
    note = f"the right item is among the candidates of {share:.1%} of the users; the others count 0 in all rows"
    assert run.console.text.count(note) == 2
    assert "among the candidates" not in done(here.run([generate(**KEPT)], "sampled")).console.text


def test_a_recommender_that_was_loaded_ranks_as_one_that_was_trained(here: Workspace) -> None:
    trained = done(here.run(TRAIN, "to_be_loaded"))
    loaded = ["init_model", "init_trainer", {"load_from_file": f"saved/{trained.record.run_id}/model.pth"}]
    run = done(here.run([*loaded, generate(**KEPT, candidates="model")], "loaded"))
    recall = trained.record.stages["0"]["best_test_res"]["recall@5"]
    assert run.facts("graph_llm_generate")["right_among_candidates"] == pytest.approx(recall, abs=1e-4)


def test_shortened_histories_are_told_for_each_row(here: Workspace) -> None:
    write_tiny_lm(here.folder / "short", context=100)
    done(here.run([train(llm="short", truncate_history=True, checkpoint="saved/short.pth")], "short"))
    asked = {"checkpoint": "saved/short.pth", "baselines": ["random", "llm"]}
    message = error_of(here.run([generate(**asked)], "too_long"))
    assert message.startswith("graph_llm_generate.truncate_history: the prompt of 'u")
    run = done(here.run([generate(**asked, truncate_history=True)], "shortened"))
    counts = run.facts("graph_llm_generate")["histories_shortened"]
    assert list(counts) == ["graph_llm", "llm"]
    # The graph's ten tokens take room of the history's.
    assert 0 < counts["llm"] < counts["graph_llm"] <= 30
    for what, count in counts.items():
        note = f"        {what}: {count} histories are too long for the model and lost their oldest items"
        assert note in run.console.lines
    assert done(here.run([generate(**KEPT)], "whole_ones")).facts("graph_llm_generate")["histories_shortened"] == {}


def test_vectors_that_are_there_are_kept_or_refused_and_can_be_replaced(here: Workspace) -> None:
    files = {"users_emb_file": "again.pt"}
    done(here.run([generate(**KEPT, **files)], "first"))
    path = here.vectors / "again.pt"
    before = path.stat().st_mtime_ns
    done(here.run([generate(**KEPT, **files)], "second"))
    assert path.stat().st_mtime_ns == before
    other = train(checkpoint="saved/mean.pth", graph_tokens="mean")
    why = (
        f"{path.relative_to(here.folder)} holds vectors of another training; set overwrite: True, or name another file"
    )
    assert error_of(here.run([other, generate(**files)], "other")) == f"graph_llm_generate.users_emb_file: {why}"
    done(here.run([other, generate(**files, overwrite=True)], "replaced"))
    assert path.stat().st_mtime_ns > before
    swapped = generate(checkpoint="saved/mean.pth", items_emb_file="again.pt")
    assert "holds vectors of the other side; set overwrite" in error_of(here.run([swapped], "swapped"))


def test_a_checkpoint_is_that_of_the_training_however_its_path_is_written(here: Workspace) -> None:
    for written, read in (("./saved/n.pth", "saved/n.pth"), ("saved/n.pth", "saved//n.pth")):
        without = train(checkpoint=written, facts_as="none", llm_mode="lora")
        assert problems_of(here, [without, generate(checkpoint=read)]) == []
        (problem,) = problems_of(here, [without, generate(checkpoint=read, no_graph=True)])
        assert problem.startswith("graph_llm_generate.no_graph: the model was trained with facts_as: none")
    (problem,) = problems_of(here, [train(checkpoint="saved/n.pth"), generate(checkpoint="saved/m.pth")])
    assert problem.startswith("graph_llm_generate.checkpoint: no file saved/m.pth")


def test_a_kept_training_and_its_choices_are_one_stage(here: Workspace) -> None:
    trained = torch.load(here.folder / "saved" / "g.pth", weights_only=True)["meta"]["run_id"]
    run = done(here.run([train(**KEPT), generate()], "kept_stage"))
    assert run.facts("graph_llm_train")["kept"]
    (stage,) = run.record.stages.values()
    assert (stage["lineage"], stage["loaded_from"], stage["trained_by"]) == (["graph_llm"], None, trained)
    assert [epoch["epoch"] for epoch in stage["epochs"]] == [0, 1]
    assert (stage["tested_in_step"], stage["transferred"]) == (2, True)
    assert stage["best_test_res"] == rows(run)["graph_llm"]


def test_several_trainings_of_a_run_keep_what_each_of_them_chose(here: Workspace) -> None:
    asked: list[dict[str, Any]] = [{}, {"split": "valid"}, {"limit": 9}, KEPT]
    first, again, second, foreign = (generate(file_out=f"{at}.jsonl", **one) for at, one in enumerate(asked))
    steps = [train(limit=3), first, again, train(limit=4), second, foreign]
    stages = done(here.run(steps, "several")).record.stages
    # Of two trainings each with its first choices, of the second choices of the first, and of a model from elsewhere.
    lineages = {name: stage["lineage"] for name, stage in stages.items()}
    assert lineages == {
        "graph_llm": ["graph_llm"],
        "graph_llm-2": ["graph_llm"],
        "graph_llm-3": ["graph_llm-3"],
        "graph_llm-4": [],
    }
    assert [stage["settings"]["limit"] for stage in stages.values() if "settings" in stage] == [3, 4]
    assert [stage["tested_in_step"] for stage in stages.values()] == [2, 3, 5, 6]


def test_it_is_asked_among_as_many_as_it_was_trained_with_unless_told_otherwise(here: Workspace) -> None:
    run = done(here.run([{"graph_llm_generate": {**KEPT}}], "as_trained"))
    rows = run.facts("graph_llm_generate")["table"]["rows"]
    # Five candidates: of the default metrics those that five have; of ten there is no recall.
    assert list(rows["graph_llm"]) == ["accuracy", "recall@1", "recall@3", "recall@5"]
    assert rows["random"]["accuracy"] == pytest.approx(1 / 5)
    step = {"graph_llm_generate": {**KEPT, "metrics": ["recall@9"]}}
    message = error_of(here.run([step], "more_than_there_are"))
    assert message.startswith("graph_llm_generate.metrics: metric 'recall@9': recall@K takes a K from 1 to 5")


def test_choices_of_the_valid_part_stand_apart_from_those_of_the_test_part(here: Workspace) -> None:
    others = {
        split: done(here.run([generate(**KEPT, split=split)], f"of_{split}")).record.stages["graph_llm"]["candidates"]
        for split in ("test", "valid")
    }
    assert others["test"]["others"] == "uniform negatives"
    assert others["valid"]["others"] == "uniform negatives, valid part"


def test_a_model_that_reads_options_at_their_ends_is_asked_so_again_and_its_untouched_row_is_not(
    here: Workspace,
) -> None:
    trained = train(checkpoint="saved/ends.pth", read_at="options", loss_on="options", learning_rate=0.01)
    run = done(here.run([trained, generate(baselines=["llm", "no_graph"])], "ends"))
    stage, untouched = run.record.stages["graph_llm"], done(here.run([generate(**KEPT, baselines=["llm"])], "last"))
    assert stage["settings"]["read_at"] == "options"
    # Without adapters and head it is the language model that the other training has, asked the same.
    assert rows(run)["llm"] == pytest.approx(rows(untouched)["llm"])
    own, head = probabilities(run), torch.load(here.folder / "saved" / "ends.pth", weights_only=True)
    head["tensors"]["option_head.weight"].zero_()
    torch.save(head, here.folder / "saved" / "level.pth")
    level = probabilities(done(here.run([generate(checkpoint="saved/level.pth")], "level")))
    # A head of zeros finds all options alike, and the trained one does not.
    np.testing.assert_allclose(level, 1 / 5, atol=1e-4)
    assert np.abs(own - 1 / 5).max() > 1e-3
    fewer = done(here.run([generate(checkpoint="saved/ends.pth", num_candidates=3)], "fewer"))
    assert probabilities(fewer).shape == (len(USERS), 3)
