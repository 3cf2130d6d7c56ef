"""Controls keep everything of the vectors but what they say."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from models.transfer.controls import random_directions, shuffled
from models.transfer.teachers import Side, Teacher

N_ROWS = 200


def _teacher(side: Side = "users", rows: int = N_ROWS, without: tuple[int, ...] = (7,)) -> Teacher:
    """Row r is (r, 0, 0); padding and `without` have no vector."""
    present = torch.tensor([row != 0 and row not in without for row in range(rows)])
    vectors = torch.zeros(rows, 3)
    vectors[:, 0] = torch.arange(rows) * present
    return Teacher(side, vectors, present, "v.pt")


def test_random_directions_are_as_long_as_the_vectors() -> None:
    made = random_directions(_teacher(), seed=1)
    torch.testing.assert_close(made.vectors.norm(dim=1), _teacher().vectors.norm(dim=1))
    assert made.vectors[0].tolist() == made.vectors[7].tolist() == [0, 0, 0]


def test_random_directions_point_everywhere() -> None:
    made = random_directions(_teacher(rows=20_000), seed=1)
    directions = made.vectors[8:] / made.vectors[8:].norm(dim=1, keepdim=True)
    # The mean of n directions on the sphere is about 1 / sqrt(n) = .007 long.
    assert directions.mean(dim=0).norm() < 0.03
    torch.testing.assert_close(directions.T @ directions / len(directions), torch.eye(3) / 3, atol=0.02, rtol=0)


def test_shuffled_vectors_are_the_same_ones() -> None:
    made = shuffled(_teacher(), seed=1)
    assert sorted(made.vectors[:, 0].tolist()) == sorted(_teacher().vectors[:, 0].tolist())
    assert made.vectors[0].tolist() == made.vectors[7].tolist() == [0, 0, 0]


@pytest.mark.parametrize("seed", range(20))
def test_nobody_keeps_their_own_vector(seed: int) -> None:
    teacher = _teacher(rows=6, without=(2,))
    made = shuffled(teacher, seed)
    assert not (made.vectors == teacher.vectors)[teacher.present].all(dim=1).any()


def test_two_rows_swap_and_one_stays() -> None:
    assert shuffled(_teacher(rows=3, without=()), seed=0).vectors[:, 0].tolist() == [0, 2, 1]
    assert shuffled(_teacher(rows=2, without=()), seed=0).vectors[:, 0].tolist() == [0, 1]


@pytest.mark.parametrize("control", [random_directions, shuffled])
def test_a_seed_always_gives_the_same_and_another_gives_others(control: Any) -> None:
    first, again, other = (control(_teacher(), seed).vectors for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("control", [random_directions, shuffled])
def test_users_and_items_are_drawn_apart(control: Any) -> None:
    users, items = (control(_teacher(side), 5) for side in ("users", "items"))
    assert (users.side, items.side) == ("users", "items")
    assert not torch.equal(users.vectors, items.vectors)
    # Nor do the items of a seed get what the users of the next one do.
    assert not torch.equal(items.vectors, control(_teacher("users"), 6).vectors)


@pytest.mark.parametrize("control", [random_directions, shuffled])
def test_the_given_vectors_and_the_global_generator_stay(control: Any) -> None:
    teacher, state = _teacher(), torch.get_rng_state()
    made = control(teacher, 3)
    assert torch.equal(teacher.vectors, _teacher().vectors)
    assert torch.equal(made.present, teacher.present)
    assert torch.equal(torch.get_rng_state(), state)
