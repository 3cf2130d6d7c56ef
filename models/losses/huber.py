"""Huber loss: squared for small errors, absolute for large ones."""

import torch
from torch.nn import functional

from models.losses.base import Positive, loss
from models.losses.precision import full_precision


@loss("huber")
@full_precision
def huber(student: torch.Tensor, teacher: torch.Tensor, *, delta: Positive = 1.0) -> torch.Tensor:
    """Mean over all entries of Huber's function of e = student - teacher, both [n, dim] -> scalar.

    e^2 / 2 where |e| <= delta, delta (|e| - delta / 2) beyond (Huber, Annals of Mathematical Statistics 35(1), 1964).
    """
    return functional.huber_loss(student, teacher, delta=delta)
