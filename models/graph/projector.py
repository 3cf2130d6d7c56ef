"""From the graph encoder's space into a language model's: vectors of subgraphs become soft tokens."""

from __future__ import annotations

import torch
from torch import nn


class Projector(nn.Module):
    """Vectors of subgraphs [..., in_dim] -> soft tokens [..., out_dim], out_dim being the language model's hidden size.

    The projector of K-RagRec (Wang et al., ACL 2025, arXiv 2501.02226): two linear layers, between them a sigmoid as
    in its released code, less 1/2. The functions are the same, with another bias; but where all inputs of the second
    layer are positive, one step of AdamW moves every token the same way, and soon they differ in nothing else.

    Parameters and tokens are float32, whatever the language model computes in.
    """

    def __init__(self, in_dim: int, hidden_dim: int, out_dim: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(in_dim, hidden_dim)
        self.output = nn.Linear(hidden_dim, out_dim)

    def start_at(self, token: torch.Tensor) -> None:
        """Make every vector the same `token` [out_dim] at first; what tells vectors apart is then learnt.

        Prompts that start as words train better than random ones, above all before small language models (Lester et
        al., EMNLP 2021, arXiv 2104.08691, section 3.2).
        """
        with torch.no_grad():
            self.output.weight.zero_()
            self.output.bias.copy_(token)

    def forward(self, encoded: torch.Tensor) -> torch.Tensor:
        return self.output(torch.sigmoid(self.hidden(encoded)) - 0.5)
