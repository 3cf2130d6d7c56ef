"""Fewer dimensions for vectors: row i stays row i, and the same seed gives the same result."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch

Method = Literal["pca", "umap"]


class ReduceError(ValueError):
    """A reduction that these vectors do not allow; `parameter` is what asked for it."""

    def __init__(self, parameter: Literal["dimension", "method"], message: str) -> None:
        self.parameter = parameter
        super().__init__(message)


def reduce_vectors(
    vectors: torch.Tensor, dimension: int, method: Method, seed: int
) -> tuple[torch.Tensor, float | None]:
    """[n, d_in] -> ([n, dimension], share of variance kept; None for umap).

    pca: scikit-learn's exact PCA. umap: umap-learn with `n_components=dimension`.
    """
    n_rows, width = vectors.shape
    if method == "pca":
        return _pca(vectors.numpy().astype(np.float64), dimension, n_rows, width)
    return _umap(vectors.numpy(), dimension, n_rows, seed), None


def _pca(matrix: np.ndarray, dimension: int, n_rows: int, width: int) -> tuple[torch.Tensor, float]:
    from sklearn.decomposition import PCA

    if dimension > min(n_rows, width):
        raise ReduceError(
            "dimension", f"the vectors are ({n_rows}, {width}); pca gives at most {min(n_rows, width)} axes"
        )
    pca = PCA(n_components=dimension, svd_solver="full")
    reduced = pca.fit_transform(matrix)
    return torch.from_numpy(reduced).float(), float(pca.explained_variance_ratio_.sum())


def _umap(matrix: np.ndarray, dimension: int, n_rows: int, seed: int) -> torch.Tensor:
    try:
        import umap
    except ImportError as error:
        raise ReduceError("method", "method umap needs the package umap-learn; run: pip install umap-learn") from error
    # Spectral initialisation needs more rows than axes; 15 neighbours is the method's own default.
    if dimension > n_rows - 2:
        raise ReduceError("dimension", f"the vectors have {n_rows} rows; umap gives at most {n_rows - 2} axes")
    neighbours = min(15, n_rows - 1)
    reducer = umap.UMAP(n_components=dimension, n_neighbors=neighbours, random_state=seed, n_jobs=1)
    return torch.from_numpy(np.asarray(reducer.fit_transform(matrix), dtype=np.float32))
