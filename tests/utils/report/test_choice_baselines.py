"""Baselines of choices know the train part's counts, or nothing; chance is tested as the distribution that it is."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from utils.report.choice_baselines import against_chance, popularity_scores, random_scores
from utils.report.choice_metrics import chance_variance, per_sample

CANDIDATES = np.array([[2, 0, 1], [1, 0, 2]], dtype=np.int32)


def test_popular_candidates_are_chosen_and_ties_are_not_for_the_right_one() -> None:
    scores = popularity_scores(CANDIDATES, np.array([1, 4, 4]))
    assert scores.tolist() == [[4, 1, 4], [4, 1, 4]]
    # Tied with one other for the first place.
    assert per_sample(scores, ["accuracy"])["accuracy"].tolist() == [1 / 2, 1 / 2]


@pytest.mark.parametrize("row", [-1, 3])
def test_an_item_without_a_count_is_refused(row: int) -> None:
    with pytest.raises(ValueError, match=f"item row {row} among the candidates; there are counts of 3 items"):
        popularity_scores(np.array([[0, row]]), np.array([1, 2, 3]))


def test_random_is_chance() -> None:
    assert per_sample(random_scores(CANDIDATES), ["accuracy"])["accuracy"].tolist() == [1 / 3, 1 / 3]


def _alike(value: float, n: int) -> np.ndarray:
    return np.full(n, value)


def test_right_choices_are_counted_exactly() -> None:
    # Two of two of which chance finds one in 20; none of two is what it most often finds.
    for right, p in ((2, (1 / 20) ** 2), (0, 1.0)):
        found = against_chance(_alike(right / 2, 2), _alike(1 / 20, 2), _alike(19 / 400, 2))
        assert found is not None
        assert (found.name, found.p, found.spread) == ("binomial", pytest.approx(p), False)


def test_samples_without_a_right_candidate_do_not_count_against_a_model() -> None:
    values = np.array([1.0, 0.0, 0.0, 1.0, 0.0])
    found = against_chance(values, values * 0.05, values * 0.05 * 0.95)
    assert found is not None
    # The two others, both right.
    assert (found.name, found.p, found.spread) == ("binomial", pytest.approx((1 / 20) ** 2), False)


def _two_sided(z: float) -> float:
    return 2 * NormalDist().cdf(-abs(z))


@pytest.mark.parametrize("position", [1, 2])
def test_a_metric_with_values_between_is_compared_with_the_spread_of_chance(position: int) -> None:
    # Of two candidates the right one brings 1 or a half: mean 3 / 4, a quarter from it; 16 times above, or below.
    found = against_chance(_alike(1 / position, 16), _alike(3 / 4, 16), _alike(chance_variance("mrr", 2), 16))
    assert found is not None
    # 16 / 4 over the root of 16 / 16.
    assert (found.name, found.p) == ("z", pytest.approx(_two_sided(4)))


def test_a_tied_choice_is_neither_right_nor_wrong() -> None:
    values = np.array([0.5, 1.0, 0.0, 0.0])
    found = against_chance(values, _alike(1 / 4, 4), _alike(3 / 16, 4))
    assert found is not None
    # (1.5 - 1) over the root of 4 * 3 / 16.
    assert (found.name, found.p, found.spread) == ("z", pytest.approx(_two_sided(0.5 / math.sqrt(3 / 4))), True)


def test_samples_with_unequal_chances_are_not_counted_as_one_binomial() -> None:
    found = against_chance(np.array([1.0, 0.0]), np.array([1 / 2, 1 / 4]), np.array([1 / 4, 3 / 16]))
    assert found is not None
    assert (found.name, found.p) == ("z", pytest.approx(_two_sided(0.25 / math.sqrt(7 / 16))))


def test_one_sample_and_a_metric_that_is_always_1_are_not_tested() -> None:
    assert against_chance(np.array([1.0, 0.0]), np.array([1 / 2, 0.0]), np.array([1 / 4, 0.0])) is None
    assert against_chance(_alike(1.0, 9), _alike(1.0, 9), _alike(chance_variance("recall@3", 3), 9)) is None
