"""Cosine distance: direction matters, length does not."""

import torch

from models.losses.base import loss
from models.losses.geometry import directions
from models.losses.precision import full_precision


@loss("cosine")
@full_precision
def cosine(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Mean over rows of 1 - cos(student, teacher), both [n, dim] -> scalar in [0, 2].

    A row of zeros has no direction: its distance is 1 and its gradient 0.
    """
    return (1 - (directions(student) * directions(teacher)).sum(-1)).mean()
