"""The table of choices says who is better only where the same questions say so."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from utils.report.choice_metrics import chance_variance, per_sample
from utils.report.choice_table import ONE_MODEL, choice_table
from utils.report.significance import bootstrap_interval, paired_tests

N = 40


def _accuracy(right: int, n: int = N) -> dict[str, np.ndarray]:
    """The first `right` of n questions answered."""
    values = (np.arange(n) < right).astype(np.float64)
    return {"accuracy": values, "recall@3": np.maximum(values, 0.5)}


CHANCE = {"accuracy": np.full(N, 1 / 20), "recall@3": np.full(N, 3 / 20)}


def test_lines_are_those_of_a_table_with_a_verdict_on_each_row() -> None:
    # 30, 10 and 28 of 40: .750, .250, .700; recall@3 of those that are not right is a half.
    # Redrawn, 30 right ones of 40 are between 24 and 35 in 95% of the draws: 24 / 40 - .05 to 35 / 40 - .05.
    rows = {"random": CHANCE, "popularity": _accuracy(10), "no_graph": _accuracy(28), "graph_llm": _accuracy(30)}
    assert choice_table("graph_llm", rows).lines == [
        "choices of  samples  accuracy  recall@3",
        "----------  -------  --------  --------",
        "random      40           .050      .150",
        "popularity  40           .250      .625",
        "no_graph    40           .700      .850",
        "graph_llm   40           .750      .875",
        "graph_llm against random: +.700 accuracy, +.550 to +.825, p < .001: better",
        "graph_llm against popularity: +.500 accuracy, +.350 to +.650, p < .001: better",
        "graph_llm against no_graph: +.050 accuracy, +.000 to +.125, p .160: no difference shown",
        "p: paired t-test over 40 samples, corrected (Holm) for 3 rows; better or worse from p <= .05",
        ONE_MODEL,
    ]


def test_facts_are_the_tests_of_the_paired_differences() -> None:
    rows = {"graph_llm": _accuracy(22), "random": CHANCE, "popularity": _accuracy(16)}
    facts = choice_table("graph_llm", rows).facts
    differences = _accuracy(22)["accuracy"] - _accuracy(16)["accuracy"]
    tests = paired_tests(differences)
    assert tests is not None
    low, high = bootstrap_interval(differences[np.newaxis]) or (0, 0)
    assert facts["against"]["popularity"] == {
        # (22 - 16) / 40.
        "difference": pytest.approx(0.15),
        "low": low,
        "high": high,
        "p": {"t": tests.t, "wilcoxon": tests.wilcoxon, "permutation": tests.permutation},
        # The larger of two p is corrected by 1.
        "holm": tests.t,
        "verdict": "better",
    }
    assert facts["rows"]["graph_llm"] == {"accuracy": 22 / 40, "recall@3": (22 + 18 / 2) / 40}
    assert (facts["main"], facts["metric"], facts["samples"]) == ("graph_llm", "accuracy", 40)
    assert json.loads(json.dumps(facts)) == facts


def test_one_that_is_worse_is_called_so() -> None:
    table = choice_table("graph_llm", {"graph_llm": _accuracy(5), "popularity": _accuracy(25)})
    assert table.facts["against"]["popularity"]["verdict"] == "worse"
    assert "graph_llm against popularity: -.500 accuracy, -.650 to -.350, p < .001: worse" in table.lines
    assert table.lines[-2] == "p: paired t-test over 40 samples; better or worse from p <= .05"


def test_the_same_choices_show_no_difference() -> None:
    table = choice_table("graph_llm", {"graph_llm": _accuracy(5), "no_graph": _accuracy(5)})
    assert "graph_llm against no_graph: +.000 accuracy, +.000 to +.000, p 1.000: no difference shown" in table.lines


def test_random_scores_are_not_called_better_than_chance() -> None:
    scores = np.random.default_rng(2).normal(size=(500, 20))
    rows = {
        name: per_sample(values, ["accuracy"]) for name, values in (("llm", scores), ("random", np.zeros((500, 20))))
    }
    assert choice_table("llm", rows).facts["against"]["random"]["verdict"] == "no difference shown"


def _by_chance(n: int = N) -> np.ndarray:
    """One right of 20, each time."""
    return np.full(n, chance_variance("accuracy", 20))


def test_none_right_of_six_is_what_chance_mostly_brings() -> None:
    """A paired test takes the six differences of -.05, which are all alike, for sure: p 2 / 2^6."""
    few = {"accuracy": np.full(6, 1 / 20), "recall@3": np.full(6, 3 / 20)}
    table = choice_table("llm", {"llm": _accuracy(0, n=6), "random": few}, chance={"random": _by_chance(6)})
    assert table.lines[-3:] == [
        "llm against random: -.050 accuracy, no interval, p 1.000: no difference shown",
        "p: random: against chance itself (binomial test); better or worse from p <= .05",
        ONE_MODEL,
    ]
    assert table.facts["against"]["random"] == {
        "difference": pytest.approx(-1 / 20),
        "low": None,
        "high": None,
        "p": {"t": None, "wilcoxon": None, "permutation": None, "binomial": pytest.approx(1.0)},
        "holm": pytest.approx(1.0),
        "verdict": "no difference shown",
    }
    assert json.loads(json.dumps(table.facts)) == table.facts


def test_chance_and_the_other_rows_are_one_family() -> None:
    rows = {"random": CHANCE, "popularity": _accuracy(3), "llm": _accuracy(6)}
    table = choice_table("llm", rows, chance={"random": _by_chance()})
    against = table.facts["against"]
    # Six or more of 40; so few are no likelier on the other side, where even none has .95^40 = .129.
    tail = sum(math.comb(40, right) * 0.05**right * 0.95 ** (40 - right) for right in range(6, 41))
    paired = paired_tests(_accuracy(6)["accuracy"] - _accuracy(3)["accuracy"])
    assert paired is not None
    assert against["random"]["p"]["binomial"] == pytest.approx(tail)
    assert against["random"]["holm"] == pytest.approx(2 * tail)
    assert against["popularity"]["p"]["t"] == against["popularity"]["holm"] == paired.t
    # What spread there is still gives an interval.
    differences = _accuracy(6)["accuracy"] - CHANCE["accuracy"]
    assert (against["random"]["low"], against["random"]["high"]) == bootstrap_interval(differences[np.newaxis])
    assert table.lines[-2] == (
        "p: paired t-test over 40 samples, random: against chance itself (binomial test), corrected (Holm) for 2 rows; "
        "better or worse from p <= .05"
    )


def test_questions_without_a_right_candidate_give_no_interval_to_one_that_is_never_right() -> None:
    """The differences are -.05 and 0, but no choice made them so."""
    right = np.arange(N) < 20
    rows = {"llm": {"accuracy": np.zeros(N)}, "random": {"accuracy": right / 20}}
    table = choice_table("llm", rows, chance={"random": right * _by_chance()})
    # A half of 1 / 20. None of 20, .95^20 = .358, is likelier than two or more, 1 - .358 - 20 * .05 * .95^19 = .264.
    assert "llm against random: -.025 accuracy, no interval, p .623: no difference shown" in table.lines


def test_a_metric_of_positions_is_tested_by_its_variance_under_chance() -> None:
    scores = np.random.default_rng(4).normal(size=(200, 20)) + 2 * (np.arange(20) == 0)
    rows = {name: per_sample(found, ["mrr"]) for name, found in (("llm", scores), ("random", np.zeros((200, 20))))}
    table = choice_table("llm", rows, chance={"random": np.full(200, chance_variance("mrr", 20))})
    assert "p: random: against chance itself (z test); better or worse from p <= .05" in table.lines
    assert table.facts["against"]["random"]["verdict"] == "better"


def test_one_sample_is_not_tested() -> None:
    table = choice_table("llm", {"llm": _accuracy(1, n=1), "random": _accuracy(0, n=1)})
    assert table.lines[-1] == "llm against random: +1.000 accuracy, no interval: not tested"
    assert table.facts["against"]["random"]["holm"] is None


def test_one_row_is_a_table_without_comparisons() -> None:
    table = choice_table("llm", {"llm": _accuracy(10)})
    assert len(table.lines) == 3
    assert table.facts["against"] == {}


def test_rows_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValueError, match="there is no row 'lm'; did you mean 'llm'"):
        choice_table("lm", {"llm": _accuracy(1)})
    with pytest.raises(ValueError, match=r"row 'random' has .* all rows need the same"):
        choice_table("llm", {"llm": _accuracy(1), "random": _accuracy(1, n=3)})
    with pytest.raises(ValueError, match="row 'llm' has no metric of any sample"):
        choice_table("llm", {"llm": _accuracy(0, n=0)})


def test_chance_of_no_row_or_of_other_samples_is_refused() -> None:
    rows = {"llm": _accuracy(1), "random": CHANCE}
    with pytest.raises(ValueError, match=r"chance of 'randm'; did you mean 'random'.*; rows beside 'llm' are random"):
        choice_table("llm", rows, chance={"randm": _by_chance()})
    with pytest.raises(ValueError, match=r"chance of 'llm'.*; rows beside 'llm' are random"):
        choice_table("llm", rows, chance={"llm": _by_chance()})
    with pytest.raises(ValueError, match=r"chance of 'random' has the shape \[3\], the rows \[40\]"):
        choice_table("llm", rows, chance={"random": _by_chance(3)})
