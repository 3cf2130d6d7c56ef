"""Contrastive alignment: a row is nearer to its own teacher than to the others of its batch."""

import torch
from torch.nn import functional

from models.losses.base import Positive, loss
from models.losses.geometry import directions
from models.losses.precision import full_precision


@loss("infonce", contrasts=True)
@full_precision
def infonce(student: torch.Tensor, teacher: torch.Tensor, *, temperature: Positive = 0.2) -> torch.Tensor:
    """Mean over rows i of -log p_i, the chance to pick its teacher among all in the batch, both [n, dim] -> scalar.

    p_i is the softmax over j of cos(student_i, teacher_j) / temperature, at j = i. One row costs 0, and of n rows that
    say nothing each costs log n. The batch is the set of negatives, so a user or item that is in it twice would be
    pushed away from its own vector: each may be there once only. Equal rows cost more than 0, the less the further
    apart the teacher's are. A row of zeros is as similar to all, with gradient 0. Memory grows with n^2.

    RLMRec's contrastive alignment (Ren et al., WWW 2024, arXiv 2310.15950), with the other rows of the batch for all
    users or items. There a network brings the teacher's rows to the student's width: an adapter.
    """
    similarities = directions(student) @ directions(teacher).T
    return functional.cross_entropy(similarities / temperature, torch.arange(len(student), device=student.device))
