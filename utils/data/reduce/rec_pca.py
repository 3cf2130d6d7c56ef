"""Rec-PCA: axes along which vectors vary much, and those that people take together vary little."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from utils.data.reduce.base import Linear, check_axes, leading_axes


def rec_pca(vectors: np.ndarray, dimension: int, baskets: sp.csr_matrix, smoothness: float) -> Linear:
    """Fit orthonormal axes W that maximise tr(W^T (X^T X - smoothness X^T L X) W), X [n, d_in] the centred vectors.

    baskets [n_baskets, n]: 1 where a basket holds the row: a user's items of the train part, or an item's users.
    L is the normalised Laplacian of the rows' co-occurrence graph (see `total_variation`). smoothness 0 is PCA.
    ReduceError for more than min(n, d_in) axes.
    Zhang and Zhu, Break the Optimization Barrier of LLM-Enhanced Recommenders (arXiv 2604.20490), Rec-PCA.
    """
    check_axes(vectors, dimension, "rec_pca", min(vectors.shape))
    mean = vectors.mean(axis=0)
    centred = vectors - mean
    scatter = centred.T @ centred
    _, axes = leading_axes(scatter - smoothness * total_variation(centred, baskets), dimension)
    total = float(np.trace(scatter))
    share = float(np.trace(axes.T @ scatter @ axes)) / total if total > 0 else 0.0
    return Linear(mean, axes, share)


def total_variation(vectors: np.ndarray, baskets: sp.csr_matrix) -> np.ndarray:
    """X^T L X [d, d] for X = `vectors` [n, d]; its trace is how much X varies between rows that occur together.

    L = D_0 - D^-1/2 A D^-1/2, where A = R^T R without its diagonal counts the baskets (R) that two rows share, D is
    the diagonal of A's row sums, and D_0 is 1 where that is not 0: a row that shares no basket costs nothing.
    A is [n, n] and nearly full, so it is never made: with Y = D^-1/2 X, Y^T A Y = (R Y)^T (R Y) - Y^T diag(R^T R) Y.
    """
    counts = baskets.T @ np.ones(baskets.shape[0])
    degrees = baskets.T @ (baskets @ np.ones(baskets.shape[1])) - counts
    connected = degrees > 0
    scaled = np.where(connected, 1 / np.sqrt(np.where(connected, degrees, 1.0)), 0.0)[:, None] * vectors
    summed = baskets @ scaled
    together = summed.T @ summed - scaled.T @ (counts[:, None] * scaled)
    linked = vectors[connected]
    variation = linked.T @ linked - together
    return (variation + variation.T) / 2
