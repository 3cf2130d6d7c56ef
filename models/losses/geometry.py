"""Directions and distances of the rows of a batch, with slopes that stay finite where rows are zero or equal."""

import torch

# The shortest vector that has a direction, or a length that pulls.
_SHORTEST = 1e-8
# A squared distance below so many roundings of the two squared lengths is one of equal rows.
_ROUNDINGS = 16


def directions(rows: torch.Tensor) -> torch.Tensor:
    """Rows [..., dim] at length 1.

    A row of zeros has no direction: it stays zero and its gradient is 0. (The slope beside it is 1 / length, which
    at a clamped length of 1e-8 would throw the model away.)
    """
    length = torch.linalg.vector_norm(rows, dim=-1, keepdim=True)
    empty = length <= _SHORTEST
    return (rows / length.masked_fill(empty, 1.0)).masked_fill(empty, 0.0)


def distances(rows: torch.Tensor) -> torch.Tensor:
    """Euclidean distances [n, n] between rows [n, dim], through their products: no [n, n, dim] is kept.

    Equal rows are 0 apart, with gradient 0; a distance of less than a thousandth of the rows' lengths, as seen from
    their mean, is lost in float32's rounding and counts as none.
    """
    # From the mean the lengths, and with them what cancels out, are shortest.
    rows = rows - rows.mean(0)
    products = rows @ rows.T
    squares = products.diagonal()
    sums = squares.unsqueeze(1) + squares
    squared = sums - 2 * products
    equal = squared <= (_ROUNDINGS * torch.finfo(rows.dtype).eps * sums).clamp_min(_SHORTEST**2)
    return squared.masked_fill(equal, 1.0).sqrt().masked_fill(equal, 0.0)


def off_diagonal(square: torch.Tensor) -> torch.Tensor:
    """[n, n] without its diagonal -> [n, n - 1], a view where it can be one; n >= 2."""
    n = len(square)
    # Behind the first entry, rows of n + 1 end with the diagonal's.
    return square.flatten()[1:].view(n - 1, n + 1)[:, :-1].reshape(n, n - 1)


def unrelated(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """The loss of too few rows to have relations: 0 with gradient 0, or NaN where a row has one."""
    return 0 * (student.sum() + teacher.sum())
