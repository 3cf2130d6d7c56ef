"""An approximate index of vectors, by faiss: a query is compared with shortened vectors of the nearest lists first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn.functional import pad

# Below it, comparing with all vectors takes no longer than making an index.
FEWEST = 2_048

# Of the three nearest among names of entities, embedded by a text encoder, these find 95 in 100 or more.
_SHARE_OF_LISTS = 0.3
_REFINED_PER_ANSWER = 32
# So many entries of a vector together become four bits.
_ENTRIES_PER_CODE = 4
_SAMPLED_PER_LIST, _SAMPLED_AT_LEAST = 64, 2**14
_ADDED_AT_ONCE = 2**14
_SEED = 42


@dataclass(frozen=True)
class Inverted:
    """Vectors as short codes in as many lists as the root of their number (inverted file, product quantisation).

    A query looks through the nearest three tenths of the lists by the codes, and compares 32 vectors for each answer
    exactly: the products are right, and only some of the nearest may be missed. The same vectors give the same index.
    It holds a copy of them.
    Jégou, Douze and Schmid, Product Quantization for Nearest Neighbor Search (PAMI 2011); Douze et al., The Faiss
    library (arXiv 2401.08281).
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
        n_lists = round(math.sqrt(len(rows)))
        width = _padded(vectors[:0]).shape[1]
        coding = f"IVF{n_lists},PQ{width // _ENTRIES_PER_CODE}x4fs,RFlat"
        index: Any = faiss.index_factory(width, coding, faiss.METRIC_INNER_PRODUCT)
        index.k_factor = _REFINED_PER_ANSWER
        lists: Any = faiss.downcast_index(index.base_index)
        lists.nprobe = math.ceil(_SHARE_OF_LISTS * n_lists)
        lists.cp.seed = lists.pq.cp.seed = _SEED
        sampled = max(_SAMPLED_AT_LEAST, _SAMPLED_PER_LIST * n_lists)
        index.train(_padded(vectors[np.random.default_rng(_SEED).permutation(rows)[:sampled]]).numpy())
        for start in range(0, len(rows), _ADDED_AT_ONCE):
            index.add(_padded(vectors[rows[start : start + _ADDED_AT_ONCE]]).numpy())
        return cls(index)

    def search(self, queries: torch.Tensor, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Inner products [n, k] float32, falling, and places in `rows` [n, k] int64; -1 where the lists hold fewer."""
        products, places = self.index.search(_padded(queries).numpy(), k)
        return products, places


def _padded(vectors: torch.Tensor) -> torch.Tensor:
    """[n, d] with as many zeros behind, which change no product, as make codes of all entries."""
    return pad(vectors, (0, -vectors.shape[1] % _ENTRIES_PER_CODE)).contiguous()
