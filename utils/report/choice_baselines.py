"""What a language model has to beat: scores of candidates by which nothing is learnt, and chance itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from utils.report.significance import Floats


def random_scores(candidates: NDArray[Any]) -> Floats:
    """Equal scores for all `candidates` [S, n]: their metrics are chance exactly, without drawing anything."""
    return np.zeros(candidates.shape)


def popularity_scores(candidates: NDArray[np.integer[Any]], train_counts: NDArray[np.integer[Any]]) -> Floats:
    """How often each of the `candidates` [S, n], item rows, was chosen in the train part: `train_counts` [n_items].

    ValueError for an item row that has no count, -1 among them.
    """
    outside = candidates[(candidates < 0) | (candidates >= len(train_counts))]
    if outside.size:
        raise ValueError(f"item row {outside[0]} among the candidates; there are counts of {len(train_counts):,} items")
    return train_counts[candidates].astype(np.float64)


@dataclass(frozen=True)
class ChanceTest:
    """A two-sided test against chance. name: `binomial` or `z`. spread: whether the tested values differ at all."""

    name: str
    p: float
    spread: bool


def against_chance(values: Floats, means: Floats, variances: Floats) -> ChanceTest | None:
    """Test `values` of a metric [S] against chance, under which they have `means` [S] and `variances` [S].

    Chance is a known distribution and not a second sample: a paired test takes the spread of `values` alone, and where
    there is none, as where no choice of a few is right, has no idea how often chance does the same. Choices that are
    right or wrong with one probability are counted exactly (binomial test); other values have the sum of their
    differences over its standard deviation under chance looked up in the normal distribution (z test).

    Samples of variance 0 say nothing. None with fewer than two others, as with all tests here.
    """
    varies = variances > 0
    if np.count_nonzero(varies) < 2:
        return None
    found, mean, variance = values[varies], means[varies], variances[varies]
    spread = bool(np.ptp(found) > 0)
    # A metric that is 1 with probability m and else 0 has the variance m (1 - m); others may be 0 or 1 in all samples
    # by accident.
    right_or_wrong = np.isin(found, (0, 1)).all() and np.allclose(variance, mean * (1 - mean))
    if right_or_wrong and np.allclose(mean, mean[0]):
        exact = stats.binomtest(int(found.sum()), len(found), float(mean[0]))
        return ChanceTest("binomial", float(exact.pvalue), spread)
    z = (found - mean).sum() / np.sqrt(variance.sum())
    return ChanceTest("z", float(2 * stats.norm.sf(abs(z))), spread)
