"""Rows of variable length in one array: their entries gathered, and long ones cut."""

from __future__ import annotations

import torch


def entries_of(indptr: torch.Tensor, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The entries of `rows` [k], row by row: to which of the k each belongs [m], and its place in the arrays [m].

    indptr [n + 1] int64: row i has the entries indptr[i] to indptr[i + 1]. A row may be asked for more than once.
    """
    starts = indptr[rows]
    counts = indptr[rows + 1] - starts
    which = torch.repeat_interleave(torch.arange(len(rows), device=rows.device), counts)
    before = counts.cumsum(0) - counts
    return which, torch.arange(len(which), device=rows.device) + (starts - before)[which]


def keeps(indptr: torch.Tensor, neighbours: torch.Tensor, place: torch.Tensor, most: int) -> torch.Tensor:
    """[m] bool: the entries of each row that lead to its `most` neighbours of the lowest `place`.

    neighbours [m] int64, sorted within a row; entries with the same neighbour count once, and stay or go together.
    place [n] int64: of each node in an order of preference, no two the same.
    """
    n = len(indptr) - 1
    rows = torch.repeat_interleave(torch.arange(n, device=indptr.device), indptr.diff())
    first = torch.ones_like(rows, dtype=torch.bool)
    first[1:] = (rows.diff() != 0) | (neighbours.diff() != 0)
    row = rows[first]
    by_preference = torch.argsort(row * n + place[neighbours[first]])
    counts = torch.bincount(row, minlength=n)
    before = counts.cumsum(0) - counts
    rank = torch.empty_like(row)
    rank[by_preference] = torch.arange(len(row), device=row.device) - before[row]
    return (rank < most)[first.cumsum(0) - 1]
