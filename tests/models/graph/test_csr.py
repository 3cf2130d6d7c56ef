"""Rows of a CSR are gathered in the order asked for, and cut by preference."""

from __future__ import annotations

import torch

from models.graph.csr import entries_of, keeps

# Node 0 touches 1 (twice), 2 and 3; node 1 touches nothing; nodes 2 and 3 touch 0.
INDPTR = torch.tensor([0, 4, 4, 5, 6])
NEIGHBOURS = torch.tensor([1, 1, 2, 3, 0, 0])


def test_rows_come_in_the_order_asked_for_and_as_often() -> None:
    which, entry = entries_of(INDPTR, torch.tensor([2, 1, 0, 2]))
    assert which.tolist() == [0, 2, 2, 2, 2, 3]
    assert entry.tolist() == [4, 0, 1, 2, 3, 4]


def test_no_rows_have_no_entries() -> None:
    which, entry = entries_of(INDPTR, torch.tensor([], dtype=torch.long))
    assert which.tolist() == entry.tolist() == []


def test_the_preferred_neighbours_stay_and_parallel_entries_count_as_one() -> None:
    # Node 1 comes first, then 3, then 2, then 0.
    place = torch.tensor([3, 0, 2, 1])
    assert keeps(INDPTR, NEIGHBOURS, place, 1).tolist() == [True, True, False, False, True, True]
    assert keeps(INDPTR, NEIGHBOURS, place, 2).tolist() == [True, True, False, True, True, True]
    assert keeps(INDPTR, NEIGHBOURS, place, 3).all()
