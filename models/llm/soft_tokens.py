"""Retrieved subgraphs as vectors in a language model's input space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn
from torch.nn import functional

from models.graph.batches import SubgraphBatch, batch_of
from models.graph.encoder import GraphEncoder
from models.graph.projector import Projector
from models.graph.subgraphs import Subgraphs

GraphTokens = Literal["per_subgraph", "mean"]


@dataclass(frozen=True)
class SoftTokens:
    """Vectors of distinct subgraphs [n, dim], and who has which: places [B, G] int64, -1 for none."""

    table: torch.Tensor
    places: torch.Tensor

    def __getitem__(self, rows: torch.Tensor) -> SoftTokens:
        """Those of some of the samples."""
        return SoftTokens(self.table, self.places[rows])

    def of_each(self, kind: GraphTokens) -> list[torch.Tensor]:
        """For each sample its tokens [g, dim], none where it has no subgraph.

        per_subgraph: one each, as in eq. 8 of K-RagRec. mean: the mean of all, which the released code feeds.
        """
        there = self.places >= 0
        found = self.table[self.places[there]].split(there.sum(dim=1).tolist())
        return (
            list(found) if kind == "per_subgraph" else [one.mean(0, keepdim=True) if len(one) else one for one in found]
        )


class GraphReader(nn.Module):
    """A graph encoder and a projector: what turns subgraphs into soft tokens.

    length: the Euclidean norm of every token, None for whatever the projector makes of it, as in the released code.
    Tokens that grow longer than the words beside them drown these in the first layer's sums.
    """

    def __init__(self, encoder: GraphEncoder, projector: Projector, length: float | None = None) -> None:
        super().__init__()
        self.encoder, self.projector, self.length = encoder, projector, length

    def forward(self, batch: SubgraphBatch) -> SoftTokens:
        """Each distinct subgraph is encoded and projected once; a subgraph's vector depends on its centre alone."""
        return SoftTokens(self._tokens(batch), batch.inverse.flatten(1))

    def read_all(
        self,
        subgraphs: Subgraphs,
        centres: torch.Tensor,
        expansion: Literal["star", "ball", "induced"],
        hops: int,
        at_once: int = 256,
    ) -> SoftTokens:
        """The tokens of many samples, centres [S, slots, N]; no more than `at_once` subgraphs are in memory.

        For evaluation: without gradients, and with batch norm's running statistics.
        """
        asked = centres.long()
        keys = asked.flatten(0, -2) if expansion == "induced" else asked.reshape(-1, 1)
        distinct, which = torch.unique(keys, dim=0, return_inverse=True)
        there = (distinct >= 0).any(dim=1)
        with torch.no_grad():
            parts = [
                self._tokens(batch_of(subgraphs, part, expansion, hops)) for part in distinct[there].split(at_once)
            ]
        table = (
            torch.cat(parts) if parts else self.projector(torch.empty(0, self.encoder.hidden_dim, device=asked.device))
        )
        place = torch.where(there, there.cumsum(0) - 1, -1)
        return SoftTokens(table, place[which].reshape(len(asked), -1).to(table.device))

    def _tokens(self, batch: SubgraphBatch) -> torch.Tensor:
        """[distinct subgraphs, dim] float32."""
        projected = self.projector(self.encoder(batch.data))
        return projected if self.length is None else self.length * functional.normalize(projected, dim=-1)


def mean_length(embeddings: torch.Tensor) -> float:
    """The mean Euclidean norm of a language model's word embeddings [words, dim]."""
    return float(embeddings.detach().float().norm(dim=-1).mean())
