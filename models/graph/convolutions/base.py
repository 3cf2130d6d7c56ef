"""What a graph convolution is: a layer that reads what a node's neighbours say, and what else it can read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from utils.registry import Registry

# in_dim, out_dim, edge_dim, num_heads -> a layer from node vectors [nodes, in_dim] to [nodes, out_dim].
Build = Callable[[int, int, int, int], nn.Module]


@dataclass(frozen=True)
class Convolution:
    """How one layer is built, and what it reads besides node vectors and edges.

    build(in_dim, out_dim, edge_dim, num_heads): the layer, called with x [nodes, in_dim] and edge_index [2, edges].
    uses_relations: also called with edge_attr [edges, edge_dim]; without, edge_dim has no meaning.
    has_heads: shares out_dim among num_heads, which has to divide it; without, num_heads has no meaning.
    """

    build: Build
    uses_relations: bool
    has_heads: bool


GRAPH_CONVOLUTIONS: Registry[Convolution] = Registry("graph encoder", package="models.graph.convolutions")


def convolution(name: str, uses_relations: bool, has_heads: bool) -> Callable[[Build], Build]:
    """Decorator that makes a function usable as the graph encoder's `type: name`."""

    def enter(build: Build) -> Build:
        GRAPH_CONVOLUTIONS.register(name)(Convolution(build, uses_relations, has_heads))
        return build

    return enter
