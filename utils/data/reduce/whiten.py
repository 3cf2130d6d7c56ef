"""PCA whitening: axes that vary equally and independently of each other."""

from __future__ import annotations

import numpy as np

from utils.data.reduce.base import Linear, ReduceError, check_axes, leading_axes


def whiten(vectors: np.ndarray, dimension: int, epsilon: float) -> Linear:
    """Fit PCA's axes to `vectors` [n, d_in], each divided by sqrt(its variance + epsilon).

    With epsilon 0 the covariance (over n) of the result is the identity. Text encoders crowd their vectors into a
    narrow cone, in which all are alike; whitening spreads them. ReduceError for more than min(n, d_in) axes, and
    for an axis along which nothing varies where epsilon is 0.
    Zhang et al., Are ID Embeddings Necessary? Whitening Pre-trained Text Embeddings for Effective Sequential
    Recommendation (ICDE 2024), section IV-A; Huang et al., WhiteningBERT (Findings of EMNLP 2021).
    """
    check_axes(vectors, dimension, "whiten", min(vectors.shape))
    mean = vectors.mean(axis=0)
    centred = vectors - mean
    covariance = centred.T @ centred / len(vectors)
    variances, axes = leading_axes(covariance, dimension)
    # What rounding leaves of a variance of zero, which may be negative.
    rounding = np.finfo(np.float64).eps * max(vectors.shape) * max(variances[0], 0.0)
    varying = int((variances > rounding).sum())
    if epsilon == 0 and varying < dimension:
        raise ReduceError("epsilon", f"the vectors vary along {varying} axes; give epsilon, or fewer axes")
    variances = variances.clip(min=0.0)
    total = float(np.trace(covariance))
    share = float(variances.sum()) / total if total > 0 else 0.0
    return Linear(mean, axes / np.sqrt(variances + epsilon), share)
