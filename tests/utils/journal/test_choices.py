"""A run in which a language model chose is told apart from one in which a recommender ranked."""

from __future__ import annotations

from typing import Any

from utils.journal.choices import choice_stage
from utils.journal.csv_journal import row_of
from utils.journal.index import facts_of
from utils.journal.outcome import outcome_of
from utils.journal.records import RunRecord
from utils.journal.summary import summary_table

METRICS = {"accuracy": 0.4, "recall@3": 0.7}
PROTOCOL = {"valid_metric": "NDCG@10", "filter_seen": True}
RANKED = {"lineage": ["0"], "protocol": PROTOCOL, "best_test_res": {"ndcg@10": 0.2}, "tested_in_step": 2}


def _record(name: str, stages: dict[str, Any]) -> RunRecord:
    settings = {"model": "NeuMF", "dataset": "tiny", "seed": 1}
    return RunRecord("r", f"x/{name}.yaml", settings, status="done", protocol=PROTOCOL, stages=stages)


def _chosen(accuracy: float = 0.4, graph: bool = True, others: str = "uniform negatives", **settings: Any) -> Any:
    """Stages of a training of a language model, with a graph or without, and of its choices."""
    trained = {"lineage": ["llm"], "transferred": graph, "knowledge": ["graph"] if graph else [], "settings": settings}
    metrics = {**METRICS, "accuracy": accuracy}
    return {"llm": {**trained, **choice_stage("SmolLM2", metrics, 20, others, 5, "by_user.parquet", ["llm"])}}


def test_the_outcome_is_that_of_the_language_model() -> None:
    outcome = outcome_of(_record("01", _chosen()))
    assert outcome is not None
    assert (outcome.metrics, outcome.valid_metric, outcome.model) == (METRICS, "accuracy", "SmolLM2")
    assert (outcome.per_user_file, outcome.transferred, outcome.losses) == ("by_user.parquet", True, ("graph",))
    # Not how the recommender of the scenario would have ranked.
    assert outcome.ranking == "among 20 candidates (uniform negatives)"


def test_a_recommender_that_was_tested_stands_before_choices_that_were_made_later() -> None:
    outcome = outcome_of(_record("01", {"0": RANKED, **_chosen()}))
    assert outcome is not None
    assert (outcome.metrics, outcome.model, outcome.ranking) == ({"ndcg@10": 0.2}, None, "seen items left out")


def test_of_two_choices_the_later_one_counts() -> None:
    again = choice_stage("SmolLM2", {"accuracy": 0.1}, 20, "uniform negatives", 6)
    outcome = outcome_of(_record("01", {"again": again, **_chosen()}))
    assert outcome is not None
    assert outcome.metrics == {"accuracy": 0.1}


def test_the_table_names_the_language_model_and_what_it_chose_from() -> None:
    # (0.4 - 0.32) / 0.32 is a quarter.
    records = [_record("01_text", _chosen(0.32, graph=False)), _record("02_graph", _chosen())]
    assert summary_table(records).splitlines()[:5] == [
        "model    variant           accuracy  recall@3           change",
        "-------  ----------------  --------  --------  ---------------",
        "SmolLM2  01_text (plain)     0.3200    0.7000",
        "SmolLM2  02_graph (graph)    0.4000    0.7000  +25.0% accuracy",
        "ranking: among 20 candidates (uniform negatives)",
    ]


def test_ranking_all_items_and_choosing_among_few_are_not_to_be_compared() -> None:
    lines = summary_table([_record("01", {"0": RANKED}), _record("02", _chosen(graph=False))]).splitlines()
    assert lines[-1] == (
        "ranking: seen items left out: NeuMF; among 20 candidates (uniform negatives): SmolLM2; "
        "do not compare across these"
    )


def test_a_recommender_is_no_plain_run_of_a_language_model() -> None:
    lines = summary_table([_record("01", {"0": RANKED}), _record("02", _chosen())]).splitlines()
    assert lines[-1] == "change: no plain run of SmolLM2 on the same data and seed to compare 02 with"


def test_choices_among_other_candidates_are_not_compared() -> None:
    records = [_record("01", _chosen(graph=False, others="popular negatives")), _record("02", _chosen())]
    assert summary_table(records).splitlines()[-1] == (
        "change: 02 and 01 differ in the candidates as well, so they are not compared"
    )


def test_language_models_that_were_trained_differently_are_not_compared() -> None:
    records = [_record("01", _chosen(graph=False, epochs=1)), _record("02", _chosen(epochs=3))]
    assert summary_table(records).splitlines()[-1] == (
        "change: 02 and 01 differ in epochs as well, so they are not compared"
    )


def test_choices_of_a_loaded_checkpoint_are_compared_with_none() -> None:
    stage = choice_stage("SmolLM2", METRICS, 20, "uniform negatives", 5, loaded_from={"path": "x.pth"})
    table = summary_table([_record("01", {"llm": stage})])
    assert "SmolLM2  01 (loaded)" in table


def test_the_journal_has_the_metrics_and_no_weight_of_a_loss() -> None:
    row = row_of(_record("01", _chosen()))
    assert row["train_llm:best_test_res"] == '{"accuracy": 0.4, "recall@3": 0.7}'
    assert row["dist_loss_w"] == ""


def test_runs_are_found_by_what_was_tested() -> None:
    facts = facts_of(_record("01", _chosen()))
    assert (facts["model"].value, facts["accuracy"].value) == ("SmolLM2", 0.4)
