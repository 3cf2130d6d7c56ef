"""Rows that the tests of losses compare, and which losses promise what of them."""

from __future__ import annotations

import torch

from models.losses.base import LOSSES

NAMES = LOSSES.names()
STUDENT = torch.tensor([[1.0, 2, 3], [0, 0, 4]])
TEACHER = torch.tensor([[1.0, 0, 3], [3, 0, 0]])

RELATIONS = ["cka", "kl", "rkd_angle", "rkd_distance"]
# They set each row against the others, so that equal rows are not all there is to wish for.
CONTRASTS = ["infonce", "masked_reconstruction"]
# Only the student's scores are drawn up, whatever the teacher's are.
SCORES = ["ranking_distillation"]
ZERO_WHERE_EQUAL = [name for name in NAMES if name not in CONTRASTS + SCORES]


def random_rows(rows: int, width: int, seed: int) -> torch.Tensor:
    """[rows, width] from a normal distribution, in double precision."""
    return torch.randn(rows, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
