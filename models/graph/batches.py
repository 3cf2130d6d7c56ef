"""The subgraphs that a batch of users asks for, each of them once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch_geometric.data import Batch

from models.graph.subgraphs import Subgraphs


@dataclass(frozen=True)
class SubgraphBatch:
    """Distinct subgraphs, and who asked for them.

    data: the subgraphs as one `Batch`; `data.ptr[:-1]` are the rows of their centres. inverse: int64, in the shape of
    what was asked for, the number of each one's subgraph, or -1 where nothing was asked for.
    """

    data: Batch
    inverse: torch.Tensor


def batch_of(
    subgraphs: Subgraphs,
    centres: torch.Tensor,
    expansion: Literal["star", "ball", "induced"] = "star",
    hops: int = 1,
) -> SubgraphBatch:
    """Subgraphs that grow from `centres` [..., N]; those that several users share are made once.

    centres: node numbers, -1 where there is none. A star or a ball grows from each of them, and `inverse` is [..., N].
    `induced` makes one subgraph of each row, whose nodes are distinct, and `inverse` is [...]. hops: how far a ball
    reaches.
    """
    centres = centres.to(subgraphs.indptr.device).long()
    if expansion == "induced":
        asked = centres.reshape(-1, centres.shape[-1])
        there = (asked >= 0).any(dim=1)
        distinct, which = torch.unique(asked[there], dim=0, return_inverse=True)
        data, shape = subgraphs.all_induced(distinct), centres.shape[:-1]
    else:
        asked = centres.reshape(-1)
        there = asked >= 0
        distinct, which = torch.unique(asked[there], return_inverse=True)
        data, shape = subgraphs.balls(distinct, 1 if expansion == "star" else hops), centres.shape
    inverse = torch.full((len(asked),), -1, device=asked.device)
    inverse[there] = which
    return SubgraphBatch(data, inverse.reshape(shape))


def spread(encoded: torch.Tensor, inverse: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Vectors of distinct subgraphs [n, dim] to whoever asked for them: [..., dim], zero where nobody did, and a mask.

    inverse [...] int64: as in SubgraphBatch. The mask [...] is True where a subgraph was asked for.
    """
    # Row -1 is the last one, so the padding finds the zeros there.
    padded = torch.cat([encoded, encoded.new_zeros(1, encoded.shape[1])])
    return padded[inverse], inverse >= 0
