"""Relational distillation by distances: rows lie as far apart, for their batch, as their teachers do."""

import torch
from torch.nn import functional

from models.losses.base import loss
from models.losses.geometry import distances, off_diagonal, unrelated
from models.losses.precision import full_precision


@loss("rkd_distance", compares="relations")
@full_precision
def rkd_distance(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Mean over pairs of h(psi(s_i, s_j) - psi(t_i, t_j)), student s [n, dim_s], teacher t [n, dim_t] -> scalar.

    psi is the distance of two rows over the mean distance of all pairs, so that neither scale nor place counts; h is
    Huber's function with delta 1. Fewer than two rows cost 0. Equal rows are 0 apart; there the gradient of their
    distance is taken as 0. Memory grows with n^2.

    The distance-wise loss of Park et al. (Relational Knowledge Distillation, CVPR 2019, arXiv 1904.05068), there a
    sum over pairs.
    """
    if len(student) < 2:
        return unrelated(student, teacher)
    return functional.smooth_l1_loss(_relative(student), _relative(teacher))


def _relative(rows: torch.Tensor) -> torch.Tensor:
    """Distances over their mean, [n, n - 1]."""
    apart = off_diagonal(distances(rows))
    mean = apart.mean()
    return apart / mean.masked_fill(mean == 0, 1.0)
