"""A search tries what its space holds, and nothing else."""

from __future__ import annotations

import pytest

from utils.search.space import Space


def test_a_grid_is_every_combination_the_last_dimension_fastest() -> None:
    space = Space.of({"a": [1, 2], "b": {"low": 0, "high": 1, "step": 0.5}})
    assert space.grid() == [
        {"a": 1, "b": 0.0}, {"a": 1, "b": 0.5}, {"a": 1, "b": 1.0},
        {"a": 2, "b": 0.0}, {"a": 2, "b": 0.5}, {"a": 2, "b": 1.0},
    ]  # fmt: skip


def test_steps_do_not_drift() -> None:
    assert Space.of({"a": {"low": 0.1, "high": 0.5, "step": 0.1}}).dimensions[0].points() == [0.1, 0.2, 0.3, 0.4, 0.5]


def test_a_range_with_whole_ends_holds_whole_numbers() -> None:
    points = Space.of({"a": {"low": 16, "high": 64, "step": 16}}).dimensions[0].points()
    assert points == [16, 32, 48, 64]
    assert all(isinstance(point, int) for point in points)


def test_a_range_without_steps_is_no_grid() -> None:
    with pytest.raises(ValueError, match="a grid needs a list of values, or a step"):
        Space.of({"a": {"low": 0.1, "high": 0.5}}).grid()
