"""Random projection: distances survive it without any look at the vectors."""

from __future__ import annotations

import numpy as np

from utils.data.reduce.base import Linear, check_axes


def random_projection(vectors: np.ndarray, dimension: int, seed: int) -> Linear:
    """A matrix [d_in, dimension] of independent normal entries with variance 1/dimension, whatever `vectors` are.

    So the expected squared length of a projected vector is its own. Nothing is fitted: the mean is zero.
    ReduceError for more axes than d_in. Johnson and Lindenstrauss, Extensions of Lipschitz mappings into a Hilbert
    space (1984); Dasgupta and Gupta, An elementary proof of a theorem of Johnson and Lindenstrauss (2003).
    """
    width = vectors.shape[1]
    check_axes(vectors, dimension, "random_projection", width)
    drawn = np.random.default_rng(seed).standard_normal((width, dimension))
    return Linear(np.zeros(width), drawn / np.sqrt(dimension))
