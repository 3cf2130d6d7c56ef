"""What a reduction gives back, and how it says that these vectors do not allow it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


class ReduceError(ValueError):
    """A reduction that these vectors do not allow; `parameter` is what asked for it."""

    def __init__(self, parameter: str, message: str) -> None:
        self.parameter = parameter
        super().__init__(message)


@dataclass(frozen=True)
class Linear:
    """A fitted linear reduction: x [n, d_in] becomes (x - mean) @ matrix, [n, d_out].

    mean [d_in], matrix [d_in, d_out]: float64. variance_kept: the share of the variance that lies in the
    subspace of the axes, from 0 to 1; None where the axes are not orthogonal.
    """

    mean: np.ndarray
    matrix: np.ndarray
    variance_kept: float | None = None

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """[n, d_in] -> [n, d_out]: of the vectors that it was fitted to, or of new ones."""
        return (vectors - self.mean) @ self.matrix


def check_axes(vectors: np.ndarray, dimension: int, method: str, most: int) -> None:
    """ReduceError where `vectors` [n, d_in] have fewer than `dimension` axes to give."""
    if dimension > most:
        raise ReduceError("dimension", f"the vectors are {vectors.shape}; {method} gives at most {most} axes")


def leading_axes(symmetric: np.ndarray, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest eigenvalues [dimension] of a symmetric [d, d] matrix, falling, and their eigenvectors [d, dimension].

    The sign of an eigenvector is free; here its largest entry is positive, so that each run gives the same.
    """
    values, axes = np.linalg.eigh(symmetric)
    return values[::-1][:dimension], largest_positive(axes[:, ::-1][:, :dimension])


def largest_positive(axes: np.ndarray) -> np.ndarray:
    """The columns of `axes` [d, k], each turned so that its entry of largest size is positive."""
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
    return axes * np.where(largest < 0, -1.0, 1.0)
