"""GCN: the sum of a node and its neighbours, each weighted by the degrees at both ends."""

from __future__ import annotations

from torch import nn
from torch_geometric.nn import GCNConv

from models.graph.convolutions.base import convolution


@convolution("gcn", uses_relations=False, has_heads=False)
def gcn(in_dim: int, out_dim: int, edge_dim: int, num_heads: int) -> nn.Module:
    """[nodes, in_dim] -> [nodes, out_dim]; Kipf and Welling, ICLR 2017 (arXiv 1609.02907), equation 2.

    Nodes that two relations connect count twice.
    """
    return GCNConv(in_dim, out_dim)
