"""Order 2 of an index: the vectors of nodes with what their neighbours say, without anything to learn."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from scipy import sparse

from utils.data.kg.graph import Adjacency

Propagation = Literal["mean", "ppr"]
# (share of a node's own vector in each step, number of steps)
_STEPS: dict[Propagation, tuple[float, int]] = {"mean": (0.5, 1), "ppr": (0.2, 10)}


def propagate(adjacency: Adjacency, vectors: torch.Tensor, how: Propagation) -> torch.Tensor:
    """[n_nodes, dim] float32 of nodes and their neighbourhoods, rows of length 1 or zero, from `vectors` of the nodes.

    Both repeat z <- share x + (1 - share) mean(z of the neighbours), beginning with z = x. mean: once, half and half.
    ppr: to personalised PageRank's, with a share of 0.2 (Gasteiger et al., ICLR 2019, arXiv 1810.05997, eq. 4, with
    D^-1 A). Triples count in both directions, and a neighbour once, however many relations lead to it: many graphs
    state some of their relations from both ends. Neighbours whose vector is zero are left out of the mean. A node
    without any neighbour keeps its vector; one without a vector gets its neighbours'.
    """
    share, steps = _STEPS[how]
    given = vectors.detach().float().cpu()
    own = given.numpy()
    matrix = _neighbour_mean(adjacency, given.any(dim=1).numpy())
    out = own
    for _ in range(steps):
        out = matrix @ out
        out *= 1 - share
        out += share * own
    return torch.nn.functional.normalize(torch.from_numpy(out), dim=1)


def _neighbour_mean(adjacency: Adjacency, present: np.ndarray) -> sparse.csr_matrix:
    """[n_nodes, n_nodes]: 1 / (number of distinct neighbours with a vector) at each of these, row by row."""
    n_nodes = len(present)
    ends, distinct = adjacency.pairs()
    kept = distinct & present[adjacency.neighbours]
    counts = np.bincount(ends[kept], minlength=n_nodes)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    weights = np.repeat(1 / np.maximum(counts, 1), counts).astype(np.float32)
    return sparse.csr_matrix((weights, adjacency.neighbours[kept], indptr), shape=(n_nodes, n_nodes))
