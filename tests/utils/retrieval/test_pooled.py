"""Users and items as one vector each: means whose every number can be seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.utils.retrieval.retrievers.world import index_of
from utils.retrieval.base import Retrieved
from utils.retrieval.pooled import item_vectors, user_vectors

# Nodes a, b, c and d are 0 to 3; d says nothing. Items: a; b and c; none; d.
BARE = index_of(
    [("a", "r", "b"), ("c", "r", "d")], links=["a", "bc", "", "d"], vectors={"a": [1, 0], "b": [0, 1], "c": [0.6, 0.8]}
)
PROPAGATED = torch.tensor([[0.8, 0.6], [0.6, 0.8], [-1.0, 0], [0, 0]])
INDEX = replace(BARE, propagated=PROPAGATED)


def _retrieved(centres: list[list[list[int]]], orders: tuple[int, ...]) -> Retrieved:
    array = np.array(centres, dtype=np.int32)
    return Retrieved(array, np.zeros(array.shape, dtype=np.float32), orders)


def test_a_users_vector_is_the_mean_of_their_centres_in_the_order_of_each_slot() -> None:
    vectors, present = user_vectors(INDEX, _retrieved([[[0, 1], [2, -1]], [[2, -1], [-1, -1]]], (1, 2)))
    assert vectors.dtype == torch.float32
    # a and b by their texts, c with its neighbours: (1 + 0 - 1) / 3 and (0 + 1 + 0) / 3.
    assert vectors[0].tolist() == [pytest.approx(0), pytest.approx(1 / 3)]
    assert vectors[1].tolist() == [pytest.approx(0.6), pytest.approx(0.8)]
    assert present.tolist() == [True, True]


def test_the_same_node_in_both_orders_counts_with_both_vectors() -> None:
    vectors, _ = user_vectors(INDEX, _retrieved([[[0], [0]]], (1, 2)))
    assert vectors.tolist() == [[pytest.approx((1 + 0.8) / 2), pytest.approx((0 + 0.6) / 2)]]


def test_a_user_without_a_centre_has_no_vector() -> None:
    vectors, present = user_vectors(INDEX, _retrieved([[[-1, -1]], [[1, -1]], [[3, -1]]], (1,)))
    # The last user's only centre says nothing.
    assert present.tolist() == [False, True, False]
    assert vectors.tolist() == [[0, 0], [0, 1], [0, 0]]


def test_without_order_2_no_propagated_vectors_are_needed() -> None:
    vectors, _ = user_vectors(BARE, _retrieved([[[0, 1]]], (1,)))
    assert vectors.tolist() == [[0.5, 0.5]]


def test_an_items_vector_is_the_mean_of_its_nodes_with_what_their_neighbours_say() -> None:
    vectors, present = item_vectors(INDEX)
    # b and c: (0.6 - 1) / 2 and (0.8 + 0) / 2.
    assert vectors[:2].tolist() == [
        [pytest.approx(0.8), pytest.approx(0.6)],
        [pytest.approx(-0.2), pytest.approx(0.4)],
    ]
    # Item 2 has no node, and that of item 3 says nothing.
    assert (vectors[2:].tolist(), present.tolist()) == ([[0, 0], [0, 0]], [True, True, False, False])
