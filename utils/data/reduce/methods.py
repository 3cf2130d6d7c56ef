"""The methods by name, and how one is applied to the rows of a vector file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from utils.data.embeddings import Projection
from utils.data.reduce.base import Linear
from utils.data.reduce.pca import pca
from utils.data.reduce.random_projection import random_projection
from utils.data.reduce.rec_pca import rec_pca
from utils.data.reduce.umap import umap_vectors
from utils.data.reduce.whiten import whiten

_LINEAR: Mapping[str, Callable[..., Linear]] = {
    "pca": pca,
    "whiten": whiten,
    "rec_pca": rec_pca,
    "random_projection": random_projection,
}


@dataclass(frozen=True)
class Reduced:
    """Vectors [n, dim] float32, the map that made them (None for umap), and the share of variance that is kept.

    variance_kept: None where the method has no axes to speak of, umap and random_projection.
    """

    vectors: torch.Tensor
    projection: Projection | None
    variance_kept: float | None


def reduce_vectors(
    vectors: torch.Tensor, dimension: int, method: str, normalize: bool = False, **options: Any
) -> Reduced:
    """[n, d_in] -> [n, dimension], fitted once and in double precision; ReduceError for what cannot be.

    method: pca, whiten, rec_pca, random_projection or umap. options: what the method takes beside these (see its
    file). normalize: divide each row by its length afterwards; a row of zeros stays one.
    """
    matrix = vectors.numpy().astype(np.float64)
    fitted = _LINEAR[method](matrix, dimension, **options) if method in _LINEAR else None
    reduced = umap_vectors(matrix, dimension, **options) if fitted is None else fitted(matrix)
    if normalize:
        lengths = np.linalg.norm(reduced, axis=1, keepdims=True)
        reduced = reduced / np.where(lengths > 0, lengths, 1.0)
    as_tensor = torch.from_numpy(np.ascontiguousarray(reduced)).float()
    if fitted is None:
        return Reduced(as_tensor, None, None)
    projection = Projection(
        *(torch.from_numpy(np.ascontiguousarray(part)).float() for part in (fitted.mean, fitted.matrix))
    )
    return Reduced(as_tensor, projection, fitted.variance_kept)
