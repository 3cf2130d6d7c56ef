"""Ranking distillation: the items that the teacher ranks first are positives."""

import torch
from torch.nn import functional

from models.losses.base import Positive, PositiveCount, loss
from models.losses.precision import full_precision


@loss("ranking_distillation", compares="scores")
@full_precision
def ranking_distillation(
    student: torch.Tensor, teacher: torch.Tensor, *, k: PositiveCount = 10, position_lambda: Positive = 1.0
) -> torch.Tensor:
    """Mean over users of the sum over r of -w_r log sigmoid(s_r), both sides' scores [n_users, n_items] -> scalar.

    s_r is the student's score of the item that the teacher ranks r-th, r from 1 to k, or to n_items where these are
    fewer. w_r is in proportion to exp(-r / position_lambda), and they sum to 1: the smaller lambda, the more the first
    places count. Only the teacher's order counts, so no gradient reaches it. The loss draws scores up only; the
    recommender's own holds them down.

    Tang and Wang, Ranking Distillation (KDD 2018, arXiv 1809.07428), with the weights by position; those by how far
    the student's rank is off, which need a rank among all items, are left out.
    """
    k = min(k, teacher.shape[1])
    first = teacher.topk(k, dim=1).indices
    positions = torch.arange(1, k + 1, dtype=student.dtype, device=student.device)
    weights = functional.softmax(-positions / position_lambda, dim=0)
    return -(weights * functional.logsigmoid(student.gather(1, first))).sum(1).mean()
