"""Similarity distillation: a row has the neighbours that its teacher has."""

import torch
from torch.nn import functional

from models.losses.base import Positive, loss
from models.losses.geometry import directions, off_diagonal, unrelated
from models.losses.precision import full_precision


@loss("kl", compares="relations")
@full_precision
def kl(student: torch.Tensor, teacher: torch.Tensor, *, temperature: Positive = 0.1) -> torch.Tensor:
    """Mean over rows of KL(p_i || q_i), p of the teacher's rows [n, dim_t], q of the student's [n, dim_s] -> scalar.

    In nats. p_i is the softmax over all rows j but i of cos(teacher_i, teacher_j) / temperature, q_i that of the
    student's. Fewer than two rows cost 0. A row of zeros is as similar to all, with gradient 0. Memory grows with n^2.

    Probabilities of neighbours without the row itself, compared by KL, are those of Passalis and Tefas (ECCV 2018,
    arXiv 1803.10837); the softmax with a temperature in place of a shifted cosine is SEED's (Fang et al., ICLR 2021,
    arXiv 2101.04731).
    """
    if len(student) < 2:
        return unrelated(student, teacher)
    of_student, of_teacher = (_log_neighbours(rows, temperature) for rows in (student, teacher))
    return functional.kl_div(of_student, of_teacher, reduction="batchmean", log_target=True)


def _log_neighbours(rows: torch.Tensor, temperature: float) -> torch.Tensor:
    """Log-probabilities that a row picks each other one, [n, n - 1]."""
    towards = directions(rows)
    return functional.log_softmax(off_diagonal(towards @ towards.T) / temperature, dim=1)
