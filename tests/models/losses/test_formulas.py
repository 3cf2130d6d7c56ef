"""Each formula on numbers that can be followed by hand, and what all of them promise."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.losses.base import LOSSES

NAMES = LOSSES.names()
STUDENT = torch.tensor([[1.0, 2, 3], [0, 0, 4]])
TEACHER = torch.tensor([[1.0, 0, 3], [3, 0, 0]])
EXPECTED = {
    # Squared errors: 0, 4, 0 in the first row and 9, 0, 16 in the second.
    "mse": (4 + 9 + 16) / 6,
    "rmse": math.sqrt((4 + 9 + 16) / 6),
    # 1 - (1 + 9) / (|(1, 2, 3)| |(1, 0, 3)|) for the first row; the second is at a right angle.
    "cosine": ((1 - 10 / (math.sqrt(1 + 4 + 9) * math.sqrt(1 + 9))) + 1) / 2,
}


def _double(rows: int, width: int, seed: int) -> torch.Tensor:
    return torch.randn(rows, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_every_formula_has_an_expected_value() -> None:
    assert sorted(EXPECTED) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_value_on_a_2x3_example(name: str) -> None:
    value = LOSSES.get(name)(STUDENT, TEACHER)
    assert value.dim() == 0
    assert float(value) == pytest.approx(EXPECTED[name])


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None)
@given(rows=st.integers(1, 7), width=st.integers(1, 7), seed=st.integers(0, 9))
def test_any_shape_gives_a_finite_scalar_that_is_not_negative(name: str, rows: int, width: int, seed: int) -> None:
    value = LOSSES.get(name)(_double(rows, width, seed), _double(rows, width, seed + 1))
    assert value.shape == ()
    assert torch.isfinite(value)
    assert value >= 0


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None)
@given(rows=st.integers(2, 7), width=st.integers(1, 7), seed=st.integers(0, 9))
def test_the_order_of_rows_does_not_matter(name: str, rows: int, width: int, seed: int) -> None:
    student, teacher = _double(rows, width, seed), _double(rows, width, seed + 1)
    formula = LOSSES.get(name)
    torch.testing.assert_close(formula(student.flip(0), teacher.flip(0)), formula(student, teacher))


@pytest.mark.parametrize("name", NAMES)
def test_equal_rows_cost_nothing(name: str) -> None:
    rows = _double(4, 3, seed=0)
    assert float(LOSSES.get(name)(rows, rows.clone())) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_is_the_slope(name: str) -> None:
    student, teacher = _double(4, 3, seed=0).requires_grad_(), _double(4, 3, seed=1)
    assert torch.autograd.gradcheck(lambda rows: LOSSES.get(name)(rows, teacher), student)


@pytest.mark.parametrize("name", NAMES)
def test_no_gradient_flows_into_the_teacher(name: str) -> None:
    student, teacher = _double(4, 3, seed=0).requires_grad_(), _double(4, 3, seed=1).requires_grad_()
    LOSSES.get(name)(student, teacher).backward()
    assert student.grad is not None
    assert teacher.grad is None


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", [1.0, 0.0], ids=["equal", "zero"])
def test_the_gradient_is_finite_where_the_error_or_the_rows_are_zero(name: str, scale: float) -> None:
    student = (scale * STUDENT).clone().requires_grad_()
    value = LOSSES.get(name)(student, scale * STUDENT)
    value.backward()
    assert torch.isfinite(value)
    assert student.grad is not None
    assert student.grad.abs().max() < 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_a_nan_is_not_hidden(name: str) -> None:
    assert torch.isnan(LOSSES.get(name)(torch.tensor([[math.nan, 1.0]]), torch.ones(1, 2)))


def test_cosine_of_a_row_of_zeros_is_zero_and_moves_nothing() -> None:
    student = torch.tensor([[0.0, 0.0], [2.0, 0.0]], requires_grad=True)
    value = LOSSES.get("cosine")(student, torch.tensor([[1.0, 0.0], [0.0, 3.0]]))
    # Distance 1 for the row of zeros and 1 for the right angle.
    assert value == (1 + 1) / 2
    value.backward()
    assert student.grad is not None
    # d(1 - cos)/dy = -1 / |student| = -1/2 for the second row, halved by the mean.
    assert student.grad.tolist() == [[0, 0], [0, -1 / 2 / 2]]


def test_cosine_does_not_see_length() -> None:
    formula = LOSSES.get("cosine")
    torch.testing.assert_close(formula(7 * STUDENT, TEACHER / 3), formula(STUDENT, TEACHER))


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_against_full_is_finite(name: str) -> None:
    # What mixed-precision training compares.
    assert torch.isfinite(LOSSES.get(name)(STUDENT.half(), TEACHER))
