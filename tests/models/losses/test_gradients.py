"""The gradient of every loss: it is the slope, it is finite everywhere, and it stops at the teacher."""

from __future__ import annotations

import pytest
import torch

from models.losses.base import LOSSES
from tests.models.losses.rows import NAMES, RELATIONS, SCORES, STUDENT, ZERO_WHERE_EQUAL, random_rows

# Their slope jumps at zero error; there only a finite gradient is asked for.
KINKS = ["mae", "rmse"]


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_is_the_slope_on_either_side(name: str) -> None:
    # That of the teacher's side is an adapter's.
    sides = random_rows(4, 3, seed=0).requires_grad_(), random_rows(4, 3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(LOSSES.get(name).formula, sides)


@pytest.mark.parametrize("name", RELATIONS)
def test_the_gradient_is_the_slope_where_widths_differ_and_where_rows_are_few(name: str) -> None:
    for rows in (3, 5):
        sides = random_rows(rows, 2, seed=0).requires_grad_(), random_rows(rows, 4, seed=1).requires_grad_()
        assert torch.autograd.gradcheck(LOSSES.get(name).formula, sides)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in KINKS])
def test_the_gradient_is_the_slope_at_zero_error_too(name: str) -> None:
    rows = random_rows(4, 3, seed=0)
    assert torch.autograd.gradcheck(lambda student: LOSSES.get(name)(student, rows), rows.clone().requires_grad_())


@pytest.mark.parametrize("name", ZERO_WHERE_EQUAL)
@pytest.mark.parametrize("scale", [1.0, 0.0], ids=["equal", "zero"])
def test_there_is_nothing_to_learn_where_the_error_or_the_rows_are_zero(name: str, scale: float) -> None:
    student = (scale * STUDENT).clone().requires_grad_()
    value = LOSSES.get(name)(student, scale * STUDENT)
    value.backward()
    assert torch.isfinite(value)
    assert student.grad is not None
    assert student.grad.abs().max() < 1e-6


SAME = torch.tensor([0.1, 0.7, -0.3]).expand(5, 3)
TWICE = torch.cat([STUDENT, STUDENT, -STUDENT])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "rows", [torch.zeros(5, 3), SAME, TWICE, 1e-20 * TWICE, 1e6 * TWICE], ids=["zero", "same", "twice", "tiny", "huge"]
)
@pytest.mark.parametrize("swapped", [False, True], ids=["student", "teacher"])
def test_the_gradient_is_bounded_wherever_rows_are_zero_or_equal(name: str, rows: torch.Tensor, swapped: bool) -> None:
    other = random_rows(*rows.shape, seed=0).float()
    student, teacher = (other, rows.clone()) if swapped else (rows.clone(), other)
    student.requires_grad_()
    value = LOSSES.get(name)(student, teacher)
    value.backward()
    assert torch.isfinite(value)
    assert student.grad is not None
    # No more than squares of errors of a million have.
    assert student.grad.abs().max() < 1e6


@pytest.mark.parametrize("name", NAMES)
def test_no_gradient_flows_into_the_teacher(name: str) -> None:
    student, teacher = random_rows(4, 3, seed=0).requires_grad_(), random_rows(4, 3, seed=1).requires_grad_()
    LOSSES.get(name)(student, teacher).backward()
    assert student.grad is not None
    assert student.grad.abs().sum() > 0
    assert teacher.grad is None


@pytest.mark.parametrize("name", [name for name in NAMES if name not in SCORES])
def test_an_adapter_on_the_teachers_side_learns_through_the_formula(name: str) -> None:
    adapter = torch.nn.Linear(5, 3).double()
    LOSSES.get(name).formula(random_rows(4, 3, seed=0), adapter(random_rows(4, 5, seed=1))).backward()
    assert adapter.weight.grad is not None
    assert adapter.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("name", RELATIONS)
def test_every_row_learns(name: str) -> None:
    student = random_rows(40, 3, seed=0).requires_grad_()
    LOSSES.get(name)(student, random_rows(40, 5, seed=1)).backward()
    assert student.grad is not None
    assert (student.grad.abs().sum(1) > 0).all()
