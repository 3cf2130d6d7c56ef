"""Small networks between two widths, trained with the model and no part of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

Kind = Literal["linear", "mlp"]


@dataclass(frozen=True)
class AdapterSpec:
    """Which side of a loss goes through an adapter, and to what width.

    width: what both are brought to, where both have one; else the other side's.
    """

    student: Kind | None = None
    teacher: Kind | None = None
    width: int | None = None


class Adapter(nn.Module):
    """Student [n, d_s] and teacher [n, d_t], each as it is or through its network, to one width."""

    def __init__(self, spec: AdapterSpec, student_width: int, teacher_width: int) -> None:
        super().__init__()
        if spec.student and spec.teacher:
            width = spec.width or min(student_width, teacher_width)
        else:
            width = teacher_width if spec.student else student_width
        self.student = _network(spec.student, student_width, width)
        self.teacher = _network(spec.teacher, teacher_width, width)

    def forward(self, student: torch.Tensor, teacher: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.student(student), self.teacher(teacher)


def _network(kind: Kind | None, width_in: int, width_out: int) -> nn.Module:
    if kind is None:
        return nn.Identity()
    if kind == "linear":
        return nn.Linear(width_in, width_out)
    # The two projections of RLMRec (arXiv 2310.15950) have this form.
    hidden = (width_in + width_out) // 2
    return nn.Sequential(nn.Linear(width_in, hidden), nn.LeakyReLU(), nn.Linear(hidden, width_out))
