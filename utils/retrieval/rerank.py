"""Which of a user's candidates fit the whole history best."""

from __future__ import annotations

import numpy as np
import torch

from utils.retrieval.base import NO_NODE


def rerank(
    candidates: np.ndarray, queries: torch.Tensor, vectors: torch.Tensor, n: int, block_bytes: int = 2**27
) -> tuple[np.ndarray, np.ndarray]:
    """The n candidates nearest to each user's query: centres [S, n] int32, distinct, and cosines [S, n], falling.

    candidates [S, C]: nodes, in any order and repeated or not, -1 for none. queries [S, d], vectors [n_nodes, d]: rows
    of length 1. Nodes of equal cosine come by their number; where there are fewer than n, -1 with a cosine of 0.
    block_bytes: about how much memory the comparison takes.
    Wang et al., K-RagRec, ACL 2025 (arXiv 2501.02226), section 3.5.
    """
    ordered = np.sort(candidates.astype(np.int32), axis=1)
    ordered[:, 1:][ordered[:, 1:] == ordered[:, :-1]] = NO_NODE
    centres = np.full((len(ordered), n), NO_NODE, dtype=np.int32)
    scores = np.zeros((len(ordered), n), dtype=np.float32)
    step = max(1, block_bytes // (8 * max(1, ordered.shape[1]) * vectors.shape[1]))
    for start in range(0, len(ordered), step):
        nodes = torch.from_numpy(ordered[start : start + step]).long()
        # Product and sum, not a matrix product: that may round the cosines of equal vectors differently.
        cosines = (vectors[nodes.clamp(min=0)] * queries[start : start + step, None]).sum(dim=2)
        cosines = cosines.masked_fill(nodes == NO_NODE, -torch.inf)
        # Stable: the nodes rise along a row, so that equal cosines stay in their order.
        best, places = cosines.sort(dim=1, descending=True, stable=True)
        kept = nodes.gather(1, places)[:, :n]
        part = slice(start, start + len(nodes)), slice(0, kept.shape[1])
        centres[part] = kept.numpy()
        scores[part] = best[:, :n].masked_fill(kept == NO_NODE, 0).numpy()
    return centres, scores
