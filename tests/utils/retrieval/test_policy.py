"""The rare items of a history, once each, and the same ones whoever asks."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.retrieval.policy import Policy, selected

POPULARITY = np.array([90, 30, 70, 20, 60, 10, 80, 40, 50, 0])
HISTORY = list(range(10))
RAREST = [9, 5, 3, 1, 7]


def _selected(
    histories: list[list[int]], popularity: np.ndarray, threshold: float, how: Policy = "per_user"
) -> list[list[int]]:
    """The items of each history; that they come first and -1 after them is checked on the way."""
    found = selected(np.array(histories, dtype=np.int32), popularity, np.arange(len(popularity)), how, threshold)
    assert found.dtype == np.int32
    assert not ((found[:, 1:] >= 0) & (found[:, :-1] < 0)).any()
    return [[item for item in row if item >= 0] for row in found.tolist()]


def test_half_of_ten_are_the_five_least_popular_once_each() -> None:
    assert _selected([HISTORY], POPULARITY, 0.5) == [RAREST]


def test_the_released_code_asks_for_one_item_five_times_or_for_all_ten() -> None:
    def released(items: list[int], k: int) -> list[int]:
        """What the method's own code does with a history: the k rarest places of a list of any length."""
        return sorted(items, key=lambda item: int(POPULARITY[item]))[:k]

    adaptive_ratio = 5
    # A number times a list repeats the list. Evaluation repeats the items, and training multiplies the number.
    in_evaluation = released(adaptive_ratio * HISTORY, adaptive_ratio)
    in_training = released(HISTORY, adaptive_ratio * len(HISTORY))
    assert in_evaluation == [9] * 5
    assert in_training == [9, 5, 3, 1, 7, 8, 4, 2, 6, 0]
    assert _selected([HISTORY], POPULARITY, adaptive_ratio / 10) == [RAREST]


@pytest.mark.parametrize(
    ("threshold", "length", "count"),
    [(0.3, 10, 3), (0.7, 10, 7), (0.29, 100, 29), (0.57, 100, 57), (0.5, 5, 2), (0.1, 3, 1), (1, 7, 7), (1 / 3, 9, 2)],
)
def test_the_share_is_rounded_down_as_it_is_written_but_one_item_asks_always(
    threshold: float, length: int, count: int
) -> None:
    # 0.29 * 100 is 28.999999999999996 in floating point; a third is 0.3333333333333333, and nine of these are below 3.
    assert len(_selected([list(range(length))], np.arange(length), threshold)[0]) == count


def test_an_item_that_a_history_holds_twice_counts_once() -> None:
    # Half of 4 distinct items are 2; half of 6 places were 3.
    assert _selected([[5, 0, 5, 2, 6, 5]], POPULARITY, 0.5) == [[5, 2]]
    assert _selected([[0, 2, 0, 2, 0, 2]], POPULARITY, 0.5) == [[2]]


def test_equally_popular_items_come_by_their_token() -> None:
    found = selected(np.array([[0, 1, 2]]), np.array([7, 7, 7]), np.array([2, 0, 1]), "per_user", 0.7)
    assert found.tolist() == [[1, 2]]


def test_a_history_without_items_asks_for_none() -> None:
    assert _selected([[-1, -1], [0, 1]], POPULARITY, 0.5) == [[], [1]]
    assert _selected([[-1, -1]], POPULARITY, 0.5, "global") == [[]]
    assert selected(np.empty((0, 3), np.int32), POPULARITY, np.arange(10), "per_user", 0.5).shape == (0, 0)


def test_global_asks_with_what_is_rare_among_all_items_or_with_the_rarest() -> None:
    # 0.3 of ten items: 0, 10 and 20 are the three least popular, so the quantile is 20.
    assert _selected([HISTORY, [3, 0, 5] + 7 * [-1], [6, 2, 0] + 7 * [-1]], POPULARITY, 0.3, "global") == [
        [9, 5, 3],
        [5, 3],
        [2],
    ]


def test_global_takes_all_that_are_as_popular_as_the_quantile() -> None:
    # A quarter of four is one item, with popularity 1: so have two others.
    assert _selected([[0, 1, 2, 3]], np.array([1, 5, 1, 1]), 0.25, "global") == [[0, 2, 3]]


histories_of_12 = st.lists(
    st.lists(st.integers(0, 11), max_size=8).map(lambda items: items + [-1] * (8 - len(items))), min_size=1, max_size=6
)


@settings(deadline=None)
@given(
    histories_of_12,
    st.lists(st.integers(0, 4), min_size=12, max_size=12),
    st.permutations(range(12)),
    st.sampled_from(["per_user", "global"]),
    st.integers(1, 100),
)
def test_a_slow_loop_selects_the_same(
    histories: list[list[int]], popularity: list[int], order: list[int], how: Policy, percent: int
) -> None:
    expected = []
    for history in histories:
        rarest = sorted(set(history) - {-1}, key=lambda item: (popularity[item], order[item]))
        if how == "per_user":
            count = math.floor(Fraction(percent, 100) * len(rarest))
        else:
            quantile = sorted(popularity)[math.ceil(Fraction(percent, 100) * 12) - 1]
            count = sum(popularity[item] <= quantile for item in rarest)
        expected.append(rarest[: max(1, count)])
    found = selected(np.array(histories, dtype=np.int32), np.array(popularity), np.array(order), how, percent / 100)
    assert [[item for item in row if item >= 0] for row in found.tolist()] == expected
