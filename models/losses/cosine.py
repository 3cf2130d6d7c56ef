"""Cosine distance: direction matters, length does not."""

import torch
from torch.nn import functional

from models.losses.base import loss


@loss("cosine")
def cosine(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Mean over rows of 1 - cos(student, teacher), both [n, dim] -> scalar in [0, 2].

    A row of zeros has cosine 0 and a finite gradient (the norm is clamped at 1e-8).
    """
    return (1 - functional.cosine_similarity(student, teacher.detach(), dim=-1, eps=1e-8)).mean()
