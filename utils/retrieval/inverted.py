"""An inverted index of vectors, by faiss: a query is compared with those of the nearest lists only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

_SEED = 42
# Lists for each root of the number of vectors, and the share of them that a query looks through.
_LISTS_PER_ROOT = 1.0
_SHARE = 0.05
_ADDED_AT_ONCE = 2**14
# What faiss's k-means takes of each list, unless told otherwise.
_SAMPLE_PER_LIST = 256


@dataclass(frozen=True)
class Inverted:
    """Vectors in the lists of the centroids that they are nearest to (faiss's IndexIVFFlat, inner product).

    It holds a copy of the vectors. The same vectors give the same index.
    Sivic and Zisserman, Video Google (ICCV 2003); Johnson, Douze and Jégou, arXiv 1702.08734.
    """

    index: Any

    @classmethod
    def of(cls, vectors: torch.Tensor, rows: np.ndarray) -> Inverted:
        """Of the rows [m] of vectors [n, d] float32; ImportError, with what to install, where faiss is missing."""
        try:
            import faiss
        except ImportError as error:
            raise ImportError("search: faiss needs the package faiss-cpu; run: pip install faiss-cpu") from error
        faiss.omp_set_num_threads(torch.get_num_threads())
        n_lists = max(1, round(_LISTS_PER_ROOT * math.sqrt(len(rows))))
        dim = vectors.shape[1]
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(dim), dim, n_lists, faiss.METRIC_INNER_PRODUCT)
        index.own_fields = False
        index.cp.seed = _SEED
        # A small graph has fewer vectors to a list than faiss wants, and says so on the console.
        index.cp.min_points_per_centroid = 1
        index.nprobe = max(1, math.ceil(_SHARE * n_lists))
        chance = np.random.default_rng(_SEED)
        sample = chance.permutation(rows)[: _SAMPLE_PER_LIST * n_lists]
        index.train(vectors[sample].numpy())
        for start in range(0, len(rows), _ADDED_AT_ONCE):
            index.add(vectors[rows[start : start + _ADDED_AT_ONCE]].numpy())
        return cls(index)

    def search(self, queries: torch.Tensor, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Inner products [n, k] float32 and places in `rows` [n, k] int64, -1 where the lists hold fewer than k."""
        return self.index.search(queries.numpy(), k)
