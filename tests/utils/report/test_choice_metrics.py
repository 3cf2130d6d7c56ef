"""Metrics of choices are chance for those who know nothing, and ties count as any order of them would."""

from __future__ import annotations

import itertools
import math
import re

import numpy as np
import pytest

from utils.report.choice_metrics import ChoiceMetric, chance_variance, parse_metric, per_sample

# The right candidate is second of four; tied with two others for the first three positions.
SCORES = np.array([[3.0, 4.0, 2.0, 1.0], [5.0, 5.0, 1.0, 5.0]])


def test_ties_count_as_the_mean_over_their_positions() -> None:
    found = per_sample(SCORES, ["accuracy", "recall@1", "recall@2", "recall@3", "mrr", "ndcg@2", "ndcg@4"])
    assert {name: values.tolist() for name, values in found.items()} == {
        "accuracy": [0, 1 / 3],
        "recall@1": [0, 1 / 3],
        "recall@2": [1, 2 / 3],
        "recall@3": [1, 1],
        "mrr": pytest.approx([1 / 2, (1 + 1 / 2 + 1 / 3) / 3]),
        "ndcg@2": pytest.approx([1 / math.log2(3), (1 + 1 / math.log2(3)) / 3]),
        # 1 / log2(3 + 1) is a half.
        "ndcg@4": pytest.approx([1 / math.log2(3), (1 + 1 / math.log2(3) + 1 / 2) / 3]),
    }
    assert all(values.dtype == np.float64 for values in found.values())


def test_ties_agree_with_counting_every_order() -> None:
    rng = np.random.default_rng(3)
    scores = rng.integers(0, 3, (20, 5)).astype(np.float32)
    found = per_sample(scores, ["recall@2", "mrr"])
    for sample, row in enumerate(scores):
        orders = [order for order in itertools.permutations(range(5)) if all(np.diff(row[list(order)]) <= 0)]
        positions = np.array([order.index(0) + 1 for order in orders])
        assert found["recall@2"][sample] == pytest.approx((positions <= 2).mean())
        assert found["mrr"][sample] == pytest.approx((1 / positions).mean())


def test_equal_scores_are_chance_exactly() -> None:
    found = per_sample(np.zeros((2, 20)), ["accuracy", "recall@3", "recall@10", "recall@20"])
    assert {name: set(values) for name, values in found.items()} == {
        "accuracy": {1 / 20},
        "recall@3": {3 / 20},
        "recall@10": {10 / 20},
        "recall@20": {1.0},
    }


def test_random_logits_are_at_chance() -> None:
    n = 4_000
    found = per_sample(np.random.default_rng(5).normal(size=(n, 20)), ["accuracy", "recall@3", "recall@10"])
    for name, chance in (("accuracy", 1 / 20), ("recall@3", 3 / 20), ("recall@10", 10 / 20)):
        sigma = math.sqrt(chance * (1 - chance) / n)
        assert abs(found[name].mean() - chance) < 4 * sigma


def test_the_variance_of_chance_is_that_over_the_positions() -> None:
    # Right with probability m, the variance is m (1 - m).
    assert chance_variance("accuracy", 20) == pytest.approx(1 / 20 * 19 / 20)
    assert chance_variance("recall@3", 20) == pytest.approx(3 / 20 * 17 / 20)
    # Of the values 1 and a half: a quarter from their mean.
    assert chance_variance("mrr", 2) == pytest.approx((1 / 4) ** 2)
    # 1, 1 / log2(3) and 0: the mean of the squares less the square of the mean.
    second = 1 / math.log2(3)
    assert chance_variance("ndcg@2", 3) == pytest.approx((1 + second**2) / 3 - ((1 + second) / 3) ** 2)
    assert chance_variance("recall@20", 20) == 0


def test_the_order_of_the_wrong_candidates_does_not_matter() -> None:
    names = ["accuracy", "recall@2", "ndcg@3", "mrr"]
    turned = per_sample(SCORES[:, [0, 3, 1, 2]], names)
    assert all((turned[name] == values).all() for name, values in per_sample(SCORES, names).items())


def test_a_candidate_that_is_ruled_out_is_one_that_is_worse() -> None:
    assert per_sample(np.array([[0.0, -np.inf, -np.inf, 1.0]]), ["recall@2"])["recall@2"].tolist() == [1]


def test_scores_that_are_no_numbers_are_refused() -> None:
    broken = np.array([[1.0, 2.0], [np.nan, 1.0], [0.0, np.nan]])
    with pytest.raises(ValueError, match="scores of 2 of 3 samples are NaN, first of sample 1"):
        per_sample(broken, ["accuracy"])


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_one_candidate_is_no_choice(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="candidates"):
        per_sample(np.zeros(shape), ["accuracy"])


def test_names_say_what_is_measured_and_to_which_position() -> None:
    assert [parse_metric(name, 20) for name in ("accuracy", "mrr", "recall@20", "ndcg@5")] == [
        ChoiceMetric("accuracy", 1),
        ChoiceMetric("mrr", 20),
        ChoiceMetric("recall", 20),
        ChoiceMetric("ndcg", 5),
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("recal@3", "unknown metric 'recal@3'; did you mean 'recall@3'?; accepted: accuracy, mrr, recall@K, ndcg@K"),
        ("NDCG@10", "unknown metric 'NDCG@10'; did you mean 'ndcg@10'?; accepted: accuracy, mrr, recall@K, ndcg@K"),
        ("auc", "unknown metric 'auc'; accepted: accuracy, mrr, recall@K, ndcg@K"),
        ("recall", "metric 'recall': recall@K takes a K from 1 to 20, the number of candidates"),
        ("recall@21", "metric 'recall@21': recall@K takes a K from 1 to 20, the number of candidates"),
        ("ndcg@0", "metric 'ndcg@0': ndcg@K takes a K from 1 to 20, the number of candidates"),
        ("recall@٣", "metric 'recall@٣': recall@K takes a K from 1 to 20, the number of candidates"),
        ("accuracy@1", "metric 'accuracy@1': accuracy takes no K"),
    ],
)
def test_an_unknown_metric_names_what_is_accepted(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse_metric(name, 20)
