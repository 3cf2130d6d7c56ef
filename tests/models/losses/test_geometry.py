"""Directions and distances of rows, where they are easy and where they are not."""

from __future__ import annotations

import torch

from models.losses.geometry import directions, distances, off_diagonal
from tests.models.losses.rows import random_rows


def test_a_direction_is_a_row_at_length_one_and_zeros_have_none() -> None:
    assert directions(torch.tensor([[3.0, 4], [0, 0]]).double()).tolist() == [[3 / 5, 4 / 5], [0, 0]]


def test_distances_are_those_of_every_two_rows() -> None:
    rows = random_rows(6, 4, seed=0)
    expected = torch.stack([torch.stack([(one - other).norm() for other in rows]) for one in rows])
    torch.testing.assert_close(distances(rows), expected)


def test_equal_rows_are_not_apart_wherever_they_lie_and_move_nothing() -> None:
    one = random_rows(1, 300, seed=0).float() + 10
    rows = torch.cat([one.expand(20, -1), random_rows(20, 300, seed=1).float()]).requires_grad_()
    apart = distances(rows)
    assert apart[:20, :20].eq(0).all()
    assert apart[:20, 20:].gt(1).all()
    apart[:20, :20].sum().backward()
    assert rows.grad is not None
    assert rows.grad.eq(0).all()


def test_rows_that_differ_by_roundings_are_not_apart() -> None:
    one = random_rows(1, 300, seed=0).float()
    rounded = one * (1 + 1e-7 * torch.arange(20).unsqueeze(1))
    apart = distances(torch.cat([rounded, random_rows(20, 300, seed=1).float()]))
    # By their products alone, some would be nearly 0.01 apart.
    assert apart[:20, :20].eq(0).all()


def test_near_rows_keep_their_distance_to_a_hundredth_of_the_others() -> None:
    rows = torch.tensor([[0.0, 0.0], [0.01, 0.0], [1.0, 0.0], [0.0, 1.0]])
    torch.testing.assert_close(distances(rows)[0, 1], torch.tensor(0.01), rtol=1e-3, atol=0)


def test_the_diagonal_is_left_out_of_every_row() -> None:
    assert off_diagonal(torch.arange(9).view(3, 3)).tolist() == [[1, 2], [3, 5], [6, 7]]
    assert off_diagonal(torch.arange(4).view(2, 2)).tolist() == [[1], [2]]
