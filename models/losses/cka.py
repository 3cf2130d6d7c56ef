"""Centred kernel alignment: batches are alike when their rows resemble each other alike."""

import torch

from models.losses.base import loss
from models.losses.geometry import directions, unrelated
from models.losses.precision import full_precision


@loss("cka", compares="relations")
@full_precision
def cka(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """1 - linear CKA of student [n, dim_s] and teacher [n, dim_t] -> scalar in [0, 1].

    With X and Y the two, columns centred: CKA = |Y'X|^2 / (|X'X| |Y'Y|) in Frobenius norms. Scale, place and
    rotation of either do not count. Rows that are all the same resemble nothing: they cost 1, with gradient 0; fewer
    than two rows cost 0. A batch with fewer rows than columns is alike by chance: compare batches of many rows.

    Kornblith et al., Similarity of Neural Network Representations Revisited (ICML 2019, arXiv 1905.00414).
    """
    if len(student) < 2:
        return unrelated(student, teacher)
    x, y = _centred(student), _centred(teacher)
    if len(x) * (x.shape[1] + y.shape[1]) < x.shape[1] ** 2 + y.shape[1] ** 2 + x.shape[1] * y.shape[1]:
        # The same three numbers from [n, n], where that is less work than [dim, dim].
        of_x, of_y = x @ x.T, y @ y.T
        alike = (of_x * of_y).sum()
    else:
        of_x, of_y = x.T @ x, y.T @ y
        alike = (y.T @ x).square().sum()
    sizes = torch.linalg.vector_norm(of_x) * torch.linalg.vector_norm(of_y)
    return 1 - alike / sizes.masked_fill(sizes == 0, 1.0)


def _centred(rows: torch.Tensor) -> torch.Tensor:
    """Rows minus their mean, all of them together at length 1."""
    # Seen from the first of them, equal rows are exactly zero, which their distance from a rounded mean is not.
    rows = rows - rows[:1].detach()
    rows = rows - rows.mean(0)
    return directions(rows.flatten()).view_as(rows)
