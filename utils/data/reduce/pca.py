"""Principal component analysis."""

from __future__ import annotations

import numpy as np

from utils.data.reduce.base import Linear, check_axes, largest_positive


def pca(vectors: np.ndarray, dimension: int) -> Linear:
    """Fit the `dimension` orthonormal axes along which `vectors` [n, d_in] vary most.

    scikit-learn's exact solver, by the singular values of the centred vectors. ReduceError for more than
    min(n, d_in) axes. Pearson, On lines and planes of closest fit to systems of points in space (1901).
    """
    from sklearn.decomposition import PCA

    check_axes(vectors, dimension, "pca", min(vectors.shape))
    fitted = PCA(n_components=dimension, svd_solver="full").fit(vectors)
    return Linear(fitted.mean_, largest_positive(fitted.components_.T), float(fitted.explained_variance_ratio_.sum()))
