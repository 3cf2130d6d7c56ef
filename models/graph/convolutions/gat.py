"""GAT: attention over a node and its neighbours, blind to relations."""

from __future__ import annotations

from torch import nn
from torch_geometric.nn import GATConv

from models.graph.convolutions.base import convolution


@convolution("gat", uses_relations=False, has_heads=True)
def gat(in_dim: int, out_dim: int, edge_dim: int, num_heads: int) -> nn.Module:
    """[nodes, in_dim] -> [nodes, out_dim]; Veličković et al., ICLR 2018 (arXiv 1710.10903), equation 5.

    `num_heads` heads of out_dim / num_heads side by side, as in the paper's hidden layers. K-RagRec's released code
    takes the mean of heads of out_dim each, which has as wide an output for `num_heads` times the parameters.
    """
    return GATConv(in_dim, out_dim // num_heads, heads=num_heads)
