"""Mean absolute error between hidden and knowledge vectors."""

import torch

from models.losses.base import loss
from models.losses.precision import full_precision


@loss("mae")
@full_precision
def mae(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Mean over all entries of |student - teacher|, both [n, dim] -> scalar.

    The gradient of an entry is its sign whatever its error; at zero error it is taken as 0.
    """
    return (student - teacher).abs().mean()
