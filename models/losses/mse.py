"""Mean squared error between hidden and knowledge vectors."""

import torch
from torch.nn import functional

from models.losses.base import loss
from models.losses.precision import full_precision


@loss("mse")
@full_precision
def mse(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Mean over all entries of (student - teacher)^2, both [n, dim] -> scalar.

    The idea of drawing a layer towards such vectors is LLM-KT's (arXiv 2411.00556).
    """
    return functional.mse_loss(student, teacher)
