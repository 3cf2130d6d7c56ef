"""The graph of users and items, built as arrays in place of a dictionary with an entry per link.

LightGCN, NGCF, NCL, GCMC, SpectralCF, KGIN and MCCLK fill a `dok_matrix` from a Python dict and then normalise it.
Their own code still does the normalising, on links that are the same in the same order, so that the result is
the same bit for bit.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch

# (module below recbole.model, class, method, attribute with the interactions)
_BUILDERS = (
    ("general_recommender.lightgcn", "LightGCN", "get_norm_adj_mat", "interaction_matrix"),
    ("general_recommender.ngcf", "NGCF", "get_norm_adj_mat", "interaction_matrix"),
    ("general_recommender.ncl", "NCL", "get_norm_adj_mat", "interaction_matrix"),
    ("general_recommender.gcmc", "GCMC", "get_norm_adj_mat", "interaction_matrix"),
    ("general_recommender.spectralcf", "SpectralCF", "get_laplacian_matrix", "interaction_matrix"),
    ("knowledge_aware_recommender.kgin", "KGIN", "get_norm_inter_matrix", "inter_matrix"),
    ("knowledge_aware_recommender.mcclk", "MCCLK", "get_norm_inter_matrix", "inter_matrix"),
)


class _Links(sp.dok_matrix):
    """A matrix that says it is a dictionary of keys and keeps its entries as arrays."""

    def __init__(self, rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int], dtype: Any) -> None:
        super().__init__(shape, dtype=dtype)
        # Whatever SciPy still computes from the dictionary shall fail, not find it empty.
        del self._dict
        self._arrays = sp.coo_matrix((np.ones(len(rows), dtype), (rows, columns)), shape)
        # No link is there twice; without this the columns of a row would be sorted.
        self._arrays.has_canonical_format = True

    def tocoo(self, copy: bool = False) -> Any:
        return self._arrays.copy() if copy else self._arrays

    def __gt__(self, other: Any) -> Any:
        """Which entries are above a number, 0 at least. SciPy would sort a copy of the links for it."""
        csr = self.tocsr()
        csr.data = csr.data > other
        return csr

    def __matmul__(self, other: Any) -> Any:
        """Also what `sum` is made of; a matrix of this kind multiplies by its dictionary."""
        return self.tocsr() @ other

    def _update(self, data: dict[Any, Any]) -> None:
        """The dictionary that a model makes of no interactions; the links are there already."""


def links(interactions: Any, shape: tuple[int, int], n_users: int, dtype: Any = np.float32) -> Any:
    """Ones at (user, n_users + item) and (n_users + item, user) of every pair of a COO matrix [n_users, n_items].

    All links of users stand before those of items, each in the order of the interactions, a pair that occurs
    several times where it occurs first: the order of a dict with these keys. Returns a sparse matrix of `shape`.
    """
    index = np.int32 if max(shape) < 2**31 else np.int64
    users, items = interactions.row.astype(index), interactions.col.astype(index)
    pairs = users.astype(np.int64) * interactions.shape[1] + items
    again = pd.Series(pairs).duplicated().to_numpy()
    if again.any():
        users, items = users[~again], items[~again]
    del pairs, again
    items += index(n_users)
    return _Links(np.concatenate([users, items]), np.concatenate([items, users]), shape, dtype)


def build_from_arrays() -> None:
    """Have RecBole's seven graph models build their normalised adjacency from `links`; again changes nothing."""
    for path, name, method, attribute in _BUILDERS:
        module = importlib.import_module(f"recbole.model.{path}")
        cls = getattr(module, name)
        build = getattr(cls, method)
        setattr(cls, method, _from_arrays(getattr(build, "__wrapped__", build), module, attribute))


def _from_arrays(build: Callable[..., Any], module: Any, attribute: str) -> Callable[..., Any]:
    """RecBole's builder, given no interactions to make a dictionary of, and a `dok_matrix` that holds them all."""

    @functools.wraps(build)
    def build_from_links(self: Any, *args: Any, **kwargs: Any) -> Any:
        interactions = getattr(self, attribute)

        def dok_matrix(shape: tuple[int, int], dtype: Any) -> Any:
            return links(interactions, shape, self.n_users, dtype)

        before = module.sp, module.torch
        module.sp = SimpleNamespace(**{**vars(sp), "dok_matrix": dok_matrix})
        module.torch = SimpleNamespace(**{**vars(torch), "LongTensor": _long_tensor})
        setattr(self, attribute, sp.coo_matrix(interactions.shape, dtype=interactions.dtype))
        try:
            return build(self, *args, **kwargs)
        finally:
            module.sp, module.torch = before
            setattr(self, attribute, interactions)

    return build_from_links


def _long_tensor(values: Any) -> torch.Tensor:
    """torch.LongTensor of an array or a list of arrays; torch itself would take such a list number by number."""
    return torch.from_numpy(np.asarray(values)).long()
