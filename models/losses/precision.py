"""Formulas are computed in full precision, whatever the model computes in."""

import functools

import torch

from models.losses.base import Formula


def full_precision(formula: Formula) -> Formula:
    """The same formula, on rows of float32 at least and with autocast off.

    In half precision a square overflows from 256 on and vanishes below 2e-4, and autocast would take the products
    of rows in it even where the rows are not.
    """

    @functools.wraps(formula)
    def promoted(student: torch.Tensor, teacher: torch.Tensor, **options: float) -> torch.Tensor:
        dtype = torch.promote_types(torch.promote_types(student.dtype, teacher.dtype), torch.float32)
        with torch.autocast(student.device.type, enabled=False):
            return formula(student.to(dtype), teacher.to(dtype), **options)

    return promoted
