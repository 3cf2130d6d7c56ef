"""The hybrid-expert adaptor: from the space of a language model's vectors into that of a recommender's embeddings."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from models.transfer.teachers import Side

# What one of a side is called; a ModuleDict has an `items` of its own.
ONE_OF: dict[Side, str] = {"users": "user", "items": "item"}
# So many vectors at once bound the memory of a ranking.
_BLOCK_ROWS = 4096


class HybridExpertAdaptor(nn.Module):
    """Vectors of users or items [n, dim of the side] -> augmented vectors [n, output_size].

    KAR (Xi et al., RecSys 2024, arXiv 2306.10933), hybrid-expert adaptor. With the shared experts S, the dedicated
    experts D_s of the side s (users or items) and the vector r of one user or item,

        alpha = softmax(g_s(r)),    r' = sum over e in S and D_s of alpha_e * e(r)

    where the gate g_s is linear, and each expert e is a perceptron with one hidden layer of ReLUs.
    """

    def __init__(
        self,
        widths: Mapping[Side, int],
        n_shared: int,
        n_dedicated: Mapping[Side, int],
        hidden_size: int,
        output_size: int,
    ) -> None:
        """widths: dim of the vectors of each side that has some; n_dedicated: experts of each of these sides.

        ValueError where a side has no expert, or shared experts would have to read vectors of two widths.
        """
        super().__init__()
        if misfit := misfit_of_widths(widths, n_shared):
            raise ValueError(misfit)

        def experts(count: int, width: int) -> nn.ModuleList:
            return nn.ModuleList(_expert(width, hidden_size, output_size) for _ in range(count))

        self.shared = experts(n_shared, next(iter(widths.values())))
        self.dedicated, self.gates = nn.ModuleDict(), nn.ModuleDict()
        for side, width in widths.items():
            count = n_shared + n_dedicated[side]
            if count == 0:
                raise ValueError(f"{side} have no expert, neither shared nor their own; one at least is needed")
            self.dedicated[ONE_OF[side]] = experts(n_dedicated[side], width)
            self.gates[ONE_OF[side]] = nn.Linear(width, count)

    def weights(self, vectors: torch.Tensor, side: Side) -> torch.Tensor:
        """alpha [n, n_experts], the shared experts first; each row sums to one."""
        return torch.softmax(self.gates[ONE_OF[side]](vectors), dim=-1)

    def forward(self, table: torch.Tensor, rows: torch.Tensor, side: Side) -> torch.Tensor:
        """The augmented vectors [batch, output_size] of rows [batch] of a table [n_rows, dim of the side].

        Each row is adapted once, however often it is asked for: a batch has few users, a ranking each item many times.
        """
        distinct, positions = rows.unique(return_inverse=True)
        adapted = torch.cat([self.adapt(table[block], side) for block in distinct.split(_BLOCK_ROWS)])
        # The backward of indexing with [] sorts the positions; that of index_select only adds.
        return adapted.index_select(0, positions)

    def adapt(self, vectors: torch.Tensor, side: Side) -> torch.Tensor:
        """[n, dim of the side] -> [n, output_size]."""
        dedicated = self.dedicated[ONE_OF[side]]
        assert isinstance(dedicated, nn.ModuleList)
        outputs = torch.stack([expert(vectors) for expert in (*self.shared, *dedicated)], dim=1)
        return (self.weights(vectors, side).unsqueeze(2) * outputs).sum(dim=1)


def misfit_of_widths(widths: Mapping[Side, int], n_shared: int) -> str | None:
    """Why these experts cannot read vectors as wide as these; None where they can."""
    if n_shared == 0 or len(set(widths.values())) == 1:
        return None
    shown = " and ".join(f"those of {side} are {width}" for side, width in widths.items())
    return (
        f"shared_kar_experts_n is {n_shared}, and a shared expert reads vectors of one width, but {shown} wide; "
        "bring them to one width (reduce_dim), or set shared_kar_experts_n: 0"
    )


def _expert(width: int, hidden_size: int, output_size: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, hidden_size), nn.ReLU(), nn.Linear(hidden_size, output_size))
