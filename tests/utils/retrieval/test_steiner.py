"""Prizes, the tree that they pay for, and what is left of it."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from utils.retrieval.steiner import edge_prizes, node_prizes, solver, steiner_tree, trimmed

LINE = np.array([[0, 1], [1, 2], [2, 3]])


@pytest.fixture
def solve() -> Any:
    try:
        return solver()
    except ImportError as error:
        pytest.skip(str(error))


def test_the_nearest_nodes_get_falling_prizes_and_those_without_text_none() -> None:
    assert node_prizes(np.array([0.1, np.nan, 0.9, 0.1, -0.3]), 3).tolist() == [2, 0, 3, 1, 0]
    assert node_prizes(np.array([np.nan, -0.2]), 3).tolist() == [0, 3]


def test_edges_of_one_relation_share_its_prize() -> None:
    # Ranks: 0.9 (one edge), 0.5 (two), 0.2 (one, whose own share of 1 is cut to 0.99 of the share before it).
    prizes = edge_prizes(np.array([0.5, 0.9, 0.5, 0.2, 0.1]), 3)
    np.testing.assert_allclose(prizes, [2 / 2, 3, 2 / 2, 0.99 * 2 / 2, 0])
    assert edge_prizes(np.array([0.5, 0.9]), 0).tolist() == [0, 0]


def test_a_tree_reaches_a_prize_that_pays_for_the_way(solve: Any) -> None:
    # Two edges at 0.5 lead to the prize 2; the last one leads to 0.1 only.
    nodes, joined = steiner_tree(solve, LINE, np.array([3, 0, 2, 0.1]), np.zeros(3), 0.5)
    assert nodes.tolist() == [0, 1, 2]
    assert sorted(joined.tolist()) == [[0, 1], [1, 2]]


def test_a_tree_leaves_a_prize_that_does_not_pay(solve: Any) -> None:
    # The way costs 2 * 3, more than both prizes together.
    nodes, joined = steiner_tree(solve, LINE, np.array([3, 0, 2, 0.1]), np.zeros(3), 3.0)
    assert nodes.tolist() == [0]
    assert len(joined) == 0


def test_an_edge_that_is_worth_more_than_it_costs_belongs_to_the_tree(solve: Any) -> None:
    # The way from 0 over 1 to the edge (2, 3) costs 2 * 0.5, and that edge brings 2 - 0.5.
    nodes, joined = steiner_tree(solve, LINE, np.array([3.0, 0, 0, 0]), np.array([0, 0, 2.0]), 0.5)
    assert nodes.tolist() == [0, 1, 2, 3]
    assert sorted(joined.tolist()) == LINE.tolist()


def test_a_graph_without_edges_gives_its_best_node(solve: Any) -> None:
    nodes, _ = steiner_tree(solve, np.zeros((0, 2), dtype=np.int64), np.array([1.0, 2.0]), np.zeros(0), 0.5)
    assert nodes.tolist() == [1]


def test_a_tree_that_is_too_large_loses_its_worst_leaves_and_stays_one_piece() -> None:
    # 0 - 1 - 2, and the leaves 3 and 4 at 1; node 1 has no prize but joins the others.
    edges, prizes = np.array([[0, 1], [1, 2], [1, 3], [4, 1]]), np.array([3.0, 0, 2, 1, 1])
    everything = np.arange(5)
    assert trimmed(everything, edges, prizes, 5).tolist() == [0, 1, 2, 3, 4]
    assert trimmed(everything, edges, prizes, 4).tolist() == [0, 1, 2, 3]
    assert trimmed(everything, edges, prizes, 3).tolist() == [0, 1, 2]
    assert trimmed(everything, edges, prizes, 2).tolist() == [0, 1]
    assert trimmed(everything, edges, prizes, 1).tolist() == [0]


def test_a_cycle_is_trimmed_like_a_tree() -> None:
    cycle = np.array([[0, 1], [1, 2], [2, 0]])
    assert trimmed(np.arange(3), cycle, np.array([3.0, 2, 1]), 2).tolist() == [0, 1]


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pcst_fast", None)
    with pytest.raises(ImportError, match="need the package pcst-fast2; run: pip install pcst-fast2"):
        solver()


def test_a_package_that_repeats_one_vertex_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def repeats(*_: Any) -> tuple[np.ndarray, np.ndarray]:
        return np.array([1, 1, 1]), np.array([0, 0])

    monkeypatch.setitem(sys.modules, "pcst_fast", SimpleNamespace(pcst_fast=repeats))
    with pytest.raises(ImportError, match="gives wrong trees with NumPy"):
        solver()
