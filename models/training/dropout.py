"""Dropout whose mask costs a quarter of the random numbers: four entries share one 64-bit draw."""

from __future__ import annotations

import torch
from torch import nn

_STEPS = 2**16


class Dropout(nn.Dropout):
    """torch's Dropout; on a CPU entries are dropped with p to the nearest 1/65,536, and scaled by exactly that.

    The distribution is that of torch's own, the draws are others. It draws from torch's global generator.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        cut = round(self.p * _STEPS)
        if not self.training or input.device.type != "cpu" or not 0 < cut < _STEPS:
            return super().forward(input)
        words = torch.empty(-(-input.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        drawn = words.view(torch.int16)[: input.numel()].view(input.shape)
        kept = (drawn >= cut - _STEPS // 2).to(input.dtype).mul_(_STEPS / (_STEPS - cut))
        return input * kept


def replace_dropout(model: nn.Module) -> None:
    """Put these in the place of torch's Dropout throughout a model; it has no parameters, so all else stays."""
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.Dropout:
                setattr(parent, name, Dropout(child.p))
