"""Cosine distance: direction matters, length does not."""

import torch
from torch.nn import functional

from models.losses.base import loss

# The shortest vector that has a direction.
_SHORTEST = 1e-8


@loss("cosine")
def cosine(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Mean over rows of 1 - cos(student, teacher), both [n, dim] -> scalar in [0, 2].

    A row of zeros has no direction: its distance is 1 and its gradient 0. (The slope beside it is 1 / length,
    which at a clamped length of 1e-8 would throw the model away.)
    """
    # Mixed precision gives a half student, whose squares would vanish long before its vectors do.
    student = student.to(torch.promote_types(student.dtype, teacher.dtype))
    empty = student.detach().square().sum(-1) <= _SHORTEST**2
    similarity = functional.cosine_similarity(student, teacher, dim=-1)
    return (1 - similarity.masked_fill(empty, 0.0)).mean()
