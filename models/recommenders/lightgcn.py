"""LightGCN (He et al., SIGIR 2020, arXiv 2002.02126) on a sparse product that is its own backward."""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from recbole.model.general_recommender.lightgcn import LightGCN as RecBoleLightGCN
from torch import nn
from torch.nn import functional

DEFAULTS = {
    "layer_weights": "mean",  # (str or list) Equal, learned, or n_layers + 1 numbers. Range in ['mean', 'learned'].
}


class _SymmetricProduct(torch.autograd.Function):
    """adjacency [n, n] @ x [n, dim], where the adjacency is symmetric, sparse and constant.

    As its transpose is itself, the backward is the same product; torch would transpose the matrix in every step.
    """

    @staticmethod
    def forward(ctx: Any, adjacency: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        ctx.adjacency = adjacency
        # Autocast would turn x into bfloat16, for which there is no sparse product.
        with torch.autocast(x.device.type, enabled=False):
            return _product(adjacency, x.to(adjacency.dtype))

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[None, torch.Tensor]:
        return None, _SymmetricProduct.apply(ctx.adjacency, gradient)


class LightGCN(RecBoleLightGCN):
    """RecBole's LightGCN, its parameters and settings, with weights of the layers that may be fixed or learned."""

    def __init__(self, config: Any, dataset: Any) -> None:
        super().__init__(config, dataset)
        self.layer_weights = _checked(config["layer_weights"], self.n_layers + 1)
        if self.layer_weights == "learned":
            self.layer_logits = nn.Parameter(torch.zeros(self.n_layers + 1))

    def get_norm_adj_mat(self) -> torch.Tensor:
        """RecBole's D^-1/2 A D^-1/2 [n_users + n_items, n_users + n_items] in CSR form."""
        return _as_csr(super().get_norm_adj_mat())

    def forward(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Propagated embeddings of users [n_users, dim] and items [n_items, dim]."""
        layer = self.get_ego_embeddings()
        weights = self._weights()
        total = layer if weights is None else layer * weights[0]
        for depth in range(1, self.n_layers + 1):
            layer = _SymmetricProduct.apply(self.norm_adj_matrix, layer)
            total = total + (layer if weights is None else layer * weights[depth])
        if weights is None:
            total = total / (self.n_layers + 1)
        users, items = torch.split(total, [self.n_users, self.n_items])
        return users, items

    def _weights(self) -> Any:
        """One weight per layer, layer 0 first; None where all are equal."""
        if self.layer_weights == "mean":
            return None
        return torch.softmax(self.layer_logits, dim=0) if self.layer_weights == "learned" else self.layer_weights

    def calculate_loss(self, interaction: Any) -> torch.Tensor:
        """BPR loss of the batch plus `reg_weight` times the norm of its embeddings before propagation; shape [1]."""
        self.restore_user_e, self.restore_item_e = None, None
        user, positive = interaction[self.USER_ID], interaction[self.ITEM_ID]
        negative = interaction[self.NEG_ITEM_ID]
        users, items = self.forward()
        # The backward of indexing with [] sorts the ids; that of index_select only adds.
        chosen = users.index_select(0, user)
        positive_scores = (chosen * items.index_select(0, positive)).sum(dim=1)
        negative_scores = (chosen * items.index_select(0, negative)).sum(dim=1)
        penalty = self.reg_loss(
            self.user_embedding(user),
            self.item_embedding(positive),
            self.item_embedding(negative),
            require_pow=self.require_pow,
        )
        return self.mf_loss(positive_scores, negative_scores) + self.reg_weight * penalty


def _product(csr: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """csr [m, n] @ x [n, dim]; on a CPU as weighted sums of rows, whose kernel takes a third of the time of MKL's."""
    if x.device.type != "cpu":
        return csr @ x
    row_starts, columns, weights = csr.crow_indices(), csr.col_indices(), csr.values()
    return functional.embedding_bag(
        columns, x, row_starts, mode="sum", per_sample_weights=weights, include_last_offset=True
    )


def _as_csr(matrix: torch.Tensor) -> torch.Tensor:
    """A sparse COO matrix in CSR form, with 32-bit indices where these suffice."""
    with warnings.catch_warnings():
        # torch calls its CSR tensors a beta.
        warnings.simplefilter("ignore", UserWarning)
        csr = matrix.coalesce().to_sparse_csr()
        few = max(csr.shape[0], csr._nnz()) < 2**31
        kind = torch.int32 if few else torch.int64
        crow, col = csr.crow_indices().to(kind), csr.col_indices().to(kind)
        return torch.sparse_csr_tensor(crow, col, csr.values(), csr.shape)


def _checked(given: Any, count: int) -> str | list[float]:
    """`layer_weights` as it may stand in the settings; ValueError for anything but a mode or `count` numbers."""
    if given in ("mean", "learned"):
        return str(given)
    if isinstance(given, (list, tuple)) and len(given) == count and all(map(_is_number, given)):
        return [float(weight) for weight in given]
    raise ValueError(
        f"layer_weights is {given!r}; accepted: 'mean', 'learned' or a list of {count} numbers (n_layers + 1)"
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
