"""KGAT's first attention matrix without dgl.

RecBole builds a dgl graph for one thing: to count, for every head and relation, the edges that leave. dgl has
no wheel for today's torch, and the calls RecBole makes are gone from its newer releases. What KGAT does after
each epoch needs no dgl.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch


def first_attention(graph: sp.coo_matrix) -> torch.Tensor:
    """Attention before any training, from a graph whose `data` are relation ids -> sparse [n_nodes, n_nodes].

    Each relation's adjacency matrix has rows (heads) that sum to 1, and the matrices are added up: edge (h, r, t)
    weighs 1 / (number of edges that leave h by r). KGAT (Wang et al., KDD 2019), as RecBole initialises it.
    """
    leaving = np.stack([graph.row, graph.data.astype(graph.row.dtype)])
    _, group, size = np.unique(leaving, axis=1, return_inverse=True, return_counts=True)
    weights = torch.from_numpy((1 / size)[group.reshape(-1)]).float()
    edges = torch.from_numpy(np.stack([graph.row, graph.col]).astype(np.int64))
    return torch.sparse_coo_tensor(edges, weights, graph.shape, check_invariants=True).coalesce()


def replace_dgl() -> None:
    """Give KGAT the collaborative knowledge graph as a matrix, and its first attention from that."""
    from recbole.data.dataset.kg_dataset import KnowledgeBasedDataset
    from recbole.model.knowledge_aware_recommender.kgat import KGAT

    create_graph = KnowledgeBasedDataset._create_ckg_graph

    def as_matrix(self: Any, form: str = "dgl", show_relation: bool = False) -> Any:
        if form == "dgl":
            return self._create_ckg_sparse_matrix("coo", show_relation)
        return create_graph(self, form, show_relation)

    def init_graph(self: Any) -> torch.Tensor:
        return first_attention(self.ckg).to(self.device)

    KnowledgeBasedDataset._create_ckg_graph = as_matrix
    KGAT.init_graph = init_graph
