"""Where nodes stand: leaves around what they touch, nothing on top of another, and the same every time."""

from __future__ import annotations

import numpy as np
import pytest

from utils.report.subgraph_layout import layout


def _least_distance(positions: np.ndarray) -> float:
    distances = np.sqrt(((positions[:, None] - positions[None, :]) ** 2).sum(axis=-1))
    return float(distances[np.triu_indices(len(positions), 1)].min())


def _stars(n_stars: int, n_leaves: int) -> tuple[int, np.ndarray, np.ndarray]:
    """Node 0 touches all centres, and each of these its own leaves."""
    centres = np.arange(1, n_stars + 1)
    leaves = np.arange(n_stars + 1, n_stars + 1 + n_stars * n_leaves)
    pairs = np.concatenate(
        [np.stack([np.zeros_like(centres), centres], 1), np.stack([np.repeat(centres, n_leaves), leaves], 1)]
    )
    return int(leaves[-1]) + 1, pairs, centres


def test_neighbours_of_one_centre_stand_around_it() -> None:
    positions = layout(5, np.array([[0, 1], [0, 2], [3, 0], [0, 4]]), np.array([0]))
    # Four at 45, 135, 225 and 315 degrees fill the square.
    assert positions == pytest.approx(np.array([[0, 0], [1, 1], [-1, 1], [-1, -1], [1, -1]]), abs=1e-12)


def test_a_path_is_laid_out_in_its_order() -> None:
    positions = layout(4, np.array([[0, 1], [1, 2], [2, 3]]), np.array([0, 3]))
    from_one_end = np.linalg.norm(positions - positions[0], axis=1)
    assert np.all(np.diff(from_one_end) > 0)


def test_no_leaf_is_nearer_to_another_centre_than_to_its_own() -> None:
    n_nodes, pairs, centres = _stars(10, 63)
    positions = layout(n_nodes, pairs, centres)
    owners, leaves = pairs[10:].T
    distances = np.linalg.norm(positions[leaves][:, None] - positions[centres][None, :], axis=-1)
    assert (centres[distances.argmin(axis=1)] == owners).all()


@pytest.mark.parametrize(("n_stars", "n_leaves"), [(1, 64), (2, 5), (10, 63)])
def test_no_two_nodes_are_at_one_place_and_all_are_within_the_square(n_stars: int, n_leaves: int) -> None:
    positions = layout(*_stars(n_stars, n_leaves))
    assert _least_distance(positions) > 0.005
    assert np.abs(positions).max() == pytest.approx(1)


def test_the_same_graph_looks_the_same_whatever_the_order_and_direction_of_its_lines() -> None:
    n_nodes, pairs, centres = _stars(3, 4)
    again = layout(n_nodes, np.concatenate([pairs, pairs])[::-1, ::-1], centres)
    assert np.array_equal(layout(n_nodes, pairs, centres), again)


def test_what_nothing_joins_is_laid_out_as_well() -> None:
    lonely = layout(5, np.array([[0, 1], [2, 2]]), np.array([2, 3, 4]))
    assert np.isfinite(lonely).all()
    assert _least_distance(lonely) > 0.05
    assert layout(1, np.zeros((0, 2), dtype=np.int64), np.array([0])) == pytest.approx(np.zeros((1, 2)))


def test_two_nodes_that_touch_only_each_other_are_apart() -> None:
    positions = layout(3, np.array([[1, 2]]), np.array([0]))
    assert _least_distance(positions) > 0.5
