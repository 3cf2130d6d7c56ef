"""GraphSAGE: a node, and apart from it the mean of its neighbours."""

from __future__ import annotations

from torch import nn
from torch_geometric.nn import SAGEConv

from models.graph.convolutions.base import convolution


@convolution("graphsage", uses_relations=False, has_heads=False)
def graphsage(in_dim: int, out_dim: int, edge_dim: int, num_heads: int) -> nn.Module:
    """[nodes, in_dim] -> [nodes, out_dim], with the mean aggregator; Hamilton et al., NIPS 2017 (arXiv 1706.02216).

    Nodes that two relations connect count twice.
    """
    return SAGEConv(in_dim, out_dim)
