"""Uniform manifold approximation and projection."""

from __future__ import annotations

import numpy as np

from utils.data.reduce.base import ReduceError


def umap_vectors(vectors: np.ndarray, dimension: int, seed: int) -> np.ndarray:
    """`vectors` [n, d_in] as [n, dimension], such that neighbours stay neighbours; by umap-learn.

    ReduceError where that is not installed, and for more than n - 2 axes.
    McInnes, Healy and Melville, UMAP: Uniform Manifold Approximation and Projection (arXiv 1802.03426).
    """
    try:
        import umap
    except ImportError as error:
        raise ReduceError("method", "method umap needs the package umap-learn; run: pip install umap-learn") from error
    n_rows = len(vectors)
    # Spectral initialisation needs more rows than axes; 15 neighbours is the method's own default.
    if dimension > n_rows - 2:
        raise ReduceError("dimension", f"the vectors have {n_rows} rows; umap gives at most {n_rows - 2} axes")
    neighbours = min(15, n_rows - 1)
    reducer = umap.UMAP(n_components=dimension, n_neighbors=neighbours, random_state=seed, n_jobs=1)
    return np.asarray(reducer.fit_transform(vectors.astype(np.float32)))
