"""The graph encoder: one vector of each subgraph, from its nodes, edges and relations."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional
from torch_geometric.data import Batch
from torch_geometric.nn import global_mean_pool

from models.graph.convolutions.base import GRAPH_CONVOLUTIONS
from utils.registry import did_you_mean


class GraphEncoderError(ValueError):
    """A graph encoder that cannot be built; `parameter` is what stands in its way."""

    def __init__(self, message: str, parameter: str) -> None:
        self.parameter = parameter
        super().__init__(message)


class _BatchNorm(nn.BatchNorm1d):
    """Batch normalisation that also takes a batch of one node, or of none."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or len(x) > 1:
            return super().forward(x)
        # One node has no variance: it is read by what was seen before, and leaves that as it is.
        return functional.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, training=False, eps=self.eps
        )


NORMS: dict[str, type[nn.Module]] = {"layer": nn.LayerNorm, "batch": _BatchNorm, "none": nn.Identity}


class GraphEncoder(nn.Module):
    """A batch of subgraphs -> their vectors [graphs, hidden_dim], float32: the mean of each one's node vectors.

    The encoder of K-RagRec (Wang et al., ACL 2025, arXiv 2501.02226), built as in its released code: `num_layers` graph
    convolutions, and between them norm, ReLU and dropout.

    With the norms `layer` and `none`, a subgraph's vector depends on nothing but this subgraph, so each distinct one
    may be encoded once for all who ask for it. `batch`, the released code's, in training takes mean and variance over
    all nodes of the batch.
    """

    def __init__(
        self,
        in_dim: int,
        edge_dim: int,
        type: str = "gt",
        num_layers: int = 3,
        hidden_dim: int = 1024,
        num_heads: int = 4,
        dropout: float = 0.0,
        norm: str = "layer",
    ) -> None:
        """in_dim, edge_dim: widths of the nodes' and of the relations' vectors.

        type: a name of GRAPH_CONVOLUTIONS. num_heads: of those types that have heads. norm: a name of NORMS.
        GraphEncoderError where `why_impossible` finds something.
        """
        super().__init__()
        for parameter, message in why_impossible(type, num_layers, hidden_dim, num_heads, dropout, norm):
            raise GraphEncoderError(message, parameter)
        convolution = GRAPH_CONVOLUTIONS.get(type)
        self.hidden_dim, self.uses_relations = hidden_dim, convolution.uses_relations
        widths = [in_dim] + [hidden_dim] * (num_layers - 1)
        self.convolutions = nn.ModuleList(convolution.build(width, hidden_dim, edge_dim, num_heads) for width in widths)
        self.between = nn.ModuleList(
            nn.Sequential(NORMS[norm](hidden_dim), nn.ReLU(), nn.Dropout(dropout)) for _ in widths[1:]
        )

    def forward(self, data: Batch) -> torch.Tensor:
        """x [nodes, in_dim], edge_index [2, edges], edge_attr [edges, edge_dim], batch, ptr -> [graphs, hidden_dim].

        No graph at all gives [0, hidden_dim], which still leads back to the parameters.
        """
        relations = (data.edge_attr,) if self.uses_relations else ()
        nodes = self.convolutions[0](data.x, data.edge_index, *relations)
        for between, convolution in zip(self.between, self.convolutions[1:], strict=True):
            nodes = convolution(between(nodes), data.edge_index, *relations)
        return global_mean_pool(nodes, data.batch, len(data.ptr) - 1)


def why_impossible(
    type: str, num_layers: int, hidden_dim: int, num_heads: int, dropout: float, norm: str
) -> list[tuple[str, str]]:
    """(parameter, message) of all that keeps these options of GraphEncoder from being built; builds nothing."""
    found = []
    if type not in GRAPH_CONVOLUTIONS:
        found.append(("type", _unknown("graph encoder", type, GRAPH_CONVOLUTIONS.names())))
    elif GRAPH_CONVOLUTIONS.get(type).has_heads and hidden_dim > 0 < num_heads and (rest := hidden_dim % num_heads):
        nearest = " or ".join(str(width) for width in (hidden_dim - rest, hidden_dim - rest + num_heads) if width)
        found.append(
            ("hidden_dim", f"hidden_dim is {hidden_dim}, which {num_heads} heads cannot share; nearest: {nearest}")
        )
    counts = {"num_layers": num_layers, "hidden_dim": hidden_dim, "num_heads": num_heads}
    found += [(name, f"{name} is {count}; 1 or more is accepted") for name, count in counts.items() if count < 1]
    if not 0 <= dropout < 1:
        found.append(("dropout", f"dropout is {dropout}; from 0 to less than 1 is accepted"))
    if norm not in NORMS:
        found.append(("norm", _unknown("norm of a graph encoder", norm, list(NORMS))))
    return found


def _unknown(kind: str, name: str, known: list[str]) -> str:
    return f"unknown {kind} '{name}'; accepted: {', '.join(known)}{did_you_mean(name, known)}"
