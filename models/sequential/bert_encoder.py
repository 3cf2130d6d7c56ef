"""RecBole's transformer blocks with fused operations: the same parameters, the same numbers to rounding, less time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch.nn import functional


def encode(blocks: Iterable[Any], x: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
    """States [batch, length, dim] of RecBole's `TransformerLayer`s over inputs of that shape.

    visible: what each position attends to, True where it does, broadcast to [batch, heads, length, length].
    """
    for block in blocks:
        x = _feed_forward(block.feed_forward, _attention(block.multi_head_attention, x, visible))
    return x


def _attention(layer: Any, x: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
    """Post-norm self-attention: LN(x + Drop(dense(attention(x))))."""
    batch, length, width = x.shape
    projections = (layer.query, layer.key, layer.value)
    weight = torch.cat([projection.weight for projection in projections])
    bias = torch.cat([projection.bias for projection in projections])
    heads = functional.linear(x, weight, bias).view(batch, length, 3, layer.num_attention_heads, -1)
    query, key, value = heads.permute(2, 0, 3, 1, 4)
    scores = torch.matmul(query * layer.sqrt_attention_head_size**-1, key.transpose(-1, -2))
    scores = scores.masked_fill(~visible, torch.finfo(scores.dtype).min)
    weights = layer.attn_dropout(scores.softmax(dim=-1))
    context = torch.matmul(weights, value).transpose(1, 2).reshape(batch, length, width)
    return layer.LayerNorm(layer.out_dropout(layer.dense(context)) + x)


def _feed_forward(layer: Any, x: torch.Tensor) -> torch.Tensor:
    """LN(x + Drop(W2 act(W1 x)))."""
    hidden = layer.dense_1(x)
    # RecBole writes gelu out as five operations on the widest tensor there is.
    gelu = getattr(layer.intermediate_act_fn, "__name__", "") == "gelu"
    hidden = functional.gelu(hidden) if gelu else layer.intermediate_act_fn(hidden)
    return layer.LayerNorm(layer.dropout(layer.dense_2(hidden)) + x)
