"""Root mean squared error between hidden and knowledge vectors."""

import torch

from models.losses.base import loss
from models.losses.mse import mse


@loss("rmse")
def rmse(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Square root of the mean squared error, both [n, dim] -> scalar.

    After LLM-KT (arXiv 2411.00556). The square root's slope is infinite at zero error; there the gradient is
    taken as 0, its value in the direction of no change.
    """
    error = mse(student, teacher)
    positive = error > 0
    return torch.where(positive, torch.where(positive, error, torch.ones_like(error)).sqrt(), 0 * error)
