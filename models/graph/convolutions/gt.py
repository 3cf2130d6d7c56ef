"""Graph Transformer: attention over the neighbours and over the relations that lead to them."""

from __future__ import annotations

from torch import nn
from torch_geometric.nn import TransformerConv

from models.graph.convolutions.base import convolution


@convolution("gt", uses_relations=True, has_heads=True)
def graph_transformer(in_dim: int, out_dim: int, edge_dim: int, num_heads: int) -> nn.Module:
    """[nodes, in_dim] -> [nodes, out_dim]: `num_heads` heads of out_dim / num_heads side by side.

    Shi et al., IJCAI 2021 (arXiv 2009.03509), equations 3 and 4: the relation's vector is added to the neighbour's key
    and value. K-RagRec's default.
    """
    return TransformerConv(in_dim, out_dim // num_heads, heads=num_heads, edge_dim=edge_dim)
