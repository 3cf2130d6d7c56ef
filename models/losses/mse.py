"""Mean squared error between hidden and knowledge vectors."""

import torch

from models.losses.base import loss


@loss("mse")
def mse(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Mean over all entries of (student - teacher)^2, both [n, dim] -> scalar.

    LLM-KT (arXiv 2411.00556), the square of its reconstruction loss.
    """
    return (student - teacher.detach()).square().mean()
