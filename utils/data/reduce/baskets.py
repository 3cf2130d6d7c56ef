"""Who was taken together with whom: the rows of a vector file in the baskets of the train part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import scipy.sparse as sp


def baskets_of(rows: Sequence[str], members: Sequence[str], holders: Sequence[str]) -> sp.csr_matrix:
    """[n_baskets, n_rows] float64: 1 where a basket holds a row.

    rows: a token for each row, none of them twice. members, holders: the pairs of the train part, none of them
    twice: (item, user) where rows are items, so that a basket is a user's; (user, item) where they are users.
    Members that have no row are left out.
    """
    where = pd.Index(rows).get_indexer(pd.Index(members))
    known = where >= 0
    codes, names = pd.factorize(np.asarray(holders, dtype=object)[known])
    return sp.csr_matrix((np.ones(int(known.sum())), (codes, where[known])), shape=(len(names), len(rows)))
