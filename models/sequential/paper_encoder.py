"""SASRec's blocks as its authors wired them (github.com/kang205/SASRec), for causal attention over whole histories."""

from __future__ import annotations

import torch
from torch import nn

_EPS = 1e-8


class PaperEncoder(nn.Module):
    """Blocks of `q = LN(x); h = q + attention(q, x, x); x = h' + FFN(h'), h' = LN(h)`, and a last LN.

    Keys and values are not normalised, and the residual of the attention is its normalised query. The FFN is as
    wide as the states, with a ReLU (equation 6 of the paper); padded positions are zero after every block.
    """

    def __init__(self, n_layers: int, n_heads: int, width: int, dropout: float, attention_dropout: float) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_Block(n_heads, width, dropout, attention_dropout) for _ in range(n_layers))
        self.last_norm = nn.LayerNorm(width, eps=_EPS)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, x: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """States [batch, length, width] of inputs of that shape; `known` [batch, length] is False for padding."""
        mask = known.unsqueeze(-1).to(x.dtype)
        length = x.shape[1]
        before = torch.ones(length, length, dtype=torch.bool, device=x.device).tril()
        visible = before & known[:, None, None, :]
        x = x * mask
        for block in self.blocks:
            x = block(x, visible) * mask
        return self.last_norm(x)


class _Block(nn.Module):
    def __init__(self, n_heads: int, width: int, dropout: float, attention_dropout: float) -> None:
        super().__init__()
        if width % n_heads:
            raise ValueError(f"hidden_size is {width}, which n_heads {n_heads} does not divide")
        self.n_heads = n_heads
        self.query_norm, self.norm = nn.LayerNorm(width, eps=_EPS), nn.LayerNorm(width, eps=_EPS)
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.inner, self.outer = nn.Linear(width, width), nn.Linear(width, width)
        self.dropout, self.attention_dropout = nn.Dropout(dropout), nn.Dropout(attention_dropout)

    def forward(self, x: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
        query = self.query_norm(x)
        x = self.norm(query + self._attention(query, x, visible))
        return x + self.dropout(self.outer(self.dropout(self.inner(x).relu())))

    def _attention(self, query: torch.Tensor, x: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
        batch, length, width = x.shape
        q, k, v = (
            layer(source).view(batch, length, self.n_heads, -1).transpose(1, 2)
            for layer, source in ((self.query, query), (self.key, x), (self.value, x))
        )
        scores = q @ k.transpose(-1, -2) * (width // self.n_heads) ** -0.5
        scores = scores.masked_fill(~visible, torch.finfo(scores.dtype).min)
        weights = self.attention_dropout(scores.softmax(dim=-1))
        return (weights @ v).transpose(1, 2).reshape(batch, length, width)
