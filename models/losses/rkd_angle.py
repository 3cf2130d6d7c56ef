"""Relational distillation by angles: rows are seen from another at the angle at which their teachers are."""

import torch
from torch.nn import functional

from models.losses.base import AtLeastTwo, loss
from models.losses.geometry import directions, unrelated
from models.losses.precision import full_precision


@loss("rkd_angle", compares="relations")
@full_precision
def rkd_angle(student: torch.Tensor, teacher: torch.Tensor, *, anchors: AtLeastTwo = 16) -> torch.Tensor:
    """Mean over triplets of h(cos(s_ijk) - cos(t_ijk)), student s [n, dim_s], teacher t [n, dim_t] -> scalar.

    cos(s_ijk) is that of the angle at row j between rows i and k, 0 where one of them equals row j; h is Huber's
    function with delta 1. Every row is a vertex j; i and k are any two of at most `anchors` rows, evenly spaced in the
    batch. All triplets are compared where n <= anchors; beyond, memory grows with n * anchors * (anchors + dim_s +
    dim_t) instead of n^3, and the order of the rows decides which are anchors. Fewer than three rows cost 0.

    The angle-wise loss of Park et al. (Relational Knowledge Distillation, CVPR 2019, arXiv 1904.05068), there a sum
    over all triplets.
    """
    n = len(student)
    if n < 3:
        return unrelated(student, teacher)
    count = min(anchors, n)
    chosen = torch.arange(count, device=student.device) * n // count
    errors = functional.smooth_l1_loss(_cosines(student, chosen), _cosines(teacher, chosen), reduction="none")
    distinct = ~torch.eye(count, dtype=torch.bool, device=student.device)
    # Where the vertex is an anchor itself, both cosines are 0: these are no triplets and add nothing.
    return (errors * distinct).sum() / (count * (count - 1) * (n - 2))


def _cosines(rows: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """Of the angles at each row between the chosen ones, [n, anchors, anchors]."""
    seen = directions(rows.index_select(0, chosen) - rows.unsqueeze(1))
    return seen @ seen.transpose(1, 2)
