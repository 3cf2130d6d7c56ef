"""Losses of a model that computes in half precision."""

from __future__ import annotations

import pytest
import torch

from models.losses.base import LOSSES
from tests.models.losses.rows import NAMES, STUDENT, TEACHER, random_rows


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
# float16 has no square of 300, nor of 1e-4.
@pytest.mark.parametrize("scale", [1, 300, 1e-4])
def test_half_rows_cost_what_the_same_rows_cost_in_full_precision(name: str, dtype: torch.dtype, scale: float) -> None:
    formula = LOSSES.get(name)
    student, teacher = ((scale * random_rows(5, 3, seed)).to(dtype) for seed in (0, 1))
    student.requires_grad_()
    value = formula(student, teacher)
    assert value.dtype == torch.float32
    assert value > 0
    assert value == formula(student.float(), teacher.float())
    # What mixed-precision training compares.
    assert value == formula(student, teacher.float())
    value.backward()
    assert student.grad is not None
    assert torch.isfinite(student.grad).all()


@pytest.mark.parametrize("name", NAMES)
def test_autocast_does_not_round_products_of_rows(name: str) -> None:
    formula, student, teacher = LOSSES.get(name), random_rows(5, 3, 0).float(), random_rows(5, 3, 1).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = formula(student, teacher)
    assert inside == formula(student, teacher)


@pytest.mark.parametrize("name", NAMES)
def test_double_rows_stay_double(name: str) -> None:
    assert LOSSES.get(name)(STUDENT.double(), TEACHER).dtype == torch.float64
