"""Baselines of choices know the train part's counts, or nothing."""

from __future__ import annotations

import numpy as np
import pytest

from utils.report.choice_baselines import popularity_scores, random_scores
from utils.report.choice_metrics import per_sample

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
